package place

import (
	"maps"
	"slices"

	"github.com/capstan-run/capstan/core"
)

// Ref is a node's handle: a small number, stable for the life of a fleet and
// the same in its clones.
type Ref int32

// Fleet is the nodes, what is taken on them, and what follows from both (laws
// F1 to F4). It belongs to one goroutine; a clone may go to another.
type Fleet struct {
	*plant
	*catalogue
	mark    *mark   // of the pages that are this fleet's own
	pages   []*page // by Ref / 64
	kinds   core.Dimensions
	dims    int // elements of a vector that mean something
	reasons []string
	logs    [views]changeLog // what tallies of a view have to follow
	tallies [views][]slot    // by ShapeID
	kept    int              // tallies there are
	most    int              // tallies to keep; 0 for the default
	uses    uint64           // of tallies
	sieves  []*sieve         // by ShapeID, nil for none
	columns map[string]*column
	stock   map[string]*sieve // by image
	clock   uint64            // counts growth, for Grown
	freed   uint64
	sights  []*sight // not in use
	futures []*Future
}

// NewFleet is a fleet without nodes.
func NewFleet() *Fleet {
	return &Fleet{
		plant:     newPlant(),
		catalogue: newCatalogue(),
		mark:      new(mark),
		dims:      2,
		reasons:   []string{""},
		columns:   map[string]*column{},
		stock:     map[string]*sieve{},
		clock:     1,
	}
}

// Clone returns a fleet of the same nodes, shapes and Refs, on which a future
// can be drawn: neither sees what becomes of the other. It copies what is free
// and shares the rest until somebody changes it.
func (f *Fleet) Clone() *Fleet {
	f.settle()
	f.plant.shared, f.catalogue.shared = true, true
	c := *f
	f.mark, c.mark = new(mark), new(mark) // from here on neither owns a page
	c.pages = slices.Clone(f.pages)
	c.reasons = slices.Clip(f.reasons)
	c.kinds = f.kinds.Clone()
	c.sieves = slices.Clone(f.sieves)
	c.columns, c.stock = maps.Clone(f.columns), maps.Clone(f.stock)
	c.sights, c.futures = nil, nil
	for v := range views {
		c.logs[v] = f.logs[v].clone()
		c.tallies[v] = slices.Clone(f.tallies[v])
		for i, at := range f.tallies[v] {
			c.tallies[v][i].asked = nil
			if at.tally != nil {
				at.tally.shared = true
			}
		}
	}
	return &c
}

// Up adds a node, or brings what is known of it up to date: what is taken on
// it stays taken. A new node is open. Of more kinds of generic resources than
// a vector has room for, those that come last are not offered.
func (f *Fleet) Up(n core.Node) Ref {
	r, known := f.byID[n.ID]
	if known && f.nodes[r].same(n) {
		return r
	}
	f.ownPlant()
	capacity := f.dimension(n.Capacity, n.Generic)
	if !known {
		r = f.plant.add(n, capacity)
		f.extend(r, capacity[:f.dims])
	} else {
		f.add(r, capacity.Sub(f.capacity[r]))
		f.restock(f.nodes[r].Images)
		f.plant.replace(r, n, capacity)
	}
	f.restock(n.Images)
	f.freed++
	f.log(r, Ever)
	return r
}

// restock forgets who holds the images, to look again.
func (f *Fleet) restock(images []string) {
	for _, image := range images {
		delete(f.stock, image)
	}
}

// dimension is a capacity as a vector; new kinds of resource widen all others.
func (f *Fleet) dimension(r core.Resources, generic map[string]int64) core.Vector {
	v, _ := f.kinds.Vector(r, generic)
	f.widen()
	return v
}

// Close says why a node takes no new ranks: "down", "draining". "" opens it.
func (f *Fleet) Close(r Ref, why string) {
	i := slices.Index(f.reasons, why)
	if i < 0 {
		if len(f.reasons) > maxReasons {
			i = len(f.reasons) - 1
		} else {
			i = len(f.reasons)
			f.reasons = append(f.reasons, why)
		}
	}
	if f.reason(r) == uint8(i) {
		return
	}
	if i == 0 {
		f.freed++
	}
	p := f.own(r)
	p.closed[r&63] = uint8(i)
	p.shut &^= 1 << (r & 63)
	p.shut |= uint64(bit(i > 0)) << (r & 63)
	f.log(r, Empty)
}

// maxReasons bounds the different reasons to close; further ones read as the
// last of them.
const maxReasons = 250

// Ref is the handle of a node; false if it is not known.
func (f *Fleet) Ref(id core.NodeID) (Ref, bool) {
	r, ok := f.byID[id]
	return r, ok
}

// Len is the number of nodes. Refs are 0 to Len()-1.
func (f *Fleet) Len() int { return len(f.nodes) }

// ID is the name of a node.
func (f *Fleet) ID(r Ref) core.NodeID { return f.nodes[r].ID }

// Node is what is known of a node. Its maps and slices are to be read only.
func (f *Fleet) Node(r Ref) core.Node { return f.nodes[r].Node }

// Closed is why a node takes no new ranks, "" if it does.
func (f *Fleet) Closed(r Ref) string { return f.reasons[f.reason(r)] }

func (f *Fleet) reason(r Ref) uint8 { return f.page(r).closed[r&63] }

// Capacity is what a node has when nothing is taken.
func (f *Fleet) Capacity(r Ref) core.Vector { return f.capacity[r] }

// Free is what is not taken on a node, closed or not. Elements are negative
// where more is taken than there is.
func (f *Fleet) Free(r Ref) core.Vector {
	var v core.Vector
	copy(v[:], f.frees(r))
	return v
}

// Order is all nodes in topology order: zone, rack, id. The slice is the
// fleet's own, to be read only, and until the next Up.
func (f *Fleet) Order() []Ref {
	f.settle()
	return f.order
}

// Take grants n ranks of a shape on a node, whether they fit or not.
func (f *Fleet) Take(r Ref, id ShapeID, n int) {
	s := f.shapes[id]
	f.add(r, s.each.Times(-int64(n)))
	if s.tenant() {
		f.own(r).tenants.change(int(r&63), id, n)
	}
	f.log(r, Present)
}

// Give returns n ranks of a shape that Take granted on a node.
func (f *Fleet) Give(r Ref, id ShapeID, n int) {
	s := f.shapes[id]
	f.add(r, s.each.Times(int64(n)))
	if s.tenant() {
		f.own(r).tenants.change(int(r&63), id, -n)
	}
	f.freed++
	f.log(r, Present)
}

func (f *Fleet) add(r Ref, v core.Vector) {
	p := f.own(r)
	free := f.frees(r)
	all := int64(0)
	for i := range free {
		free[i] += v[i]
		all |= free[i]
	}
	p.over &^= 1 << (r & 63)
	p.over |= uint64(bit(all < 0)) << (r & 63)
}

// log notes that r changed for the views up to the widest.
func (f *Fleet) log(r Ref, widest View) {
	for v := Present; v <= widest; v++ {
		f.logs[v].add(r)
		f.logs[v].trim(2 * f.reach())
	}
}

// Freed changes whenever anything was given back, opened or came up: as long
// as it does not, whatever was not possible still is not.
func (f *Fleet) Freed() uint64 { return f.freed }
