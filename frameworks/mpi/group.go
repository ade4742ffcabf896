package mpi

import (
	"slices"

	"github.com/capstan-run/capstan/core"
)

// Group is some ranks of the world in an order. It does not change.
type Group struct {
	ranks []int // of the world
	me    int   // of the world
}

// Group is the group of c's ranks.
func (c *Comm) Group() *Group {
	g := &Group{me: c.worldRank(c.rank)}
	for r := range c.size {
		g.ranks = append(g.ranks, c.worldRank(r))
	}
	return g
}

// Size is the number of ranks.
func (g *Group) Size() int { return len(g.ranks) }

// Rank is this rank's number in the group, [Undefined] if it is not in it.
func (g *Group) Rank() int { return slices.Index(g.ranks, g.me) }

func (g *Group) of(ranks []int) *Group { return &Group{ranks: ranks, me: g.me} }

// Include is the group of some of g's ranks, in the order given.
func (g *Group) Include(ranks ...int) (*Group, error) {
	list := make([]int, 0, len(ranks))
	for _, r := range ranks {
		if r < 0 || r >= len(g.ranks) {
			return nil, core.Errorf(core.Invalid, "rank %d of a group of %d", r, len(g.ranks)).At("mpi group")
		}
		if slices.Contains(list, g.ranks[r]) {
			return nil, core.Errorf(core.Invalid, "rank %d twice in a group", r).At("mpi group")
		}
		list = append(list, g.ranks[r])
	}
	return g.of(list), nil
}

// Exclude is the group without some of its ranks.
func (g *Group) Exclude(ranks ...int) *Group {
	var list []int
	for r, w := range g.ranks {
		if !slices.Contains(ranks, r) {
			list = append(list, w)
		}
	}
	return g.of(list)
}

// Union is g, then what h has and g has not.
func (g *Group) Union(h *Group) *Group {
	return g.of(append(slices.Clone(g.ranks), h.Difference(g).ranks...))
}

// Intersection is what g and h have, in g's order.
func (g *Group) Intersection(h *Group) *Group {
	return g.of(slices.DeleteFunc(slices.Clone(g.ranks), func(w int) bool { return !slices.Contains(h.ranks, w) }))
}

// Difference is what g has and h has not, in g's order.
func (g *Group) Difference(h *Group) *Group {
	return g.of(slices.DeleteFunc(slices.Clone(g.ranks), func(w int) bool { return slices.Contains(h.ranks, w) }))
}

// Translate is the number in h of each of g's ranks given, [Undefined] where it
// has none.
func (g *Group) Translate(h *Group, ranks ...int) []int {
	list := make([]int, len(ranks))
	for i, r := range ranks {
		list[i] = Undefined
		if r >= 0 && r < len(g.ranks) {
			list[i] = slices.Index(h.ranks, g.ranks[r])
		}
	}
	return list
}

// Equal reports whether both have the same ranks in the same order.
func (g *Group) Equal(h *Group) bool { return slices.Equal(g.ranks, h.ranks) }

// ranksOf are c's numbers of a group's ranks.
func (c *Comm) ranksOf(g *Group) ([]int, error) {
	ranks := make([]int, len(g.ranks))
	for i, w := range g.ranks {
		if ranks[i] = c.rankOf(w); ranks[i] == Null || w >= c.w.mesh.Size() {
			return nil, c.fault("make a communicator", core.Errorf(core.Invalid, "rank %d of the world is in the group and not in %s", w, c.name))
		}
	}
	return ranks, nil
}
