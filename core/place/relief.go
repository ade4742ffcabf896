package place

import (
	"fmt"
	"slices"
	"sort"

	"github.com/capstan-run/capstan/core"
)

// tries is how many nodes Relief looks at closely.
const tries = 16

// Relief is what would have to get free on one node for a claim to have a
// placement: the least such amount among the nodes that lack the least, or
// false if none of them can do it, or if the claim has several roles.
func (f *Fleet) Relief(c *Claim) (core.NodeID, core.Vector, bool) {
	if len(c.Roles) > 1 || f.Fits(c) {
		return "", core.Vector{}, false
	}
	s := f.look(c)
	defer f.done(s)
	for _, k := range s.needs() {
		if s.helps(k) {
			return f.ID(f.order[k.pos]), k.free, true
		}
	}
	return "", core.Vector{}, false
}

// needs is for each node what would have to get free for the ranks that are
// missing in its domain, the least first, up to as many as Relief tries.
func (s *sight) needs() []limited {
	r := &s.roles[0]
	s.sums()
	var out []limited
	for i := range s.f.order {
		if s.refusal(r, i) != "" {
			continue
		}
		ranks := int64(1)
		if s.simple() {
			ranks = int64(r.cap[i]) + int64(r.min) - s.sum(r, s.top, s.f.within(s.top, i))
		} else if !s.spread {
			ranks = int64(r.room[i]) + 1
		}
		free := s.raw(i)
		need := missing(r.shape.each.Times(ranks), free)
		if need != (core.Vector{}) && need.Fits(s.f.capacity[s.f.order[i]].Sub(free)) {
			out = append(out, limited{i, need})
		}
	}
	slices.SortStableFunc(out, func(a, b limited) int { return bit(before(b.free, a.free)) - bit(before(a.free, b.free)) })
	return out[:min(len(out), tries)]
}

// helps reports whether the claim has a place once so much more is free on one
// node.
func (s *sight) helps(more limited) bool {
	r := &s.roles[0]
	was := r.room[more.pos]
	defer s.try(r, more.pos, was)
	s.try(r, more.pos, s.roomIn(r, s.widened(more)))
	return s.search([]int{r.min})
}

// try gives a node another room.
func (s *sight) try(r *role, i int, n int32) {
	s.set(r, i, n)
	r.tidy()
	s.apply()
}

// widened is what the claim may use of a node once so much more is free.
func (s *sight) widened(more limited) core.Vector {
	v := s.raw(more.pos).Add(more.free)
	for _, l := range s.limit() {
		if l.pos == more.pos {
			v = v.Min(l.free)
		}
	}
	if s.numa {
		v = v.Min(s.share(more.pos))
	}
	return v
}

// Shrink names the changes of a claim, each as small as it can be and enough
// by itself, that would make a placement possible: "size 2", "size 16 with cpu
// 125m", "no pack host". It is empty if there is none.
func (f *Fleet) Shrink(c *Claim) []string {
	if len(c.Roles) == 0 || f.Fits(c) {
		return nil
	}
	var out []string
	if len(c.Roles) == 1 {
		out = f.smaller(c)
	} else {
		out = f.smallerRoles(c)
	}
	return append(out, f.freer(c)...)
}

// smaller is fewer ranks, or smaller ones.
func (f *Fleet) smaller(c *Claim) []string {
	s := f.look(c)
	k, size, shape := s.largest(), s.roles[0].min, s.roles[0].shape
	f.done(s)
	var out []string
	if k > 0 && k < size {
		out = append(out, fmt.Sprintf("size %d", k))
	}
	found := false
	for d := range f.kinds.Len() {
		if n, ok := f.thinner(c, shape.each, d); ok {
			out = append(out, fmt.Sprintf("size %d with %s %s", size, f.kinds.Name(d), f.words(d, n)))
			found = true
		}
	}
	if cpu, memory, ok := f.thinnerBoth(c, shape.each); ok && !found {
		out = append(out, fmt.Sprintf("size %d with cpu %s and memory %s", size, f.words(0, cpu), f.words(1, memory)))
	}
	return out
}

// step is the amount in which less is looked for: amounts that people write.
func step(d int) int64 {
	switch d {
	case 0:
		return 5
	case 1:
		return 1 << 20
	}
	return 1
}

