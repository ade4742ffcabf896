package algorithm

import (
	"math"
	"math/bits"
)

// hubs is the edges among the vertices of highest degree, the first places, as
// bits: most triangles are among them, and of 64 possible corners those there are
// are found by one operation.
type hubs struct {
	n      int // places below
	starts []uint32
	edges  []uint64 // row b from starts[b]: bit c where b has c in its list, c < b
	double []uint64 // the same of entries with two edges; nil where all count alike
}

// mostHubs bounds the bits to what a core's cache has room for, and hubsShare the
// part of the memory.
const (
	mostHubs  = 8192
	hubsShare = 16
)

// newHubs chooses the number of hubs of a graph.
func newHubs(vertices int, memory int64, double bool) *hubs {
	h := &hubs{n: min(vertices, mostHubs, int(4*math.Sqrt(float64(memory/hubsShare))))}
	h.starts = make([]uint32, h.n+1)
	for b := range h.n {
		h.starts[b+1] = h.starts[b] + uint32(b+63)/64
	}
	h.edges = make([]uint64, h.starts[h.n])
	if double {
		h.double = make([]uint64, h.starts[h.n])
	}
	return h
}

// add takes the list of a hub.
func (h *hubs) add(place uint32, list []uint32) {
	for _, e := range list {
		at := h.starts[place] + e>>7
		h.edges[at] |= 1 << (e >> 1 & 63)
		if h.double != nil && e&1 != 0 {
			h.double[at] |= 1 << (e >> 1 & 63)
		}
	}
}

// hubMask is the hubs in the list of the vertex at hand, as bits.
type hubMask struct {
	edges  [mostHubs / 64]uint64
	double [mostHubs / 64]uint64
}

func (m *hubMask) set(list []uint32) {
	for _, e := range list {
		m.edges[e>>7] |= 1 << (e >> 1 & 63)
		m.double[e>>7] |= uint64(e&1) << (e >> 1 & 63)
	}
}

func (m *hubMask) clear(list []uint32) {
	for _, e := range list {
		m.edges[e>>7], m.double[e>>7] = 0, 0
	}
}

// countHubs counts the triangles of a vertex with two hubs. list is the hubs in
// its list.
func (c *credits) countHubs(h *hubs, list []uint32) (toA uint64) {
	c.mask.set(list)
	for i, e := range list {
		b := e >> 1
		row := h.edges[h.starts[b]:h.starts[b+1]]
		var both []uint64
		if h.double != nil {
			both = h.double[h.starts[b]:h.starts[b+1]]
		}
		// Few corners are looked up one by one.
		if i < len(row) {
			toA += c.lookUp(list[:i], e, row, both)
		} else {
			toA += c.intersect(e, row, both)
		}
	}
	c.mask.clear(list)
	return toA
}

// lookUp credits b, which is entry e, and the c of a's list that b's row has.
func (c *credits) lookUp(list []uint32, e uint32, row, both []uint64) (toA uint64) {
	found, toB := uint64(0), uint64(0)
	for _, f := range list {
		at := f >> 1
		if row[at>>6]>>(at&63)&1 == 0 {
			continue
		}
		found++
		toB += uint64(f & 1)
		c.credit[at] += 1 + uint64(e&1)
		if both != nil {
			toA += both[at>>6] >> (at & 63) & 1
		}
	}
	return c.creditHub(e, found, toA, toB, both)
}

// intersect does the same for all of a's hubs.
func (c *credits) intersect(e uint32, row, both []uint64) (toA uint64) {
	found, toB := 0, 0
	mask := c.mask.edges[:len(row)]
	for w, x := range row {
		x &= mask[w]
		if x == 0 {
			continue
		}
		found += bits.OnesCount64(x)
		toB += bits.OnesCount64(x & c.mask.double[w])
		if both != nil {
			toA += uint64(bits.OnesCount64(x & both[w]))
		}
		ways := 1 + uint64(e&1)
		credit := c.credit[w<<6:]
		for ; x != 0; x &= x - 1 {
			credit[bits.TrailingZeros64(x)] += ways
		}
	}
	return c.creditHub(e, uint64(found), toA, uint64(toB), both)
}

// creditHub credits b with the edges from a to c, and returns a's credit: those
// from b to c.
func (c *credits) creditHub(e uint32, found, toA, toB uint64, both []uint64) uint64 {
	c.found += found
	c.credit[e>>1] += found + toB
	if both == nil {
		return found
	}
	return found + toA
}
