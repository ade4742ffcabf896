package gang

import (
	"math"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/place"
)

// choose finds nodes for g to start on now.
func (s *Scheduler) choose(g *member) (place.Choice, bool) {
	until := g.endIf(s.now)
	_, most := g.relaxation(s.now)
	if s.known(g, until, most) {
		return place.Choice{}, false
	}
	limits := s.plan.limits(s, s.now, until, g)
	c, ok := s.chooseAmong(g, limits)
	if !ok {
		s.effort += s.choosing(limits)
		s.remember(g, until, most, len(limits) == 0)
	}
	return c, ok
}

// chooseAmong finds nodes for g within limits.
func (s *Scheduler) chooseAmong(g *member, limits []place.Limit) (c place.Choice, ok bool) {
	q := &s.sought
	*q = g.ask.Claim
	q.Avoid, q.Job, q.Limit = g.avoid, s.beside(g), limits
	relax, most := g.relaxation(s.now)
	for ; relax <= most && !ok; relax++ {
		q.Relax = relax
		c, ok = s.fleet.Choose(q)
	}
	return c, ok
}

// beside is the nodes of the living ranks of g's job, for an ask that counts
// them.
func (s *Scheduler) beside(g *member) []place.Ref {
	if !g.ask.counts() {
		return nil
	}
	var out []place.Ref
	for _, v := range s.jobOf(g).gangs {
		out = append(out, v.living()...)
	}
	return out
}

// counts reports whether what else the job has decides where the gang may go.
func (a *ask) counts() bool {
	for _, role := range a.Roles {
		if len(role.Counting) > 0 {
			return true
		}
	}
	return false
}

// known reports whether it was found out that gangs like g have no place, and
// nothing has changed since.
func (s *Scheduler) known(g *member, until int64, relax int) bool {
	f := &g.ask.failed
	return f.valid && !s.special(g) && f.grown == s.grown(g.ask) && f.relax >= relax &&
		(f.plan == 0 || f.plan == s.plan.version && until-s.now >= f.wall)
}

// special reports whether g may have other nodes than what else asks the same.
func (s *Scheduler) special(g *member) bool {
	return len(g.avoid) > 0 || g.ask.counts() || g.Reservation != "" || s.displaces(g)
}

func (s *Scheduler) remember(g *member, until int64, relax int, free bool) {
	if s.special(g) {
		return
	}
	g.ask.failed = failure{grown: s.grown(g.ask), plan: s.plan.version, wall: until - s.now, relax: relax, valid: true}
	if free {
		g.ask.failed.plan = 0
	}
}

// grown changes whenever room for a may have grown. Several roles compete: they
// may fit together where no more ranks of any one of them do.
func (s *Scheduler) grown(a *ask) uint64 {
	if len(a.Roles) > 1 {
		return s.fleet.Freed()
	}
	return s.fleet.Grown(a.Roles[0].Shape)
}

// relaxation is how many levels of a preferred placement g has given up, and
// how many it may give up now.
func (g *member) relaxation(now int64) (from, to int) {
	p := g.Placement
	if !p.Preferred {
		return 0, 0
	}
	if p.Wait == 0 {
		return 0, levels
	}
	n := int(min((now-g.arrived)/wait(p), levels))
	return 0, n
}

// wait is how long a preferred level is waited for, in milliseconds.
func wait(p core.PlacementAsk) int64 { return max(1, int64(p.Wait)/1e6) }

// levels is more levels than a preferred placement can give up.
const levels = 5

// forever is the end of what has no walltime.
const forever = math.MaxInt64

// endIf is when g ends at the latest if it is granted at a time.
func (g *member) endIf(at int64) int64 {
	if g.Walltime == 0 {
		return forever
	}
	return at + g.StartTimeout + g.Walltime
}
