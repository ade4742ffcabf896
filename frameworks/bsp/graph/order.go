package graph

import (
	"cmp"
	"slices"
)

// absent is the dense id of what is no vertex.
const absent = ^uint32(0)

// numbering is the dense ids of all vertices. It is computed by every rank for
// itself from the same numbers, which is less than to compute and send it.
type numbering struct {
	dense  []uint32 // by provisional id; absent where there is no vertex
	bounds []uint32
	cut    []uint32 // dense ids of vertices whose edges all ranks share, ascending
}

// number numbers the vertices for a gang of size ranks. degree is by
// provisional id, how many rows' entries a vertex has on all ranks, plus one;
// zero is no vertex. A vertex with more than the part cut of all entries is cut; 0:
// none is. hash is used ByHash.
//
// Within a rank vertices are in the order of their degrees, most first: what
// is read often then lies together and stays in the caches.
func number(degree []uint32, size int, by string, cut float64, hash func(provisional uint32) uint64) *numbering {
	if by == ByRange {
		return numberByRange(degree, size)
	}
	order := byDegree(degree)
	rank := make([]uint16, len(order)) // by position in order
	n := &numbering{dense: make([]uint32, len(degree))}
	hubs := 0
	if by == ByHash {
		for i, v := range order {
			rank[i] = uint16(hash(v) % uint64(size))
		}
	} else {
		if cut > 0 {
			hubs = countHubs(order, degree, cut)
		}
		deal(order, degree, size, hubs, rank)
	}
	counts := make([]uint32, size+1)
	for _, r := range rank {
		counts[r+1]++
	}
	for r := range size {
		counts[r+1] += counts[r]
	}
	n.bounds = slices.Clone(counts)
	fill(n.dense, absent)
	for i, v := range order {
		n.dense[v] = counts[rank[i]]
		counts[rank[i]]++
		if i < hubs {
			n.cut = append(n.cut, n.dense[v])
		}
	}
	slices.Sort(n.cut)
	return n
}

func fill(s []uint32, v uint32) {
	for i := range s {
		s[i] = v
	}
}

// numberByRange keeps the order of provisional ids and gives each rank as many
// vertices.
func numberByRange(degree []uint32, size int) *numbering {
	n := &numbering{dense: make([]uint32, len(degree)), bounds: make([]uint32, size+1)}
	next := uint32(0)
	for v, d := range degree {
		n.dense[v] = absent
		if d > 0 {
			n.dense[v] = next
			next++
		}
	}
	for r := range n.bounds {
		n.bounds[r] = uint32(uint64(next) * uint64(r) / uint64(size))
	}
	return n
}

// byDegree is the vertices by falling degree, those of equal degree by id.
func byDegree(degree []uint32) []uint32 {
	const few = 1 << 12 // degrees below are counted, those above sorted
	var counts [few + 1]uint32
	var high []uint32
	for v, d := range degree {
		if d >= few {
			high = append(high, uint32(v))
		} else if d > 0 {
			counts[d]++
		}
	}
	slices.SortFunc(high, func(a, b uint32) int {
		return cmp.Or(cmp.Compare(degree[b], degree[a]), cmp.Compare(a, b))
	})
	at := uint32(len(high))
	var starts [few + 1]uint32
	for d := few - 1; d > 0; d-- {
		starts[d] = at
		at += counts[d]
	}
	order := make([]uint32, at)
	copy(order, high)
	for v, d := range degree {
		if d > 0 && d < few {
			order[starts[d]] = uint32(v)
			starts[d]++
		}
	}
	return order
}

// hubShare is the part of a rank's fair share that a vertex has to have more of
// to be cut, unless Need.CutFrom says otherwise: to have it whole would then weigh
// on its rank, and it is worth an exchange of partial sums in each superstep.
const hubShare = 1.0 / 2

// countHubs is how many vertices at the front of order are cut: those that have
// more than a part of all edges.
func countHubs(order, degree []uint32, part float64) int {
	total := uint64(0)
	for _, v := range order {
		total += uint64(degree[v])
	}
	limit := part * float64(total)
	n := 0
	for n < len(order) && float64(degree[order[n]]) > limit {
		n++
	}
	return n
}

// deal gives each vertex to the rank with least work so far. The first hubs
// vertices are no work of their own: everybody has their edges.
func deal(order, degree []uint32, size, hubs int, rank []uint16) {
	const vertex = 2 // edges that a vertex is as much work as
	loads := make([]load, size)
	for r := range loads {
		loads[r].rank = uint16(r)
	}
	for i, v := range order {
		least := &loads[0]
		rank[i] = least.rank
		least.work += vertex
		if i >= hubs {
			least.work += uint64(degree[v])
		}
		sink(loads)
	}
}

type load struct {
	work uint64
	rank uint16
}

func (a load) less(b load) bool { return a.work < b.work || a.work == b.work && a.rank < b.rank }

// sink restores the heap after its first element has grown.
func sink(h []load) {
	for i := 0; ; {
		child := 2*i + 1
		if child >= len(h) {
			return
		}
		if child+1 < len(h) && h[child+1].less(h[child]) {
			child++
		}
		if !h[child].less(h[i]) {
			return
		}
		h[i], h[child] = h[child], h[i]
		i = child
	}
}
