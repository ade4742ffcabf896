package algorithm

import (
	"github.com/capstan-run/capstan/frameworks/bsp/graph"
)

// neighbours makes the lists of the vertices that a rank's vertices are joined
// with, whatever the direction: ascending, each once, without the vertex itself.
// A list that is that already is used as it is; one that is made is claimed.
func neighbours(part *graph.Partition, cores int) (*graph.CSR, error) {
	if part.Out == part.In && isSimple(part.Out, part.First()) {
		return part.Out, nil
	}
	n := part.N()
	out := &graph.CSR{Offsets: make([]uint64, n+1)}
	walkUnion(part, cores, func(v int, union []uint64) { out.Offsets[v+1] = uint64(len(union)) })
	for v := range n {
		out.Offsets[v+1] += out.Offsets[v]
	}
	if err := part.Claim(4 * int64(out.Offsets[n])); err != nil {
		return nil, err
	}
	out.Targets = make([]uint32, out.Offsets[n])
	walkUnion(part, cores, func(v int, union []uint64) {
		at := out.Targets[out.Offsets[v]:]
		for i, code := range union {
			at[i] = uint32(code >> 1)
		}
	})
	return out, nil
}

// isSimple tells whether lists are strictly ascending and lead to other vertices.
func isSimple(list *graph.CSR, first uint32) bool {
	for v := range list.Vertices() {
		targets := list.Row(v)
		for i, t := range targets {
			if t == first+uint32(v) || i > 0 && targets[i-1] >= t {
				return false
			}
		}
	}
	return true
}

// walkUnion calls f for each local vertex, on several goroutines, with its
// neighbours as appendUnion gives them. f may use the union until it returns.
func walkUnion(part *graph.Partition, cores int, f func(v int, union []uint64)) {
	first := part.First()
	scratch := make([][]uint64, max(cores, 1))
	share(cores, part.Out, func(core, from, to int) {
		union := scratch[core]
		for v := from; v < to; v++ {
			union = appendUnion(union[:0], part.Out.Row(v), part.In.Row(v), first+uint32(v))
			f(v, union)
		}
		scratch[core] = union
	})
}

// appendUnion merges two ascending lists into one without repeats and without
// self. A neighbour t is t<<1, and t<<1|1 if it is in both lists.
func appendUnion(dst []uint64, out, in []uint32, self uint32) []uint64 {
	const end = uint64(1) << 40
	i, j := 0, 0
	for {
		a, b := end, end
		if i < len(out) {
			a = uint64(out[i])
		}
		if j < len(in) {
			b = uint64(in[j])
		}
		t := min(a, b)
		if t == end {
			return dst
		}
		for ; i < len(out) && uint64(out[i]) == t; i++ {
		}
		for ; j < len(in) && uint64(in[j]) == t; j++ {
		}
		if t == uint64(self) {
			continue
		}
		code := t << 1
		if a == b {
			code |= 1
		}
		dst = append(dst, code)
	}
}

// fringe finds the own vertices that are joined with a vertex of another rank.
type fringe struct {
	slot    []uint32 // by dense id of a vertex of another rank that own edges reach
	offsets []uint64 // by slot
	own     []uint32 // local vertices
}

// newFringe claims what it takes for each edge.
func newFringe(m *mirror, list *graph.CSR) (*fringe, error) {
	part := m.part
	f := &fringe{slot: wholeColumn[uint32](part)}
	slots := 0
	for _, ids := range m.read {
		for _, id := range ids {
			f.slot[id] = uint32(slots)
			slots++
		}
	}
	lo, hi := part.Bounds[part.Rank], part.Bounds[part.Rank+1]
	f.offsets = make([]uint64, slots+2)
	for _, t := range list.Targets {
		if t < lo || t >= hi {
			f.offsets[f.slot[t]+2]++
		}
	}
	for i := 2; i < len(f.offsets); i++ {
		f.offsets[i] += f.offsets[i-1]
	}
	if err := part.Claim(4 * int64(f.offsets[slots+1])); err != nil {
		return nil, err
	}
	f.own = make([]uint32, f.offsets[slots+1])
	for v := range list.Vertices() {
		for _, t := range list.Row(v) {
			if t < lo || t >= hi {
				at := &f.offsets[f.slot[t]+1]
				f.own[*at] = uint32(v)
				*at++
			}
		}
	}
	return f, nil
}

// rows are the lists of the slots.
func (f *fringe) rows() *graph.CSR {
	return &graph.CSR{Offsets: f.offsets[:len(f.offsets)-1], Targets: f.own}
}

// of are the own vertices, local and ascending, that are joined with a vertex of
// another rank.
func (f *fringe) of(dense uint32) []uint32 {
	s := f.slot[dense]
	return f.own[f.offsets[s]:f.offsets[s+1]]
}
