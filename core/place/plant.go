package place

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/capstan-run/capstan/core"
)

// plant is what changes rarely: the machines and how they lie. Clones share
// one until somebody changes it.
type plant struct {
	shared   bool
	nodes    []machine     // by Ref
	capacity []core.Vector // by Ref
	byID     map[core.NodeID]Ref
	classes  map[string]int32    // by labels, written out
	labels   []map[string]string // by class
	images   map[string]bitset

	// version changes with all that follows.
	version uint64
	order   []Ref   // topology order
	pos     []int32 // by Ref: index in order
	rackOf  []int32 // by position: number of the rack
	zoneOf  []int32
	classOf []int32
	racks   []int32 // by number: first position; one more for the end
	zones   []int32
	fresh   []Ref // not in order yet
	moved   bool  // some node in order is out of place
	// grew is what changed from version base on, if that was only that nodes
	// came.
	grew []insertion
	base uint64
}

// insertion is a node that came to lie at a position: in a rack and a zone of
// these numbers, which may be new.
type insertion struct {
	pos, rack, zone  int32
	newRack, newZone bool
}

// machine is what is known of a node.
type machine struct {
	core.Node
	class int32 // nodes of one class have the same labels
}

func newPlant() *plant {
	return &plant{byID: map[core.NodeID]Ref{}, classes: map[string]int32{}, images: map[string]bitset{}, racks: []int32{0}, zones: []int32{0}}
}

// ownPlant makes the plant the fleet's alone.
func (f *Fleet) ownPlant() {
	if !f.plant.shared {
		return
	}
	p := *f.plant
	p.shared = false
	p.nodes = slices.Clone(p.nodes)
	p.capacity = slices.Clone(p.capacity)
	p.byID = maps.Clone(p.byID)
	p.classes = maps.Clone(p.classes)
	p.labels = slices.Clone(p.labels)
	p.images = maps.Clone(p.images)
	for image, b := range p.images {
		p.images[image] = slices.Clone(b)
	}
	p.order, p.pos = slices.Clone(p.order), slices.Clone(p.pos)
	p.rackOf, p.zoneOf, p.classOf = slices.Clone(p.rackOf), slices.Clone(p.zoneOf), slices.Clone(p.classOf)
	p.racks, p.zones = slices.Clone(p.racks), slices.Clone(p.zones)
	p.grew = slices.Clone(p.grew)
	f.plant = &p
}

// same reports whether n says nothing new.
func (m *machine) same(n core.Node) bool {
	return m.Zone == n.Zone && m.Rack == n.Rack && m.Capacity == n.Capacity && m.NUMA == n.NUMA &&
		maps.Equal(m.Labels, n.Labels) && maps.Equal(m.Generic, n.Generic) && slices.Equal(m.Images, n.Images)
}

func (p *plant) add(n core.Node, capacity core.Vector) Ref {
	r := Ref(len(p.nodes))
	p.nodes = append(p.nodes, machine{})
	p.capacity = append(p.capacity, capacity)
	p.byID[n.ID] = r
	p.fresh = append(p.fresh, r)
	p.set(r, n)
	return r
}

// replace takes over what is new about node r. Only a place or labels of its
// own change the version: what is free is logged, and images are looked up.
func (p *plant) replace(r Ref, n core.Node, capacity core.Vector) {
	old := p.nodes[r]
	for _, image := range old.Images {
		p.images[image].clear(int(r))
	}
	p.capacity[r] = capacity
	p.set(r, n)
	switch class := p.nodes[r].class; {
	case old.Zone != n.Zone || old.Rack != n.Rack:
		p.moved = true
	case old.class != class && int(r) < len(p.pos):
		p.classOf[p.pos[r]] = class
		p.renew()
	}
}

func (p *plant) set(r Ref, n core.Node) {
	n.Labels, n.Generic, n.Images = maps.Clone(n.Labels), maps.Clone(n.Generic), slices.Clone(n.Images)
	p.nodes[r] = machine{n, p.class(n.Labels)}
	for _, image := range n.Images {
		p.images[image] = p.images[image].set(int(r))
	}
}

// class numbers a set of labels.
func (p *plant) class(labels map[string]string) int32 {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		b.WriteString(k + "\x00" + labels[k] + "\x00")
	}
	key := b.String()
	c, ok := p.classes[key]
	if !ok {
		c = int32(len(p.classes))
		p.classes[key] = c
		p.labels = append(p.labels, labels)
	}
	return c
}

// renew gives the plant a version that has nothing in common with the last.
func (p *plant) renew() {
	p.version++
	p.base, p.grew = p.version, nil
}

// settle puts nodes that came or moved into topology order.
func (p *plant) settle() {
	if len(p.fresh) == 0 && !p.moved {
		return
	}
	if !p.moved && len(p.fresh) <= few {
		for _, r := range p.fresh {
			p.insert(r)
		}
		p.fresh = nil
		return
	}
	if p.moved {
		p.fresh, p.order, p.moved = append(p.fresh, p.order...), nil, false
	}
	slices.SortFunc(p.fresh, p.compare)
	p.order = p.merge(p.order, p.fresh)
	p.fresh = nil
	p.number()
	p.renew()
}

// few is how many nodes are put in their places one by one rather than
// together, and how many such changes are remembered.
const few = 16

