package gang

import (
	"fmt"
	"slices"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/place"
)

// submit lets a gang wait, or refuses it (law G8).
func (s *Scheduler) submit(e *Submit, r *Result) {
	q := &e.Request
	if s.gangs[q.Gang] != nil {
		return
	}
	a, refuse, no := s.check(q)
	if no && (!e.Again || refuse.Kind == core.Invalid || s.nameable(q) != nil) {
		r.Actions = append(r.Actions, refuse)
		delete(s.early, q.Gang)
		return
	}
	g := s.admit(q, a)
	if s.startAtOnce(g, r) {
		return
	}
	s.await(g)
	g.phase = held
	s.recheck(g)
}

// record is a member, its request and, if it is the first of its job, the job in
// one piece of memory: what lives together is found together, by the garbage
// collector, too.
type record struct {
	member
	request Request
	own     job
}

// admit makes a gang known that requests asked, as waiting. It has been checked. a
// is what it asks, nil if that was not looked up.
func (s *Scheduler) admit(asked *Request, a *ask) *member {
	made := &record{request: *asked}
	q := &made.request
	if q.StartTimeout == 0 {
		q.StartTimeout = s.config.StartTimeout
	}
	if q.Grace == 0 {
		q.Grace = s.config.Grace
	}
	if a == nil {
		var err error
		if a, err = s.asks.of(q, s.fleet); err != nil {
			panic("gang: a request that was checked: " + err.Error())
		}
	}
	if s.asks.outdated {
		s.retag()
	}
	s.number++
	q.Arrival = orElse(min(q.Arrival, s.number), s.number)
	j := s.jobs[q.Job]
	if j == nil {
		j = &made.own
		j.id, s.jobs[q.Job] = q.Job, j
	}
	g := &made.member
	g.Request, g.Gang, g.job, g.number, g.phase, g.ask, g.target, g.queue = q, q.Gang, j, s.number, waiting, a, q.Size, s.queueOf(q)
	s.gangs[q.Gang] = g
	j.ended, j.known, j.forgotten = Unsaid, true, false
	if q.Array != nil {
		g.array = newArray(q)
		s.asides.add(g)
		s.asides.addJob(j)
		j.arrays = append(j.arrays, g.array)
		s.claimElements(g)
		if e, ok := s.early[q.Gang]; ok {
			delete(s.early, q.Gang)
			s.endElements(g, e)
			s.reconsider(j)
		}
	}
	return g
}

func (s *Scheduler) cancel(e Cancel, r *Result) {
	g := s.gangs[e.Gang]
	if g == nil {
		s.cancelElement(e.Gang)
		return
	}
	reason := e.Reason
	if reason == "" {
		reason = "cancelled"
	}
	for _, v := range s.elements(g) {
		r.Actions = append(r.Actions, Revoke{v.Gang, v.lease, reason})
		s.forget(v)
	}
	if g.lease != 0 {
		r.Actions = append(r.Actions, Revoke{g.Gang, g.lease, reason})
	}
	s.end(g, Failed)
}

// end forgets a gang, and tells its array how it ended.
func (s *Scheduler) end(g *member, how Ending) {
	whole := g.whole
	s.forget(g)
	if whole != nil {
		s.elementEnded(g, how)
	}
}

// elements is the members of an array that hold nodes, by number.
func (s *Scheduler) elements(g *member) []*member {
	if g.array == nil {
		return nil
	}
	var out []*member
	for _, v := range s.jobOf(g).gangs {
		if v.whole == g {
			out = append(out, v)
		}
	}
	slices.SortFunc(out, byNumber)
	return out
}

func (s *Scheduler) release(e Release) {
	g := s.gangs[e.Gang]
	if g == nil || !g.under(e.Lease) {
		return
	}
	for _, v := range s.elements(g) {
		s.forget(v)
	}
	s.end(g, e.Ended)
}

// forget drops a gang in any phase.
func (s *Scheduler) forget(g *member) {
	s.vacate(g)
	s.outOfLine(g)
	s.unawait(g)
	s.unname(g)
	s.gotThrough(g)
}

// unname forgets who is called as g is.
func (s *Scheduler) unname(g *member) {
	g.gone = true
	delete(s.gangs, g.Gang)
	s.asides.remove(g)
}

// vacate frees all that g holds and ends its repairs.
func (s *Scheduler) vacate(g *member) {
	s.setDue(g, 0)
	if g.nodes == nil {
		return
	}
	for rank, lost := range g.lost {
		if lost {
			s.dropRepair(g, rank)
		}
	}
	g.giveAll(s.fleet)
	s.returnLicences(g)
	s.discharge(g)
	s.granted.remove(g)
	g.job.remove(g)
	s.dropJob(g.job)
	if g.elastic() {
		s.elastic = slices.DeleteFunc(s.elastic, func(v *member) bool { return v == g })
	}
	s.moved = true
	g.nodes, g.roles, g.lost, g.laid, g.joined, g.lease, g.since, g.shrink = nil, nil, nil, nil, nil, 0, 0, nil
}

// occupy gives g the nodes that were chosen for it.
func (s *Scheduler) occupy(g *member, c place.Choice) {
	g.nodes, g.lost, g.laid = c.Nodes, make([]bool, len(c.Nodes)), nil
	if len(g.ask.Roles) > 1 {
		g.roles = make([]int, 0, len(c.Nodes))
		for role, n := range c.Counts {
			for range n {
				g.roles = append(g.roles, role)
			}
		}
	}
	s.promises.supply.keep(g.nodes)
	g.takeAll(s.fleet)
	s.takeLicences(g)
	s.settle(g)
	s.granted.add(g)
	s.jobOf(g).add(g)
	if g.elastic() {
		s.elastic = append(s.elastic, g)
	}
}

