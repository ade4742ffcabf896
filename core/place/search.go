package place

import (
	"cmp"
	"slices"
	"sort"
)

// Choose places a claim, or reports false if it has no place. The fleet is
// left as it is: see Take.
func (f *Fleet) Choose(c *Claim) (Choice, bool) {
	s := f.look(c)
	defer f.done(s)
	if !s.choose() {
		return Choice{}, false
	}
	return s.choice(), true
}

// Fits reports whether Choose would find a placement.
func (f *Fleet) Fits(c *Claim) bool {
	s := f.look(c)
	defer f.done(s)
	return s.choose()
}

func (s *sight) choose() bool {
	if len(s.f.order) == 0 {
		return false
	}
	if len(s.c.Avoid) > 0 {
		g := s.f.lookAs(s.c, s.shapes(), s.later)
		g.forbid(s.c.Avoid)
		g.apply()
		ok := g.most()
		if ok {
			s.puts, s.whole = append(s.puts[:0], g.puts...), append(s.whole[:0], g.whole...)
		}
		s.f.done(g)
		if ok {
			return true
		}
	}
	return s.most()
}

func (s *sight) shapes() []*shape {
	out := make([]*shape, len(s.roles))
	for k := range s.roles {
		out[k] = s.roles[k].shape
	}
	return out
}

// most places as many ranks of each role as fit: the first role first.
func (s *sight) most() bool {
	want, elastic := s.work.want[:0], false
	for k := range s.roles {
		want = append(want, s.roles[k].size)
		elastic = elastic || s.roles[k].min < s.roles[k].size
	}
	s.work.want = want
	if s.search(want) {
		return true
	}
	return elastic && s.stretch()
}

// stretch places the least of each role, and then more, role after role.
func (s *sight) stretch() bool {
	want := s.least()
	if !s.search(want) {
		return false
	}
	for k := range s.roles {
		least := want[k]
		// Fewer ranks never make a placement impossible, so the search may halve.
		more := sort.Search(s.roles[k].size-least, func(more int) bool {
			want[k] = least + more + 1
			return !s.search(want)
		})
		want[k] = least + more
	}
	return s.search(want)
}

// least is the minimum of each role.
func (s *sight) least() []int {
	out := make([]int, len(s.roles))
	for k := range s.roles {
		out[k] = s.roles[k].min
	}
	return out
}

// search places exactly want ranks of each role, and leaves them in puts.
func (s *sight) search(want []int) bool {
	s.whole = append(s.whole[:0], want...)
	s.puts = s.puts[:0]
	return s.gather(0, want)
}

// gather settles on values for the CLUSTER constraints from the j-th on, the
// tightest that will do, and hunts.
func (s *sight) gather(j int, want []int) bool {
	if j == len(s.clusters) {
		return s.hunt(want)
	}
	col := s.clusters[j]
	type rooms struct {
		tally     *tally
		room, cap []int32
	}
	before := make([]rooms, len(s.roles))
	for k := range s.roles {
		r := &s.roles[k]
		before[k] = rooms{r.tally, r.room, r.cap}
	}
	restore := func() {
		for k, b := range before {
			s.roles[k].tally, s.roles[k].room, s.roles[k].cap = b.tally, b.room, b.cap
		}
	}
	for _, group := range s.values(j, want) {
		for k := range s.roles {
			r := &s.roles[k]
			if j < len(r.clustered) && r.clustered[j] {
				r.tally = nil
				r.room, r.cap = within(before[k].room, col, group), within(before[k].cap, col, group)
			}
		}
		found := s.gather(j+1, want)
		restore()
		if found {
			return true
		}
	}
	return false
}

// within is rooms on the nodes of one group, and none on others.
func within(rooms []int32, col *column, group int32) []int32 {
	out := make([]int32, len(rooms))
	for i, g := range col.group {
		if g == group {
			out[i] = rooms[i]
		}
	}
	return out
}

// values is the groups with room enough for the roles bound to the j-th
// cluster, the tightest first.
func (s *sight) values(j int, want []int) []int32 {
	col := s.clusters[j]
	total := make([]int64, col.groups)
	enough := make([]bool, col.groups)
	for g := range enough {
		enough[g] = true
	}
	for k := range s.roles {
		r := &s.roles[k]
		if j >= len(r.clustered) || !r.clustered[j] {
			continue
		}
		sum := make([]int64, col.groups)
		for i, g := range col.group {
			if g >= 0 {
				sum[g] += int64(r.cap[i])
			}
		}
		for g := range sum {
			total[g] += sum[g]
			enough[g] = enough[g] && sum[g] >= int64(want[k])
		}
	}
	var out []int32
	for g := range enough {
		if enough[g] {
			out = append(out, int32(g))
		}
	}
	slices.SortStableFunc(out, func(a, b int32) int { return cmp.Compare(total[a], total[b]) })
	return out
}

// hunt looks for the lowest domain that takes want (law P2).
func (s *sight) hunt(want []int) bool {
	s.sums()
	for l := s.bottom; l <= s.top; l++ {
		if s.near >= 0 {
			if s.around(l, want) {
				return true
			}
			continue
		}
		if s.level(l, want) {
			return true
		}
	}
	return false
}

