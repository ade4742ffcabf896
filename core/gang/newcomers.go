package gang

import "slices"

// startAtOnce starts g, which was submitted just now, if nobody waits beside it
// and there is room: nobody is promised anything, so it need not get in line.
func (s *Scheduler) startAtOnce(g *member, r *Result) bool {
	if s.moved || len(s.fresh) > 0 || s.tree.Len() > 0 || s.plan.shut || s.now < s.rest.until || s.expiring() {
		return false
	}
	if g.array != nil || !g.When.none() || !s.licensed(g) || s.reservationPends(g) != "" || !s.tree.Allows(g.wants()) {
		return false
	}
	g.arrived = s.now
	c, ok := s.choose(g)
	if ok {
		_ = s.tree.Charge(g.wants()) // its queue is there, as it allows it
		s.grant(g, c, r)
	}
	return ok
}

// serveFresh offers room to what came into line since the last pass, in which
// nothing became free: all others were tried.
func (s *Scheduler) serveFresh(r *Result) {
	serve := slices.ContainsFunc(s.fresh, s.hopes)
	if serve {
		s.promises.begin(s)
	}
	for _, g := range s.fresh {
		for serve && g.inLine && !s.plan.shut && s.tree.Allows(g.wants()) && s.serve(g, nil, r) {
			// An array has more than one.
		}
		// What is kept for others is kept from those behind them only.
		s.moved = s.moved || s.overlooked(g)
	}
	if serve {
		s.keepTo(r)
	}
}

// hopes reports whether a pass may do anything for g, which came into line since
// the last one: start it, promise it a start, or keep nodes or licences for it.
// Behind a long line of its like it may not, and working out the promises anew
// costs far more than to find that out.
func (s *Scheduler) hopes(g *member) bool {
	switch {
	case s.promises.reaches(g):
		return true
	case s.plan.shut || !s.tree.Allows(g.wants()):
		return false
	case !s.licensed(g) || s.reservationPends(g) != "":
		return true
	case s.plan.keeps() && len(s.promises.list) <= Reserved:
		return true
	}
	_, most := g.relaxation(s.now)
	return !s.known(g, g.endIf(s.now), most)
}
