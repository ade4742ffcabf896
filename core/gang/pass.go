package gang

import (
	"math"
	"slices"

	"github.com/capstan-run/capstan/core"
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

// mend serves the repairs, in order. One that waits for room keeps the nodes it
// could have from the gangs behind it.
func (s *Scheduler) mend(r *Result) {
	for i := 0; i < len(s.repairs); {
		v := s.repairs[i]
		q := s.repairAsk(v)
		c, ok := s.fleet.Choose(&q)
		if !ok {
			s.plan.pin(s, nil, &q)
			i++
			continue
		}
		s.repairs = append(s.repairs[:i], s.repairs[i+1:]...)
		g := v.gang
		s.promises.supply.keep(c.Nodes)
		g.nodes[v.rank], g.lost[v.rank], g.laid = c.Nodes[0], false, nil
		s.fleet.Take(c.Nodes[0], g.shape(v.rank), 1)
		s.settle(g)
		r.Actions = append(r.Actions, Replace{g.Gang, g.lease, v.rank, s.fleet.ID(c.Nodes[0])})
	}
}

// repairAsk asks for one rank of a gang, beside the others.
func (s *Scheduler) repairAsk(v repair) place.Claim {
	role := v.gang.ask.Roles[v.gang.role(v.rank)]
	role.Min, role.Size = 1, 1
	q := v.gang.ask.Claim
	q.Roles = []place.RoleAsk{role}
	q.Beside, q.Avoid = v.gang.living(), v.gang.avoid
	q.Job = s.beside(v.gang)
	return q
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

// walk offers room to the gangs in line.
func (s *Scheduler) walk(r *Result) {
	w := s.tree.Walk(s.now)
	defer func() { s.effort += walkCost * w.Seen() }()
	for tried := 0; tried < s.config.Depth && !s.plan.shut; {
		e, ok := w.Next()
		if !ok {
			return
		}
		g := s.byNumber[e.ID]
		before := len(s.plan.booked)
		switch {
		case s.serve(g, w, r):
		case len(s.plan.booked) > before:
			w.Pass() // its like may get a reservation, too
			tried++
		default:
			w.Skip()
			tried++
		}
	}
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

// leaveLine takes g, or one element of it, out of line, and charges its queue.
func (s *Scheduler) leaveLine(g *member, w *queue.Walk) {
	if w != nil {
		w.Granted()
	} else {
		s.tree.Grant(g.number)
	}
	g.count--
	s.promises.leave(g)
	if g.inLine = g.count > 0; g.inLine {
		s.promises.join(g) // for its next element
	} else {
		delete(s.byNumber, g.number)
	}
}

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

// forever is the end of what has no walltime.
const forever = math.MaxInt64

// endIf is when g ends at the latest if it is granted at a time.
func (g *member) endIf(at int64) int64 {
	if g.Walltime == 0 {
		return forever
	}
	return at + g.StartTimeout + g.Walltime
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

// wants is what g asks of its queue.
func (g *member) wants() queue.Claim {
	return queue.Claim{ID: g.number, Queue: g.queue, User: g.User, Need: g.ask.need}
}

// claim is g's place in the line.
func (s *Scheduler) claim(g *member) queue.Claim {
	since := g.arrived
	if g.aged {
		since = 1 - forever
	}
	return queue.Claim{
		ID: g.number, Queue: g.queue, User: g.User, Priority: g.Priority, Arrival: g.Arrival, Since: since,
		Need: g.ask.need, Class: g.likeness(), Hint: g.Predicted, Count: g.count,
		Work: g.ask.need[0] * orElse(g.Walltime, 24*3600_000),
	}
}

// lineUp puts g into line, if it may run, or as many of its elements as may.
func (s *Scheduler) lineUp(g *member) {
	if g.phase != held && g.phase != waiting {
		return
	}
	g.phase = waiting
	count := 1
	if g.array != nil {
		count = s.elementsReady(g)
	}
	if g.inLine && count == g.count {
		return
	}
	if count == 0 {
		s.outOfLine(g)
		return
	}
	fresh := !g.inLine
	if g.inLine {
		s.tree.Remove(g.number)
	}
	g.count, g.inLine = count, true
	if g.arrived == 0 {
		g.arrived = s.now
	}
	if g.class == 0 {
		g.class = g.classNumber()
	}
	if err := s.tree.Add(s.claim(g)); err != nil {
		panic("gang: put into line what was checked: " + err.Error())
	}
	s.promises.join(g)
	if fresh {
		s.byNumber[g.number] = g
		s.fresh = append(s.fresh, g)
		s.expectChange(g)
	}
}

// expectChange sees to it that g is looked at again when it may begin, when its
// deadline passes, and when it may give up levels of its placement.
func (s *Scheduler) expectChange(g *member) {
	var at int64
	if last := g.lastStart(); last != 0 {
		at = last + 1
	}
	if begin := g.When.Begin; begin > s.now {
		at = earlier(begin, at)
	}
	s.setDue(g, at)
	if p := g.Placement; g.inLine && p.Preferred && p.Wait > 0 {
		for k := int64(1); k <= levels; k++ {
			s.wakes.add(g.arrived + k*wait(p))
		}
	}
}

// outOfLine takes g out of line.
func (s *Scheduler) outOfLine(g *member) {
	if g.inLine {
		g.inLine, g.count = false, 0
		s.tree.Remove(g.number)
		delete(s.byNumber, g.number)
		s.promises.leave(g)
		s.moved = true
	}
}

// levels is more levels than a preferred placement can give up.
const levels = 5
