package gang

import (
	"slices"

	"github.com/capstan-run/capstan/core/place"
	"github.com/capstan-run/capstan/core/queue"
)

// pass places what can be placed now (law G4): repairs, then gangs in the order
// of the queues, then the growth of elastic ones, then preemption. If nothing
// became free since the last pass, only what came since can be placed: all
// others were tried.
func (s *Scheduler) pass(r *Result) {
	s.moved = s.moved || s.outranked()
	switch {
	case s.moved:
		s.moved = false
		s.endReservations()
		s.endDisplacements()
		s.drained(r)
		s.tellRefused(r) // before whoever waited for them is granted
		s.keepNoLicences()
		s.plan.renew(s)
		s.promises.begin(s)
		s.mend(r)
		s.serveDisplacers(r)
		s.walk(r)
		s.keepTo(r)
		s.grow(r)
		s.preempt(r)
	case len(s.fresh) > 0:
		s.serveFresh(r)
		s.preempt(r)
	}
	s.promises.supply.close()
	s.promises.halt = nil
	clear(s.fresh)
	s.fresh = s.fresh[:0]
	s.tellRefused(r)
}

// outranked reports whether somebody who came since the last pass is more urgent
// than one that nodes are kept for: then those have to be kept anew.
func (s *Scheduler) outranked() bool {
	if len(s.fresh) == 0 {
		return false
	}
	least, kept := 0, false
	for _, b := range s.plan.booked {
		if b.gang != nil && b.gang.inLine && (!kept || b.gang.Priority < least) {
			least, kept = b.gang.Priority, true
		}
	}
	return kept && slices.ContainsFunc(s.fresh, func(g *member) bool { return g.inLine && g.Priority > least })
}

// overlooked reports whether g, which came into line since the last pass and did
// not start, has room that is kept for gangs which may now be behind it.
func (s *Scheduler) overlooked(g *member) bool {
	precedes := func(b *booking) bool { return b.gang != nil && g.mayPrecede(b.gang) }
	if !g.inLine || !slices.ContainsFunc(s.plan.booked, precedes) && (!s.plan.shut || !g.mayPrecede(s.plan.shutFor)) {
		return false
	}
	if !s.onlyRoom(g) || !roomy(s.fleet, g.ask) {
		return false
	}
	_, ok := s.chooseAmong(g, s.plan.standingLimits(s, g))
	return ok
}

// mayPrecede reports whether g, which came later, may stand before other in
// line.
func (g *member) mayPrecede(other *member) bool {
	return g.Priority > other.Priority || g.queue != other.queue || g.User != other.User || g.Predicted < other.Predicted
}

// keepTo starts the gangs whose planned start has come, whoever has nodes kept:
// the plan has counted those.
func (s *Scheduler) keepTo(r *Result) {
	if !s.promises.on || s.plan.shut {
		return
	}
	for _, g := range s.promises.due(s.now) {
		if !g.inLine || !s.licensed(g) || s.reservationPends(g) != "" || !s.tree.Allows(g.wants()) {
			continue
		}
		c, ok := s.chooseAmong(g, s.plan.standingLimits(s, g))
		if ok {
			s.start(g, nil, c, r)
		}
		s.setStuck(g, !ok)
	}
}

// tellRefused tells of gangs that were given up in between.
func (s *Scheduler) tellRefused(r *Result) {
	for _, v := range s.refused {
		r.Actions = append(r.Actions, v)
	}
	s.refused = nil
}

// walk offers room to the gangs in line; to those that stand back, what the others
// leave.
func (s *Scheduler) walk(r *Result) {
	if s.offer(r, false) {
		s.offer(r, true)
	}
}

// offer goes through the line once. It reports whether it passed gangs by that
// stand back.
func (s *Scheduler) offer(r *Result, all bool) (passed bool) {
	w := s.tree.Walk(s.now)
	defer func() { s.effort += walkCost * w.Seen() }()
	for tried := 0; tried < s.config.Depth && !s.plan.shut; {
		e, ok := w.Next()
		if !ok {
			break
		}
		g := s.byNumber[e.ID]
		before := len(s.plan.booked)
		switch {
		case !all && s.standsBack(g):
			w.Skip()
			passed = true
		case s.serve(g, w, r):
		case len(s.plan.booked) > before:
			w.Pass() // its like may get a reservation, too
			tried++
		default:
			w.Skip()
			tried++
		}
	}
	return passed
}

// serve grants what g asks for, if there is room that nobody has reserved; else
// it makes a reservation, if there are not too many. w is the walk that offers
// g, nil if none does.
func (s *Scheduler) serve(g *member, w *queue.Walk, r *Result) bool {
	if g.array != nil {
		if _, ok := s.nextElement(g); !ok {
			return false
		}
	}
	if s.reservationPends(g) != "" {
		return false
	}
	if !s.licensed(g) {
		s.keepLicences(g)
		return false
	}
	c, ok := s.choose(g)
	if !ok {
		s.keepFor(g)
		return false
	}
	switch {
	case !s.promises.on:
	case s.displaces(g):
		s.promises.force(s, g) // others had to go for it
	case !s.promises.allows(s, g):
		return false
	}
	s.start(g, w, c, r)
	return true
}

// keepFor lets g, which found no nodes, keep some from those behind it.
func (s *Scheduler) keepFor(g *member) {
	due := g.promised && g.planned <= s.now
	if due {
		if _, ok := s.chooseAmong(g, s.plan.standingLimits(s, g)); ok {
			return // only others' nodes are in its way: see keepTo
		}
	}
	s.setStuck(g, due)
	switch {
	case g.stuck:
		s.plan.reserve(s, g)
		g.booked = 0
		if b := s.plan.of(g); b != nil && !b.kept {
			g.booked = b.from
		}
	case s.promises.head(s, g):
		s.plan.reserve(s, g)
	case g.promised || len(s.promises.list) > Reserved:
		// Its promise, or the many before it, stand for it.
	default:
		s.plan.reserve(s, g)
	}
}

// setStuck notes whether g should have started and found no nodes. Then it is
// left out of the plan, and others may have their turn.
func (s *Scheduler) setStuck(g *member, stuck bool) {
	s.moved = s.moved || stuck && !g.stuck
	g.stuck = stuck
}

// start grants g, or an element of it, the nodes that were chosen.
func (s *Scheduler) start(g *member, w *queue.Walk, c place.Choice, r *Result) {
	if s.promises.on && len(s.promises.dead) > 0 {
		s.moved = true // whom a promise held back may start now that its owner has
	}
	s.leaveLine(g, w)
	s.moved = s.moved || g == s.promises.halt // those behind it may be promised a start now
	s.displacing = slices.DeleteFunc(s.displacing, func(d displacement) bool { return d.by == g })
	s.plan.unkeep(g)
	if g.array != nil {
		n, _ := s.nextElement(g)
		g = s.take(g, n)
	}
	s.grant(g, c, r)
}

// grant gives g, which is in line no more and charged, the nodes that were chosen.
func (s *Scheduler) grant(g *member, c place.Choice, r *Result) {
	s.promises.started(g)
	s.lease++
	g.lease, g.phase = s.lease, starting
	g.counted, g.isCharged = g.ask.need, true // leaveLine has
	s.occupy(g, c)
	s.plan.started(s, g)
	s.setDue(g, s.now+g.StartTimeout)
	act := Grant{Gang: g.Gang, Lease: g.lease, Nodes: s.ids(c.Nodes)}
	act.Roles = append(act.Roles, g.roles...)
	r.Actions = append(r.Actions, act)
}
