package gang

import (
	"fmt"
	"slices"
	"sort"

	"github.com/capstan-run/capstan/core/place"
	"github.com/capstan-run/capstan/core/queue"
)

// shrinking is the last ranks of an elastic gang, which it was asked to do
// without. Until they are gone, or the notice is over, it has no others.
type shrinking struct {
	size  int // that is left
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
		more := s.mayGrow(g)
		if more == 0 {
			continue
		}
		q := g.ask.Claim
		role := q.Roles[0]
		role.Min, role.Size = 1, more
		q.Roles = []place.RoleAsk{role}
		q.Beside, q.Avoid, q.Job = g.living(), g.avoid, s.beside(g)
		q.Limit = s.plan.limits(s, s.now, orForever(g.wallEnd()), g)
		c, ok := s.fleet.Choose(&q)
		if !ok {
			continue
		}
		first := len(g.nodes)
		s.promises.supply.keep(c.Nodes)
		g.nodes, g.laid = append(g.nodes, c.Nodes...), nil
		g.lost = append(g.lost, make([]bool, len(c.Nodes))...)
		for i, n := range c.Nodes {
			s.fleet.Take(n, g.shape(first+i), 1)
		}
		s.settle(g)
		r.Actions = append(r.Actions, Grow{Gang: g.Gang, Lease: g.lease, First: first, Nodes: s.ids(c.Nodes)})
	}
}

// mayGrow is how many more ranks g may have, up to its target, without getting
// beyond what its queue may use. One gang more it is not.
func (s *Scheduler) mayGrow(g *member) int {
	c := g.charged()
	each := s.fleet.Amount(g.ask.Roles[0].Shape)
	return sort.Search(g.target-len(g.nodes), func(n int) bool {
		c.Need = each.Times(int64(n) + 1)
		return slices.ContainsFunc(s.tree.Admits(c), func(r queue.Reason) bool { return r.Resource >= 0 })
	})
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
	s.shrinkToTarget(g, r)
}

// shrinkToTarget gives notice to the ranks that a running gang has beyond the
// size it was asked to have.
func (s *Scheduler) shrinkToTarget(g *member, r *Result) {
	if g.phase == running && g.target < len(g.nodes) {
		s.shrinkTo(g, g.target, fmt.Sprintf("it was asked to go on with %d", g.target), r)
	}
}

// shrinkTo gives a running gang notice that it loses its last ranks.
func (s *Scheduler) shrinkTo(g *member, size int, reason string, r *Result) {
	if g.shrink != nil {
		return
	}
	g.shrink = &shrinking{size: size, until: s.now + max(0, g.Grace)}
	var ranks []int
	for rank := size; rank < len(g.nodes); rank++ {
		ranks = append(ranks, rank)
		s.dropRepair(g, rank)
	}
	s.setDue(g, earlier(g.shrink.until, g.wallEnd()))
	r.Actions = append(r.Actions, Shrink{g.Gang, g.lease, ranks, g.shrink.until, reason})
	s.endIfShrunk(g, r)
}

// leaves reports whether a rank of g is under notice.
func (g *member) leaves(rank int) bool { return g.shrink != nil && rank >= g.shrink.size }

// earlier is the earlier of two times of which 0 is never.
func earlier(a, b int64) int64 {
	if b == 0 || a != 0 && a < b {
		return a
	}
	return b
}

func (s *Scheduler) shrunk(e Shrunk, r *Result) {
	g := s.gangs[e.Gang]
	if g == nil || !g.under(e.Lease) || g.shrink == nil {
		return
	}
	for _, rank := range e.Ranks {
		if g.leaves(rank) && rank < len(g.nodes) {
			s.lose(g, rank)
		}
	}
	s.endIfShrunk(g, r)
}

// endIfShrunk ends g's notice if the ranks that have it are gone, however they
// went.
func (s *Scheduler) endIfShrunk(g *member, r *Result) {
	if g.shrink != nil && !slices.Contains(g.lost[g.shrink.size:], false) {
		s.endShrink(g, r)
	}
}

// endShrink forgets the ranks that are gone. Holes among the others stay.
func (s *Scheduler) endShrink(g *member, r *Result) {
	n := g.shrink.size
	g.nodes, g.lost, g.laid, g.shrink = g.nodes[:n], g.lost[:n], nil, nil
	s.granted.version++
	s.moved = true
	s.setDue(g, g.wallEnd())
	s.shrinkToTarget(g, r)
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
	for rank := g.shrink.size; rank < len(g.nodes); rank++ {
		n := g.nodes[rank]
		if g.lost[rank] {
			continue
		}
		if byNode[n] == nil {
			nodes = append(nodes, n)
		}
		byNode[n] = append(byNode[n], rank)
		s.lose(g, rank)
	}
	for _, n := range nodes {
		r.Actions = append(r.Actions, Lost{g.Gang, g.lease, byNode[n], s.fleet.ID(n)})
	}
	s.endShrink(g, r)
}
