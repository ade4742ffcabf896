package place

import (
	"slices"

	"github.com/capstan-run/capstan/core"
)

// sight is the fleet as one claim sees it. Nodes go by position.
type sight struct {
	f     *Fleet
	c     *Claim
	later *Prospect // nil for the fleet as it is
	roles []role

	// Domains are tried from bottom to top; only those around near, if it is
	// not negative.
	bottom, top level
	near        int
	numa        bool // a node counts as large as one of its NUMA domains
	spread      bool
	perHost     bool
	caps        []*partition // what counts ranks
	clusters    []*column    // all ranks on one value, which is still open
	slice       int          // ranks of a run that stays together; 0 or 1 for none
	slices      level        // in a domain of this level

	limits []limited // by position
	taken  map[int]core.Vector
	puts   []put
	whole  []int // want of the search that left puts

	work scratch
}

// role is one role of the claim.
type role struct {
	shape     *shape
	min, size int
	tally     *tally  // what room is of; nil within the values of a CLUSTER
	room      []int32 // by position: ranks that fit
	cap       []int32 // room, as far as what counts ranks lets it be used
	prefix    []int64 // of cap, where the sums of the tally do not do
	bound     []bool  // by cap of the sight: binds this role
	clustered []bool  // by cluster of the sight
	settled   []settled
	sieve     *sieve  // nil if every node satisfies the filters
	images    bitset  // nodes that hold the image, by position; nil for none
	own       tally   // a copy that may be written
	ownCap    []int32 // a buffer for cap
}

type limited struct {
	pos  int
	free core.Vector
}

// put is n ranks of a role on a node.
type put struct {
	role, pos, n int
	last         bool // numbered after all others of the role
}

// look is c's sight of the fleet; give it back with done.
func (f *Fleet) look(c *Claim) *sight {
	return f.lookAs(c, nil, nil)
}

// lookAs is look with other shapes for the roles, nil for their own, into a
// future, nil for the present.
func (f *Fleet) lookAs(c *Claim, shapes []*shape, later *Prospect) *sight {
	f.settle()
	var s *sight
	if n := len(f.sights); n > 0 {
		s, f.sights = f.sights[n-1], f.sights[:n-1]
	} else {
		s = new(sight)
	}
	s.f, s.c, s.later = f, c, later
	s.aim()
	s.limits = s.limits[:0]
	s.enrol(shapes)
	s.count()
	return s
}

func (f *Fleet) done(s *sight) { f.sights = append(f.sights, s) }

// aim reads the policy.
func (s *sight) aim() {
	p := s.c.Policy
	s.bottom, s.top, s.near = host, cluster, -1
	s.numa, s.spread, s.perHost = false, false, p.PerHost > 0
	s.caps, s.clusters, s.puts, s.whole = s.caps[:0], s.clusters[:0], s.puts[:0], s.whole[:0]
	s.work.arena = s.work.arena[:0]
	s.slice = p.Slice
	s.slices, _ = levelOf(p.SliceLevel)
	relax := 0
	if p.Preferred {
		relax = max(0, s.c.Relax)
	}
	switch {
	case p.Pack != "":
		s.top = min(packed(p.Pack)+level(relax), cluster)
		if s.numa = s.top == numa; s.numa {
			s.top = host
		}
	case p.Spread != "":
		if l, ok := levelOf(p.Spread); ok && l-level(relax) >= host {
			s.spread, s.bottom = true, cluster
			s.cap(s.f.column((l - level(relax)).String()), 1, s.c.Beside, nil)
		}
	}
	if !s.spread {
		s.near = s.first(s.c.Beside)
	}
	if s.perHost {
		s.cap(s.f.column("host"), p.PerHost, s.c.Beside, nil)
	}
}

func packed(name string) level {
	if name == "numa" {
		return numa
	}
	l, _ := levelOf(name)
	return l
}

// first is the first of refs in topology order, -1 for none.
func (s *sight) first(refs []Ref) int {
	first := -1
	for _, r := range refs {
		if i := int(s.f.pos[r]); first < 0 || i < first {
			first = i
		}
	}
	return first
}

// limit lists the nodes of which less counts than what is free, once it is
// asked for.
func (s *sight) limit() []limited {
	if len(s.limits) > 0 || len(s.c.Limit) == 0 {
		return s.limits
	}
	for _, l := range s.c.Limit {
		s.limits = append(s.limits, limited{int(s.f.pos[l.Node]), l.Free})
	}
	slices.SortStableFunc(s.limits, func(a, b limited) int { return a.pos - b.pos })
	out := s.limits[:0]
	for _, l := range s.limits {
		if n := len(out); n > 0 && out[n-1].pos == l.pos {
			out[n-1].free = out[n-1].free.Min(l.free)
		} else {
			out = append(out, l)
		}
	}
	s.limits = out
	return out
}

