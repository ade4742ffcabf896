package place

import (
	"encoding/json"
	"maps"
	"math"
	"math/bits"
	"slices"

	"github.com/capstan-run/capstan/core"
)

// Rank is what one executor needs of its node.
type Rank struct {
	Each    core.Resources
	Generic map[string]int64
	// Ports are those of the node that it takes: no two ranks with a port in
	// common lie on one node.
	Ports []int
	// Constraints are those that a node satisfies or not, by itself or by who
	// is on it: LIKE, UNLIKE, CLUSTER with a value, APART. See Split.
	Constraints []core.Constraint
	// Image is the container image. Of equal nodes those that hold it win.
	Image string
	// Tags are the job's labels as "key=value", for the APART of others; an
	// APART with attribute job means the tag "job=value".
	Tags []string
}

// ShapeID is the number of a shape: equal ranks have the same.
type ShapeID int32

// shape is a Rank made ready for counting. It never changes.
type shape struct {
	id         ShapeID // -1 for one that is only tried
	like       ShapeID // an interned shape of the same filters, -1 for none
	each       core.Vector
	needs      []int                // elements of each that are not zero
	most       uint64               // ranks on one node, whatever is free
	reciprocal [core.MaxDims]uint64 // of each, for quotient
	ports      []int                // ascending
	filters    []filter
	image      string
	tags       []int32 // ascending
	apart      []int32 // tags to keep away from, ascending
	solo       bool    // no two of it lie on one node
}

// catalogue is the shapes and names that a fleet knows. Clones share one until
// somebody adds to it.
type catalogue struct {
	shared bool
	shapes []*shape // by ShapeID
	byKey  map[string]ShapeID
	tags   map[string]int32
	// particular says that some shape keeps apart from tags.
	particular bool
}

func newCatalogue() *catalogue {
	return &catalogue{byKey: map[string]ShapeID{}, tags: map[string]int32{}}
}

// ownCatalogue makes the catalogue the fleet's alone.
func (f *Fleet) ownCatalogue() {
	if !f.catalogue.shared {
		return
	}
	c := *f.catalogue
	c.shared = false
	c.shapes = slices.Clone(c.shapes)
	c.byKey = maps.Clone(c.byKey)
	c.tags = maps.Clone(c.tags)
	f.catalogue = &c
}

// Shape gives equal ranks one number, which stays theirs. It is an error,
// whose text names the fault, if a constraint is not one of those that Rank
// takes, or if there are more kinds of generic resources than a vector holds.
func (f *Fleet) Shape(r Rank) (ShapeID, error) {
	key := r.key()
	if id, ok := f.byKey[key]; ok {
		return id, nil
	}
	f.ownCatalogue()
	s, err := f.shape(r)
	if err != nil {
		return 0, err
	}
	f.widen()
	s.id = ShapeID(len(f.shapes))
	s.like = s.id
	f.particular = f.particular || len(s.apart) > 0
	f.shapes = append(f.shapes, s)
	f.byKey[key] = s.id
	return s.id, nil
}

// key is r written out. Maps come in the order of their keys.
func (r Rank) key() string {
	b, _ := json.Marshal(r) // nothing in a Rank can be refused
	return string(b)
}

func (f *Fleet) shape(r Rank) (*shape, error) {
	filters, apart, err := readFilters(r.Constraints)
	if err != nil {
		return nil, err
	}
	each, err := f.kinds.Vector(r.Each, r.Generic)
	if err != nil {
		return nil, err
	}
	s := &shape{
		filters: filters,
		image:   r.Image,
		ports:   ascending(r.Ports),
		tags:    f.numbered(r.Tags),
		apart:   f.numbered(apart),
	}
	s.solo = len(s.ports) > 0 || common(s.tags, s.apart)
	s.size(each)
	return s, nil
}

// with is s with another amount, only to be tried.
func (s *shape) with(each core.Vector) *shape {
	t := *s
	t.id = -1
	t.size(each)
	return &t
}

// without is s less its i-th filter, only to be tried.
func (s *shape) without(i int) *shape {
	t := *s
	t.id, t.like = -1, -1
	t.filters = slices.Delete(slices.Clone(s.filters), i, i+1)
	return &t
}

// size sets what one rank needs.
func (s *shape) size(each core.Vector) {
	s.each, s.needs, s.most = each, nil, unlimited
	if s.solo {
		s.most = 1
	}
	for i, n := range each {
		if n > 0 {
			s.needs = append(s.needs, i)
			s.reciprocal[i] = math.MaxUint64 / uint64(n)
		}
	}
}

func (c *catalogue) numbered(tags []string) []int32 {
	var out []int32
	for _, t := range tags {
		n, ok := c.tags[t]
		if !ok {
			n = int32(len(c.tags))
			c.tags[t] = n
		}
		out = append(out, n)
	}
	return ascending(out)
}

// ascending is s sorted and without doubles.
func ascending[E int | int32](s []E) []E {
	out := slices.Clone(s)
	slices.Sort(out)
	return slices.Compact(out)
}

// common reports whether two ascending lists share an element.
func common[E int | int32](a, b []E) bool {
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0] < b[0]:
			a = a[1:]
		case a[0] > b[0]:
			b = b[1:]
		default:
			return true
		}
	}
	return false
}

// Amount is what one rank of a shape takes.
func (f *Fleet) Amount(id ShapeID) core.Vector { return f.shapes[id].each }

// tenant reports whether nodes have to remember ranks of the shape.
func (s *shape) tenant() bool { return len(s.ports) > 0 || len(s.tags) > 0 || len(s.apart) > 0 }

// clash reports whether ranks of s and t must not lie on one node.
func (s *shape) clash(t *shape) bool {
	return common(s.ports, t.ports) || common(s.apart, t.tags) || common(t.apart, s.tags)
}

// unlimited is the room of a node for ranks that need nothing. A million
// million of them still fit an int64.
const unlimited = 1 << 20

// room is how many ranks fit into free, as far as amounts go. Where more is
// taken than there is, none does, not even one that needs nothing.
func (s *shape) room(free []int64) int32 {
	for _, v := range free {
		if v < 0 {
			return 0
		}
	}
	return s.fits(free)
}

// fits is room where nothing is negative.
func (s *shape) fits(free []int64) int32 {
	room := s.most
	for _, i := range s.needs {
		room = min(room, s.quotient(i, uint64(free[i])))
	}
	return int32(room)
}

// quotient is v / each[i] by multiplication: the estimate is at most one low.
func (s *shape) quotient(i int, v uint64) uint64 {
	q, _ := bits.Mul64(v, s.reciprocal[i])
	if v-q*uint64(s.each[i]) >= uint64(s.each[i]) {
		q++
	}
	return q
}
