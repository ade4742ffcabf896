package gang

import "slices"

// horizon is how many gangs before another an estimate looks at.
const horizon = 2 * Reserved

// estimate is when g starts at the latest: everybody before it gets the
// earliest start that the walltimes allow to know. 0 if they do not. It is part of
// an answer, so what it looks at delays no pass.
func (s *Scheduler) estimate(g *member) int64 {
	defer func(effort int) { s.effort = effort }(s.effort)
	line := s.upTo(g)
	if len(line) > horizon {
		return 0
	}
	var p plan
	p.renew(s)
	p.foresee(s)
	at := int64(0)
	for _, v := range line {
		if b := p.of(v); b != nil {
			if b.kept {
				return 0
			}
			at = b.from
			continue
		}
		b := p.earliest(s, v)
		if b == nil {
			if v == g || s.couldRun(v) {
				return 0
			}
			continue // nobody waits for one that cannot run
		}
		p.book(s, b)
		at = b.from
	}
	return max(at, s.now)
}

// upTo is the gangs before g in line, each once, and g; or more than horizon of
// them, so that no plan is made in vain.
func (s *Scheduler) upTo(g *member) []*member {
	var line []*member
	seen := map[*member]bool{}
	s.tree.Each(s.now, func(id uint64) bool {
		if v := s.byNumber[id]; !seen[v] {
			seen[v] = true
			line = append(line, v)
		}
		return !seen[g] && len(line) <= horizon
	})
	return line
}

// of is the reservation of g, if it has one.
func (p *plan) of(g *member) *booking {
	for _, b := range p.booked {
		if b.gang == g {
			return b
		}
	}
	return nil
}

// clone returns a plan that shares nothing with p that changes.
func (p *plan) clone() plan {
	c := *p
	c.booked, c.turns = make([]*booking, len(p.booked)), nil
	for i, b := range p.booked {
		v := *b
		v.slack = slices.Clone(b.slack)
		c.booked[i] = &v
		c.turn(&v)
	}
	c.marks, c.left = slices.Clone(p.marks), nil
	c.ends = slices.Clip(p.ends)
	return c
}