// thinner is the most of element d per rank that has a placement, if that is
// less than in each and more than nothing.
func (f *Fleet) thinner(c *Claim, each core.Vector, d int) (int64, bool) {
	with := func(steps int) core.Vector {
		v := each
		v[d] = int64(steps) * step(d)
		return v
	}
	top := max(int((each[d]-1)/step(d)), 0)
	if top == 0 || !f.fitsWith(c, with(1)) {
		return 0, false
	}
	// Less per rank never makes a placement impossible, so the search may halve.
	steps := sort.Search(top, func(k int) bool { return !f.fitsWith(c, with(k+1)) })
	return with(steps)[d], steps > 0
}

// thinnerBoth is less cpu and less memory per rank.
func (f *Fleet) thinnerBoth(c *Claim, each core.Vector) (cpu, memory int64, ok bool) {
	light := each
	light[1] = min(each[1], step(1))
	if cpu, ok = f.thinner(c, light, 0); !ok {
		return 0, 0, false
	}
	light = each
	light[0] = cpu
	memory, ok = f.thinner(c, light, 1)
	return cpu, memory, ok
}

// fitsWith reports whether the minimum of a claim of one role fits with ranks
// of another amount.
func (f *Fleet) fitsWith(c *Claim, each core.Vector) bool {
	return f.fitsAs(c, []*shape{f.shapes[c.Roles[0].Shape].with(each)})
}

func (f *Fleet) fitsAs(c *Claim, shapes []*shape) bool {
	s := f.lookAs(c, shapes, nil)
	defer f.done(s)
	return s.fitsLeast()
}

// fitsLeast reports whether the least ranks of each role have a place.
func (s *sight) fitsLeast() bool {
	return len(s.f.order) > 0 && s.search(s.least())
}

// smallerRoles is fewer ranks of one role.
func (f *Fleet) smallerRoles(c *Claim) []string {
	var out []string
	for k := range c.Roles {
		fewer := *c
		fewer.Roles = slices.Clone(c.Roles)
		fits := func(n int) bool {
			fewer.Roles[k].Min, fewer.Roles[k].Size = n, n
			return f.Fits(&fewer)
		}
		least := c.Roles[k].Min
		if least <= 0 {
			least = c.Roles[k].Size
		}
		if n := sort.Search(least-1, func(n int) bool { return !fits(n + 1) }); n > 0 {
			out = append(out, fmt.Sprintf("role %d of size %d", k+1, n))
		}
	}
	return out
}

// freer is one condition less.
func (f *Fleet) freer(c *Claim) []string {
	var out []string
	try := func(what string, change func(*core.PlacementAsk)) {
		other := *c
		change(&other.Policy)
		if f.Fits(&other) {
			out = append(out, "no "+what)
		}
	}
	p := c.Policy
	if p.Pack != "" {
		try("pack "+p.Pack, func(p *core.PlacementAsk) { p.Pack = "" })
	}
	if p.Spread != "" {
		try("spread "+p.Spread, func(p *core.PlacementAsk) { p.Spread = "" })
	}
	if p.PerHost > 0 {
		try("perHost", func(p *core.PlacementAsk) { p.PerHost = 0 })
	}
	if p.Slice > 1 {
		try("slice", func(p *core.PlacementAsk) { p.Slice, p.SliceLevel = 0, "" })
	}
	return append(out, f.unconstrained(c)...)
}

// unconstrained is one constraint less.
func (f *Fleet) unconstrained(c *Claim) []string {
	var out []string
	shapes := make([]*shape, len(c.Roles))
	for k := range c.Roles {
		shapes[k] = f.shapes[c.Roles[k].Shape]
	}
	for k := range c.Roles {
		for i := range shapes[k].filters {
			others := slices.Clone(shapes)
			others[k] = shapes[k].without(i)
			if f.fitsAs(c, others) {
				out = append(out, "no constraint "+text(shapes[k].filters[i].Constraint))
			}
		}
		for i := range c.Roles[k].Counting {
			other := *c
			other.Roles = slices.Clone(c.Roles)
			other.Roles[k].Counting = slices.Delete(slices.Clone(c.Roles[k].Counting), i, i+1)
			if f.Fits(&other) {
				out = append(out, "no constraint "+text(c.Roles[k].Counting[i]))
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
