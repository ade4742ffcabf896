package gang

import (
	"github.com/capstan-run/capstan/core/place"
)

func (s *Scheduler) adopt(e Adopt) {
	q := e.Request
	if s.gangs[q.Gang] != nil || len(e.Placement) == 0 || q.malformed() != "" {
		return
	}
	if len(q.Roles) == 0 && len(e.Placement) != q.Size && q.Min == 0 && q.Max == 0 {
		return
	}
	a, err := s.asks.of(&q, s.fleet)
	if err != nil {
		return
	}
	g := s.admit(&q, a)
	s.awaitTurn(g)
	g.target = max(g.target, len(e.Placement))
	g.lease, g.phase = e.Lease, starting
	s.lease = max(s.lease, e.Lease)
	counts := make([]int, len(g.ask.Roles))
	counts[0] = len(e.Placement)
	c := place.Choice{Counts: counts}
	for _, id := range e.Placement {
		c.Nodes = append(c.Nodes, s.expect(id))
	}
	s.occupy(g, c)
	if len(e.Roles) == len(c.Nodes) && g.roles != nil {
		s.rename(g, e.Roles)
	}
	if whole, _, ok := ElementOf(g.Gang); ok && s.gangs[whole] != nil && s.gangs[whole].array != nil {
		s.claimElements(s.gangs[whole])
		s.recheck(s.gangs[whole])
	}
	for _, rank := range e.Lost {
		if rank >= 0 && rank < len(g.nodes) {
			s.lose(g, rank)
		}
	}
	if e.Since <= 0 {
		s.setDue(g, s.now+g.StartTimeout)
		return
	}
	g.phase, g.since = running, e.Since
	s.setDue(g, g.wallEnd())
}

// rename gives the ranks of an adopted gang their roles.
func (s *Scheduler) rename(g *member, roles []int) {
	g.giveAll(s.fleet)
	g.laid = nil
	for rank, role := range roles {
		if role >= 0 && role < len(g.ask.Roles) {
			g.roles[rank] = role
		}
	}
	g.takeAll(s.fleet)
	s.settle(g)
}
