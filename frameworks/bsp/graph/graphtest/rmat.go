// Package graphtest makes graphs for tests and benchmarks, of a seed alone.
package graphtest

// Edge is an edge of a made graph.
type Edge struct {
	Source, Target uint32
	Weight         float64
}

// Random is a generator of numbers (splitmix64): small, fast, the same
// everywhere.
type Random uint64

// Next is the next 64 bits.
func (r *Random) Next() uint64 {
	*r += 0x9e3779b97f4a7c15
	z := uint64(*r)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// Below is a number 0 <= x < n.
func (r *Random) Below(n int) int { return int(r.Next() % uint64(n)) }

// Unit is a number 0 <= x < 1.
func (r *Random) Unit() float64 { return float64(r.Next()>>11) / (1 << 53) }

// RMAT is a Kronecker graph with the parameters of Graph500 (0.57, 0.19, 0.19):
// 2^scale ids, of which some have no edge, and factor edges for each. Ids are
// shuffled, so that they say nothing of degrees; edges may be double, and
// lead from a vertex to itself. Weights are whole numbers from 1 to 255.
func RMAT(scale, factor int, seed uint64) []Edge {
	r := Random(seed)
	n := 1 << scale
	names := shuffled(&r, n)
	edges := make([]Edge, n*factor)
	for i := range edges {
		s, t := r.cell(scale)
		edges[i] = Edge{names[s], names[t], float64(1 + r.Below(255))}
	}
	return edges
}

// RMATSource is a vertex of RMAT's graph that has an edge.
func RMATSource(scale int, seed uint64) uint32 {
	r := Random(seed)
	names := shuffled(&r, 1<<scale)
	s, _ := r.cell(scale)
	return names[s]
}

func shuffled(r *Random, n int) []uint32 {
	names := make([]uint32, n)
	for i := range names {
		names[i] = uint32(i)
	}
	for i := n - 1; i > 0; i-- {
		j := r.Below(i + 1)
		names[i], names[j] = names[j], names[i]
	}
	return names
}

// cell is a cell of the adjacency matrix.
func (r *Random) cell(scale int) (s, t uint32) {
	const a, ab, abc = 57 << 9, 76 << 9, 95 << 9 // in parts of 100 << 9
	for bits := uint64(0); scale > 0; scale-- {
		if bits>>16 == 0 {
			bits = r.Next() | 1<<63
		}
		x := int(bits & 0xffff * (100 << 9) >> 16)
		bits >>= 16
		s, t = s<<1, t<<1
		switch {
		case x < a:
		case x < ab:
			t |= 1
		case x < abc:
			s |= 1
		default:
			s, t = s|1, t|1
		}
	}
	return s, t
}

// Uniform is a graph of m edges between n vertices, each pair as likely, loops
// included. Weights are numbers from 0 to 1.
func Uniform(n, m int, seed uint64) []Edge {
	r := Random(seed)
	edges := make([]Edge, m)
	for i := range edges {
		edges[i] = Edge{uint32(r.Below(n)), uint32(r.Below(n)), r.Unit()}
	}
	return edges
}