// give returns one rank's share of a node.
func (s *Scheduler) give(g *member, rank int, n place.Ref) {
	s.fleet.Give(n, g.shape(rank), 1)
	s.moved = true
}

func (g *member) role(rank int) int {
	if g.roles == nil {
		return 0
	}
	return g.roles[rank]
}

func (g *member) shape(rank int) place.ShapeID { return g.ask.Roles[g.role(rank)].Shape }

func (s *Scheduler) setDue(g *member, at int64) {
	g.due = at
	s.dues.set(g, at)
}

func (s *Scheduler) started(e Started, r *Result) {
	g := s.gangs[e.Gang]
	if g == nil || g.phase != starting || g.lease != e.Lease {
		return
	}
	for _, n := range g.nodes {
		s.wellStarted(n)
	}
	g.phase, g.since, g.revokes, g.avoid, g.joined = running, s.now, 0, nil, nil
	s.granted.version++ // it can be displaced, and grow
	s.setDue(g, g.wallEnd())
	if g.whole != nil {
		g.whole.revokes = 0
	}
	if g.elastic() {
		s.moved = s.moved || len(g.nodes) < g.target
		s.shrinkToTarget(g, r)
	}
}

// wallEnd is when the walltime of a gang that has started is over; 0 for never.
func (g *member) wallEnd() int64 {
	if g.Walltime == 0 {
		return 0
	}
	return g.since + g.Walltime
}

func (s *Scheduler) startFailed(e StartFailed, r *Result) ID {
	g := s.gangs[e.Gang]
	if g == nil || g.phase != starting || g.lease != e.Lease {
		return ""
	}
	if n, ok := s.fleet.Ref(e.Node); ok && e.Node != "" {
		g.shun(n)
		s.strike(n, e.Reason)
	}
	g.revokes++
	return s.revoke(g, e.Reason, r)
}

// shun makes the gang's next placement avoid nodes if it can.
func (g *member) shun(nodes ...place.Ref) {
	for _, n := range nodes {
		if !slices.Contains(g.avoid, n) {
			g.avoid = append(g.avoid, n)
		}
	}
}

// revoke takes back what a gang holds. It waits again, or is refused if too
// many starts in a row came to nothing. It answers the gang that waits now.
func (s *Scheduler) revoke(g *member, reason string, r *Result) ID {
	r.Actions = append(r.Actions, Revoke{g.Gang, g.lease, reason})
	s.vacate(g)
	g.phase, g.promise = waiting, 0
	_, _, element := ElementOf(g.Gang)
	switch last := g.lastStart(); {
	case last != 0 && s.now > last && !element: // of an element that is its array's to see
		r.Actions = append(r.Actions, tooLate(g.Request))
		s.forget(g)
	case g.revokes >= s.config.Revokes:
		s.refuseStarts(g, reason, r)
	case g.whole != nil:
		s.elementBack(g)
		return g.whole.Gang
	case element:
		s.forget(g) // it was adopted, and its array comes with it among those that wait
	default:
		s.lineUp(g)
		return g.Gang
	}
	return ""
}

// refuseStarts gives up a gang of which too many starts in a row came to nothing.
func (s *Scheduler) refuseStarts(g *member, reason string, r *Result) {
	r.Actions = append(r.Actions, Refuse{
		Gang:   g.Gang,
		Kind:   core.Failed,
		Why:    fmt.Sprintf("%d starts in a row came to nothing; the last: %s", g.revokes, reason),
		Remedy: "look at the executors' last output, or allow a longer gang.startTimeout",
	})
	if g.whole != nil {
		g.whole.revokes = 0
	}
	s.end(g, Failed)
}

// expiring reports whether something has become due.
func (s *Scheduler) expiring() bool {
	return len(s.dues) > 0 && s.dues[0].at <= s.now || len(s.wakes) > 0 && s.wakes.next() <= s.now
}

// expire does what has become due.
func (s *Scheduler) expire(r *Result) {
	for len(s.dues) > 0 && s.dues[0].at <= s.now {
		g := s.dues[0].gang
		s.setDue(g, 0)
		switch g.phase {
		case held, waiting:
			s.recheck(g)
		case starting:
			s.startOver(g, r)
		case leaving:
			s.revoke(g, "its notice is over", r)
		case running:
			if g.shrink != nil {
				s.shrinkOver(g, r)
				continue
			}
			g.phase = expired
			r.Actions = append(r.Actions, Expire{g.Gang, g.lease})
		}
	}
	for s.wakes.due(s.now) {
		s.moved = true
	}
}

func (s *Scheduler) startOver(g *member, r *Result) {
	g.revokes++
	reason := fmt.Sprintf("not all executors joined within %s", millis(g.StartTimeout))
	if nodes, ranks := g.late(); len(nodes) > 0 {
		reason += fmt.Sprintf(": %d of %d did not, on %v", ranks, len(g.nodes), s.ids(nodes))
		g.shun(nodes...)
		for _, n := range nodes {
			s.strike(n, reason)
		}
	}
	s.revoke(g, reason, r)
}

// lastStart is the latest start with which g can end by its deadline; 0 for none.
func (g *member) lastStart() int64 {
	if g.When.Deadline == 0 {
		return 0
	}
	return g.When.Deadline - g.Walltime
}

func tooLate(q *Request) Refuse {
	return Refuse{Gang: q.Gang, Kind: core.TimedOut,
		Why:    fmt.Sprintf("it did not start in time to end by its deadline, with a walltime of %s", millis(q.Walltime)),
		Remedy: "set a later deadline or a shorter walltime"}
}
