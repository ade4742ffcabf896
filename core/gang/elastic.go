package gang

import (
	"fmt"
	"slices"

	"github.com/capstan-run/capstan/core/place"
)

// shrinking is ranks that an elastic gang was asked to do without.
type shrinking struct {
	ranks []int
	until int64
}

// least and most are the sizes between which an elastic gang may move.
func (g *member) leastSize() int { return orElse(g.Min, g.Size) }
func (g *member) mostSize() int  { return orElse(g.Max, g.Size) }

// size is how many living ranks g has.
func (g *member) size() int {
	n := 0
	for _, lost := range g.lost {
		if !lost {
			n++
		}
	}
	return n
}

// grow gives running elastic gangs more ranks, oldest first, of what nobody in
// line has a claim to.
func (s *Scheduler) grow(r *Result) {
	if s.plan.shut {
		return
	}
	for _, g := range s.elastic {
		if g.phase != running || g.shrink != nil || len(g.nodes) >= g.target {
			continue
		}
		q := g.ask.Claim
		role := q.Roles[0]
		role.Min, role.Size = 1, g.target-len(g.nodes)
		q.Roles = []place.RoleAsk{role}
		q.Beside, q.Avoid, q.Job = g.living(), g.avoid, s.beside(g)
		q.Limit = s.plan.limits(s, s.now, orForever(g.wallEnd()), nil)
		c, ok := s.fleet.Choose(&q)
		if !ok {
			continue
		}
		first := len(g.nodes)
		g.nodes = append(g.nodes, c.Nodes...)
		g.lost = append(g.lost, make([]bool, len(c.Nodes))...)
		for i, n := range c.Nodes {
			s.fleet.Take(n, g.shape(first+i), 1)
		}
		s.settle(g)
		r.Actions = append(r.Actions, Grow{Gang: g.Gang, Lease: g.lease, First: first, Nodes: s.ids(c.Nodes)})
	}
}

func orForever(at int64) int64 {
	if at == 0 {
		return forever
	}
	return at
}

func (s *Scheduler) resize(e Resize, r *Result) {
	g := s.gangs[e.Gang]
	if g == nil || !g.elastic() {
		return
	}
	g.target = min(max(e.Size, g.leastSize()), g.mostSize())
	s.moved = true
	if g.phase == running && g.target < len(g.nodes) {
		s.shrinkTo(g, g.target, fmt.Sprintf("it was asked to go on with %d", g.target), r)
	}
}

// shrinkTo gives a running gang notice that it loses its last ranks.
func (s *Scheduler) shrinkTo(g *member, size int, reason string, r *Result) {
	if g.shrink != nil {
		return
	}
	v := &shrinking{until: s.now + g.Grace}
	for rank := size; rank < len(g.nodes); rank++ {
		v.ranks = append(v.ranks, rank)
	}
	g.shrink = v
	s.setDue(g, earlier(v.until, g.wallEnd()))
	r.Actions = append(r.Actions, Shrink{g.Gang, g.lease, slices.Clone(v.ranks), v.until, reason})
}

// earlier is the earlier of two times of which 0 is never.
func earlier(a, b int64) int64 {
	if b == 0 || a != 0 && a < b {
		return a
	}
	return b
}

func (s *Scheduler) shrunk(e Shrunk) {
	g := s.gangs[e.Gang]
	if g == nil || g.shrink == nil {
		return
	}
	for _, rank := range e.Ranks {
		if i := slices.Index(g.shrink.ranks, rank); i >= 0 {
			g.shrink.ranks = slices.Delete(g.shrink.ranks, i, i+1)
			s.dropRepair(g, rank)
			s.lose(g, rank)
		}
	}
	if len(g.shrink.ranks) == 0 {
		s.endShrink(g)
	}
}

// endShrink forgets ranks at the end that are gone.
func (s *Scheduler) endShrink(g *member) {
	n := len(g.nodes)
	for n > 0 && g.lost[n-1] {
		n--
		s.dropRepair(g, n)
	}
	g.nodes, g.lost, g.shrink = g.nodes[:n], g.lost[:n], nil
	s.setDue(g, g.wallEnd())
}

// shrinkOver takes the ranks whose notice is over.
func (s *Scheduler) shrinkOver(g *member, r *Result) {
	if s.now < g.shrink.until { // it was the walltime
		g.shrink, g.phase = nil, expired
		r.Actions = append(r.Actions, Expire{g.Gang, g.lease})
		return
	}
	byNode := map[place.Ref][]int{}
	var nodes []place.Ref
	for _, rank := range g.shrink.ranks {
		n := g.nodes[rank]
		if byNode[n] == nil {
			nodes = append(nodes, n)
		}
		byNode[n] = append(byNode[n], rank)
		s.lose(g, rank)
	}
	for _, n := range nodes {
		r.Actions = append(r.Actions, Lost{g.Gang, g.lease, byNode[n], s.fleet.ID(n)})
	}
	s.endShrink(g)
}