// insert puts one node in its place.
func (p *plant) insert(r Ref) {
	n := len(p.order)
	i := n
	if n > 0 && p.compare(p.order[n-1], r) > 0 {
		i, _ = slices.BinarySearchFunc(p.order, r, p.compare)
	}
	p.order, p.classOf = slices.Insert(p.order, i, r), slices.Insert(p.classOf, i, p.nodes[r].class)
	for int(r) >= len(p.pos) {
		p.pos = append(p.pos, 0)
	}
	for j := i; j <= n; j++ {
		p.pos[p.order[j]] = int32(j)
	}
	e := insertion{pos: int32(i)}
	sameZone := func(m, o *machine) bool { return m.Zone == o.Zone }
	sameRack := func(m, o *machine) bool { return m.Zone == o.Zone && m.Rack == o.Rack }
	e.rack, e.newRack = p.enclose(&p.rackOf, &p.racks, i, sameRack)
	e.zone, e.newZone = p.enclose(&p.zoneOf, &p.zones, i, sameZone)
	p.version++
	p.grew = append(p.grew, e)
	if len(p.grew) > 4*few {
		p.grew = slices.Clone(p.grew[few:])
		p.base += few
	}
}

// enclose finds or makes the domain of the new node at position i: of gives
// each position its domain, starts each domain its first position.
func (p *plant) enclose(of, starts *[]int32, i int, same func(m, o *machine) bool) (d int32, made bool) {
	m := &p.nodes[p.order[i]]
	switch {
	case i > 0 && same(m, &p.nodes[p.order[i-1]]):
		d = (*of)[i-1]
	case i+1 < len(p.order) && same(m, &p.nodes[p.order[i+1]]):
		d = (*of)[i]
	default:
		if made = true; i > 0 {
			d = (*of)[i-1] + 1
		}
		*starts = slices.Insert(*starts, int(d), int32(i))
		for j := i; j < len(*of); j++ {
			(*of)[j]++
		}
	}
	*of = slices.Insert(*of, i, d)
	for j := int(d) + 1; j < len(*starts); j++ {
		(*starts)[j]++
	}
	return d, made
}

func (p *plant) compare(a, b Ref) int {
	m, n := &p.nodes[a], &p.nodes[b]
	return cmp.Or(cmp.Compare(m.Zone, n.Zone), cmp.Compare(m.Rack, n.Rack), cmp.Compare(m.ID, n.ID))
}

// merge joins two sorted lists.
func (p *plant) merge(a, b []Ref) []Ref {
	out := make([]Ref, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if p.compare(a[0], b[0]) < 0 {
			out, a = append(out, a[0]), a[1:]
		} else {
			out, b = append(out, b[0]), b[1:]
		}
	}
	return append(append(out, a...), b...)
}

// number gives every position its rack and zone.
func (p *plant) number() {
	n := len(p.order)
	p.pos = make([]int32, n)
	p.rackOf, p.zoneOf, p.classOf = make([]int32, n), make([]int32, n), make([]int32, n)
	p.racks, p.zones = nil, nil
	var last *machine
	for i, r := range p.order {
		m := &p.nodes[r]
		newZone := last == nil || m.Zone != last.Zone
		if newZone {
			p.zones = append(p.zones, int32(i))
		}
		if newZone || m.Rack != last.Rack {
			p.racks = append(p.racks, int32(i))
		}
		p.pos[r] = int32(i)
		p.classOf[i] = m.class
		p.rackOf[i], p.zoneOf[i] = int32(len(p.racks)-1), int32(len(p.zones)-1)
		last = m
	}
	p.racks, p.zones = append(p.racks, int32(n)), append(p.zones, int32(n))
}

// within is the number of the domain of level l that position i is in.
func (p *plant) within(l level, i int) int {
	switch l {
	case rack:
		return int(p.rackOf[i])
	case zone:
		return int(p.zoneOf[i])
	case cluster:
		return 0
	}
	return i
}

// domain is the interval of positions of the domain of level l around i.
func (p *plant) domain(l level, i int) (lo, hi int) { return p.span(l, p.within(l, i)) }

// domains is how many domains of level l there are.
func (p *plant) domains(l level) int {
	switch l {
	case rack:
		return len(p.racks) - 1
	case zone:
		return len(p.zones) - 1
	case cluster:
		return min(1, len(p.order))
	}
	return len(p.order)
}

// span is the interval of positions of the d-th domain of level l.
func (p *plant) span(l level, d int) (lo, hi int) {
	switch l {
	case rack:
		return int(p.racks[d]), int(p.racks[d+1])
	case zone:
		return int(p.zones[d]), int(p.zones[d+1])
	case cluster:
		return 0, len(p.order)
	}
	return d, d + 1
}

// bitset is a set of small numbers.
type bitset []uint64

func (b bitset) has(i int) bool {
	return i>>6 < len(b) && b[i>>6]&(1<<(i&63)) != 0
}

// set returns the set with i, which may be b itself.
func (b bitset) set(i int) bitset {
	for i>>6 >= len(b) {
		b = append(b, 0)
	}
	b[i>>6] |= 1 << (i & 63)
	return b
}

func (b bitset) clear(i int) { b[i>>6] &^= 1 << (i & 63) }
