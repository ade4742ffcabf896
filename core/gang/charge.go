package gang

import (
	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/place"
	"github.com/capstan-run/capstan/core/queue"
)

// queueOf is the queue that serves q.
func (s *Scheduler) queueOf(q *Request) string {
	name, err := s.tree.Resolve(q.Queue)
	if err != nil {
		return q.Queue // adopted from a time with other queues
	}
	return name
}

// charged is what g's queue is charged for it.
func (g *member) charged() queue.Claim {
	return queue.Claim{ID: g.number, Queue: g.queue, User: g.User, Need: g.counted}
}

// settle charges g's queue for what g holds now.
func (s *Scheduler) settle(g *member) {
	v := s.amount(g, 0, len(g.nodes))
	s.busy = s.busy.Add(v).Sub(g.holding)
	g.holding = v
	switch {
	case !g.isCharged:
		g.counted, g.isCharged = v, true
		_ = s.tree.Charge(g.charged()) // of a queue that is gone nobody keeps count
	case v != g.counted:
		s.tree.Resize(g.charged(), v.Sub(g.counted))
		g.counted = v
	}
}

// amount is what the living ranks of g from one to before another hold.
func (s *Scheduler) amount(g *member, from, to int) core.Vector {
	var v core.Vector
	g.runs(from, to, func(_ place.Ref, shape place.ShapeID, ranks int) {
		v = v.Add(s.fleet.Amount(shape).Times(int64(ranks)))
	})
	return v
}

// discharge ends what g's queue is charged for it.
func (s *Scheduler) discharge(g *member) {
	s.busy = s.busy.Sub(g.holding)
	g.holding = core.Vector{}
	if g.isCharged {
		s.tree.Refund(g.charged())
		g.counted, g.isCharged = core.Vector{}, false
	}
}

// guarded is c with an age from which a gang goes first. Without one of the
// user's it is never reached; gangs that were passed too often count as of it.
func guarded(c queue.Config) queue.Config {
	c.Guard = orElse(c.Guard, forever/4)
	return c
}

// configure replaces the queues. What runs or waits in a queue that is gone
// keeps the old ones in force.
func (s *Scheduler) configure(e Configure) {
	if s.CheckConfigure(e.Queues) == nil && s.tree.Configure(guarded(e.Queues), s.fleet.Kinds()) == nil {
		s.config.Queues = e.Queues
		s.moved = true
	}
}

// CheckConfigure reports whether queues could take the place of those in force:
// nothing may wait or run in one that would be gone. The error is a *core.Error.
func (s *Scheduler) CheckConfigure(c queue.Config) error {
	names := s.fleet.Kinds().Clone() // to ask gives no resource a name
	return s.tree.Clone().Configure(guarded(c), &names)
}

// Shares is a row for each queue: see queue.Tree.Shares.
func (s *Scheduler) Shares() []queue.Share { return s.tree.Shares() }

// Amounts is v by the names of its resources, without those that are 0.
func (s *Scheduler) Amounts(v core.Vector) queue.Amounts {
	kinds, out := s.fleet.Kinds(), queue.Amounts{}
	for i := range kinds.Len() {
		if v[i] != 0 {
			out[kinds.Name(i)] = v[i]
		}
	}
	return out
}

// Resource is the name of element i of a vector.
func (s *Scheduler) Resource(i int) string { return s.fleet.Kinds().Name(i) }