// around tries the domain of level l that the gang's first rank lies in.
func (s *sight) around(l level, want []int) bool {
	lo, hi := s.f.domain(l, s.near)
	if s.simple() {
		return s.sum(&s.roles[0], l, s.f.within(l, s.near)) >= int64(want[0]) && s.attempt(lo, hi, want)
	}
	return s.suffices(lo, hi, want) && s.attempt(lo, hi, want)
}

// level tries the domains of one level, the tightest first.
func (s *sight) level(l level, want []int) bool {
	if s.simple() {
		d := s.tightest(l, int64(want[0]))
		if d < 0 {
			return false
		}
		lo, hi := s.f.span(l, d)
		return s.attempt(lo, hi, want)
	}
	if l == host && !s.hostable(want) {
		return false
	}
	for _, d := range s.candidates(l, want) {
		lo, hi := s.f.span(l, d)
		if s.attempt(lo, hi, want) {
			return true
		}
	}
	return false
}

// hostable reports whether some host may have room for all ranks of each role.
func (s *sight) hostable(want []int) bool {
	for k := range s.roles {
		if t := s.roles[k].tally; t != nil && t.hosts.most() < want[k] {
			return false
		}
	}
	return true
}

// tightest is the domain of level l with the least room that suffices for n
// ranks of the only role, -1 for none. Of hosts, one that holds the image goes
// first.
func (s *sight) tightest(l level, n int64) int {
	r := &s.roles[0]
	if l == host && r.tally != nil && len(s.caps) == 0 {
		return r.tally.tightest(n)
	}
	best, least, bestHeld := -1, int64(0), false
	for d := range s.f.domains(l) {
		sum := s.sum(r, l, d)
		if sum < n {
			continue
		}
		held := l == host && r.images != nil && s.holds(r, d)
		if best < 0 || held && !bestHeld || held == bestHeld && sum < least {
			best, least, bestHeld = d, sum, held
		}
	}
	return best
}

// tightest is the node with the least room that suffices for n ranks, -1 for
// none; one that holds the image goes first.
func (t *tally) tightest(n int64) int {
	if t.images {
		if i := t.holders.tightest(t.room, n); i >= 0 {
			return i
		}
	}
	return t.hosts.tightest(t.room, n)
}

// candidates is the domains of level l with room enough for each role by
// itself, the tightest first.
func (s *sight) candidates(l level, want []int) []int {
	type domain struct {
		sum  int64
		held bool
		d    int
	}
	var found []domain
	for d := range s.f.domains(l) {
		lo, hi := s.f.span(l, d)
		if !s.suffices(lo, hi, want) {
			continue
		}
		c := domain{d: d}
		for k := range s.roles {
			c.sum += s.between(&s.roles[k], lo, hi)
			c.held = c.held || l == host && s.roles[k].images != nil && s.holds(&s.roles[k], d)
		}
		found = append(found, c)
	}
	slices.SortStableFunc(found, func(a, b domain) int {
		if a.held != b.held {
			if a.held {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.sum, b.sum)
	})
	out := make([]int, len(found))
	for i, c := range found {
		out[i] = c.d
	}
	return out
}

// suffices reports whether the room of each role by itself is enough.
func (s *sight) suffices(lo, hi int, want []int) bool {
	for k := range s.roles {
		if s.between(&s.roles[k], lo, hi) < int64(want[k]) {
			return false
		}
	}
	return true
}

// sums makes the prefix sums of roles that need them.
func (s *sight) sums() {
	for k := range s.roles {
		r := &s.roles[k]
		if r.tally != nil && len(s.caps) == 0 && s.simple() {
			continue
		}
		r.prefix = append(r.prefix[:0], 0)
		sum := int64(0)
		for _, n := range r.cap {
			sum += int64(n)
			r.prefix = append(r.prefix, sum)
		}
	}
}

// between is the room of r from position lo to hi.
func (s *sight) between(r *role, lo, hi int) int64 { return r.prefix[hi] - r.prefix[lo] }

// sum is the room of r in the d-th domain of level l.
func (s *sight) sum(r *role, l level, d int) int64 {
	if l == host {
		return int64(r.cap[d])
	}
	if r.tally == nil || len(s.caps) > 0 {
		lo, hi := s.f.span(l, d)
		return s.between(r, lo, hi)
	}
	switch l {
	case rack:
		return r.tally.racks[d]
	case zone:
		return r.tally.zones[d]
	}
	return r.tally.total
}

// choice is what the search left.
func (s *sight) choice() Choice {
	total := 0
	for _, n := range s.whole {
		total += n
	}
	c := Choice{Nodes: make([]Ref, 0, total), Counts: slices.Clone(s.whole)}
	slices.SortFunc(s.puts, func(a, b put) int { return cmp.Compare(a.key(), b.key()) })
	for _, p := range s.puts {
		for range p.n {
			c.Nodes = append(c.Nodes, s.f.order[p.pos])
		}
	}
	return c
}

// key orders puts by rank.
func (p put) key() uint64 {
	return uint64(p.role)<<40 | uint64(bit(p.last))<<32 | uint64(p.pos)
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}
