package gang

import "fmt"

// setback is what displacement has cost gangs that are like each other (see
// member.kind), from when one of them is displaced until one of them is over,
// however.
//
// Room that a more urgent gang took back is often free again for as short a time,
// and whoever is first in line starts in it again in vain. So those that were set
// back stand back: what is free is offered to all others first, and what those
// leave is theirs at once. How long a gang will run need not be known for that, nor
// when the next of the more urgent comes: they stand back in proportion to the time
// for which they ran in vain, so that this is a bounded part of their time, and
// never for long, so that it is of no account to who ran for hours.
type setback struct {
	lost  int64 // time in which some of them ran in vain, in milliseconds
	at    int64 // when one was displaced last
	until int64 // when they stand back no more
}

// patience is for how many times as long as they ran in vain gangs stand back: so
// they do so for a quarter of their time at the most. Any number from 2 to 4 does
// as well.
const patience = 3

// setBack notes that g, which is displaced, has run in vain.
func (s *Scheduler) setBack(g *member) {
	if g.phase != running {
		return
	}
	v := s.setbacks[g.kind()]
	v.lost += s.now - max(g.since, v.at)
	v.at, v.until = s.now, s.now+min(patience*v.lost, s.config.StandBack)
	s.setbacks[g.kind()] = v
	s.wakes.add(v.until)
}

// standsBack reports whether all others go before g, which is in line.
func (s *Scheduler) standsBack(g *member) bool {
	return len(s.setbacks) > 0 && !g.aged && s.setbacks[g.kind()].until > s.now
}

// gotThrough notes that g is over.
func (s *Scheduler) gotThrough(g *member) {
	if len(s.setbacks) > 0 {
		delete(s.setbacks, g.kind())
	}
}

// kind is the number of whoever is like g.
func (g *member) kind() uint64 {
	if g.class == 0 {
		g.class = g.classNumber()
	}
	return g.class
}

// behind says why all others go before g.
func (s *Scheduler) behind(g *member) string {
	v := s.setbacks[g.kind()]
	return fmt.Sprintf("others go first for %s, as gangs like it had to give way after %s", millis(v.until-s.now), millis(v.lost))
}
