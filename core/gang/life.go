package gang

import (
	"fmt"
	"slices"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/place"
	"github.com/capstan-run/capstan/core/queue"
)

// submit lets a gang wait, or refuses it (law G8).
func (s *Scheduler) submit(q Request, r *Result) {
	if s.gangs[q.Gang] != nil {
		return
	}
	if why := q.fault(); why != "" {
		r.Actions = append(r.Actions, Refuse{Gang: q.Gang, Kind: core.Invalid, Why: why})
		return
	}
	ever := q.ask()
	ever.View = place.Ever
	if nodes := s.fleet.nodes(); s.fleet.described() && !place.Fits(nodes, ever) {
		r.Actions = append(r.Actions, tooLarge(q, nodes, ever))
		return
	}
	g := s.admit(q)
	s.line.Add(g.entry())
}

// admit makes q known, as waiting.
func (s *Scheduler) admit(q Request) *member {
	if q.StartTimeout == 0 {
		q.StartTimeout = s.config.StartTimeout
	}
	s.arrival++
	g := &member{Request: q, phase: waiting, arrival: s.arrival}
	s.gangs[q.Gang] = g
	return g
}

// entry is the gang's place in the line while it waits.
func (g *member) entry() queue.Entry { return g.repair(queue.Whole) }

// repair is the place in the line of one of the gang's ranks.
func (g *member) repair(rank int) queue.Entry {
	return queue.Entry{Gang: string(g.Gang), Rank: rank, Priority: g.Priority, Arrival: g.arrival}
}

func (s *Scheduler) cancel(e Cancel, r *Result) {
	g := s.gangs[e.Gang]
	if g == nil {
		return
	}
	if g.phase != waiting {
		reason := e.Reason
		if reason == "" {
			reason = "cancelled"
		}
		r.Actions = append(r.Actions, Revoke{g.Gang, g.lease, reason})
	}
	s.forget(g)
}

func (s *Scheduler) release(id ID) {
	if g := s.gangs[id]; g != nil {
		s.forget(g)
	}
}

// forget drops a gang in any phase.
func (s *Scheduler) forget(g *member) {
	s.vacate(g)
	s.remove(g.entry())
	delete(s.gangs, g.Gang)
}

// vacate frees all that g holds and ends its repairs.
func (s *Scheduler) vacate(g *member) {
	for rank, id := range g.nodes {
		if g.lost[rank] {
			s.remove(g.repair(rank))
		} else {
			s.fleet.give(id, g.Each)
		}
	}
	s.moved = true
	s.setDue(g, 0)
	g.nodes, g.lost, g.joined, g.lease, g.since = nil, nil, nil, 0, 0
}

// remove takes an entry out of the line. Those behind it may move up.
func (s *Scheduler) remove(e queue.Entry) {
	if s.line.Remove(e) {
		s.moved = true
	}
}

func (s *Scheduler) setDue(g *member, at int64) {
	if g.due != 0 {
		s.dues.remove(due{g.due, g.Gang})
	}
	if g.due = at; at != 0 {
		s.dues.add(due{at, g.Gang})
	}
}

func (s *Scheduler) started(e Started) {
	g := s.gangs[e.Gang]
	if g == nil || g.phase != starting || g.lease != e.Lease {
		return
	}
	g.phase, g.since, g.revokes, g.avoid = running, s.now, 0, nil
	s.setDue(g, g.wallEnd())
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
	if e.Node != "" {
		g.shun(e.Node)
	}
	g.revokes++
	s.revoke(g, e.Reason, r)
	return e.Gang
}

// shun makes the gang's next placement avoid nodes if it can.
func (g *member) shun(nodes ...core.NodeID) {
	for _, id := range nodes {
		if !slices.Contains(g.avoid, id) {
			g.avoid = append(g.avoid, id)
		}
	}
}

// revoke takes back what a starting gang holds. It waits again, or is refused
// if too many starts in a row came to nothing.
func (s *Scheduler) revoke(g *member, reason string, r *Result) {
	r.Actions = append(r.Actions, Revoke{g.Gang, g.lease, reason})
	s.vacate(g)
	g.phase = waiting
	if g.revokes < s.config.Revokes {
		s.line.Add(g.entry())
		return
	}
	r.Actions = append(r.Actions, Refuse{
		Gang:   g.Gang,
		Kind:   core.Failed,
		Why:    fmt.Sprintf("%d starts in a row came to nothing; the last: %s", g.revokes, reason),
		Remedy: "look at the executors' last output, or allow a longer gang.startTimeout",
	})
	s.forget(g)
}

// expire does what has become due.
func (s *Scheduler) expire(r *Result) {
	for len(s.dues) > 0 && s.dues[0].at <= s.now {
		g := s.gangs[s.dues[0].gang]
		if g.phase == starting {
			g.revokes++
			reason := fmt.Sprintf("not all executors joined within %s", millis(g.StartTimeout))
			if nodes, ranks := g.late(); len(nodes) > 0 {
				reason += fmt.Sprintf(": %d of %d did not, on %v", ranks, g.Size, nodes)
				g.shun(nodes...)
			}
			s.revoke(g, reason, r)
			continue
		}
		s.setDue(g, 0)
		g.phase = expired
		r.Actions = append(r.Actions, Expire{g.Gang, g.lease})
	}
}

func (s *Scheduler) adopt(e Adopt) {
	q := e.Request
	if s.gangs[q.Gang] != nil || q.fault() != "" || len(e.Placement) != q.Size {
		return
	}
	g := s.admit(q)
	g.lease, g.phase = e.Lease, starting
	s.lease = max(s.lease, e.Lease)
	g.nodes, g.lost = slices.Clone(e.Placement), make([]bool, q.Size)
	for _, rank := range e.Lost {
		if rank >= 0 && rank < q.Size {
			g.lost[rank] = true
		}
	}
	for rank, id := range g.nodes {
		if !g.lost[rank] {
			s.fleet.take(id, g.Each)
		}
	}
	if e.Since <= 0 {
		s.setDue(g, s.now+g.StartTimeout)
		return
	}
	g.phase, g.since = running, e.Since
	s.setDue(g, g.wallEnd())
}