// raw is what node i has in the claim's view, before limits.
func (s *sight) raw(i int) core.Vector {
	r := s.f.order[i]
	switch {
	case s.later != nil:
		return s.later.u.Free(r)
	case s.c.View == Present:
		return s.f.Free(r)
	}
	return s.f.capacity[r]
}

// vector is what the claim may use of node i.
func (s *sight) vector(i int) core.Vector {
	v := s.raw(i)
	if limits := s.limit(); len(limits) > 0 {
		k, ok := slices.BinarySearchFunc(limits, i, func(l limited, i int) int { return l.pos - i })
		if ok {
			v = v.Min(limits[k].free)
		}
	}
	if s.numa {
		v = v.Min(s.share(i))
	}
	return v
}

// share is one NUMA domain of node i, less what the gang has there already;
// nothing if the node does not say how many it has.
func (s *sight) share(i int) core.Vector {
	r := s.f.order[i]
	n := int64(s.f.nodes[r].NUMA)
	v := s.f.capacity[r]
	for d := range v {
		if n <= 0 {
			v[d] = -1
		} else {
			v[d] /= n
		}
	}
	for _, b := range s.c.Beside {
		if b == r {
			v = v.Sub(s.roles[0].shape.each)
		}
	}
	return v
}

// enrol counts the room of every node for every role.
func (s *sight) enrol(shapes []*shape) {
	for len(s.roles) < len(s.c.Roles) {
		s.roles = append(s.roles, role{})
	}
	s.roles = s.roles[:len(s.c.Roles)]
	for k := range s.roles {
		r, ask := &s.roles[k], &s.c.Roles[k]
		r.shape, r.size, r.min = s.f.shapes[ask.Shape], ask.Size, ask.Min
		if shapes != nil {
			r.shape = shapes[k]
		}
		if r.min <= 0 || r.min > r.size {
			r.min = r.size
		}
	}
	for k := range s.roles {
		s.survey(k)
	}
}

func (s *sight) survey(k int) {
	r := &s.roles[k]
	if s.later != nil {
		r.tally = &s.later.roles[k].tally
	} else if r.shape.id < 0 {
		tried := slot{tally: s.f.count(r.shape, s.c.View, s.f.acquaint(r.shape, nil))}
		s.f.fetch(&tried, r.shape)
		r.tally = tried.tally
	} else {
		r.tally = s.f.tally(r.shape, s.c.View)
	}
	r.room, r.images, r.sieve = r.tally.room, nil, s.f.sieve(r.shape)
	if r.tally.images {
		r.images = r.tally.holders.only
	}
	if s.numa {
		for i, n := range r.room {
			if n > 0 {
				s.lower(r, i, s.roomIn(r, s.vector(i)))
			}
		}
	} else {
		// Room in the least of several limits is the least room in any of them.
		for k := range s.c.Limit {
			l := &s.c.Limit[k]
			if i := s.f.pos[l.Node]; r.room[i] > 0 {
				s.lower(r, int(i), r.shape.room(l.Free[:s.f.dims]))
			}
		}
	}
	r.tidy()
}

// roomIn is the ranks of r that fit into free, as far as amounts go.
func (s *sight) roomIn(r *role, free core.Vector) int32 {
	return r.shape.room(free[:s.f.dims])
}

// lower leaves node i no more room than n; tidy has to follow.
func (s *sight) lower(r *role, i int, n int32) {
	if n < r.room[i] {
		s.set(r, i, n)
	}
}

// set gives node i another room; tidy has to follow.
func (s *sight) set(r *role, i int, n int32) {
	if r.tally != &r.own {
		r.own.copy(r.tally)
		r.tally, r.room = &r.own, r.own.room
	}
	r.own.set(s.f.plant, i, n)
}

// tidy follows the last of a number of calls to set.
func (r *role) tidy() {
	if r.tally == &r.own {
		r.own.tidy()
	}
}

// forbid leaves no room on the nodes.
func (s *sight) forbid(refs []Ref) {
	for k := range s.roles {
		for _, r := range refs {
			s.lower(&s.roles[k], int(s.f.pos[r]), 0)
		}
		s.roles[k].tidy()
	}
}

// holds reports whether node i has the role's image.
func (s *sight) holds(r *role, i int) bool { return r.images[i>>6]&(1<<(i&63)) != 0 }

// closed is why node i takes no ranks in the claim's view.
func (s *sight) closed(i int) string {
	if s.c.View == Ever {
		return ""
	}
	return s.f.Closed(s.f.order[i])
}
