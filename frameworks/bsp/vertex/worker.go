package vertex

import (
	"maps"
	"math/bits"
	"slices"
)

// worker computes a part of a rank's vertices, on a core.
type worker[V, E, M any] struct {
	e      *engine[V, E, M]
	index  int
	lo, hi uint32 // its vertices; multiples of 64, but for the last

	vertex Vertex[V, E, M]
	out    outbox[M]
	err    error

	computed int64 // vertices, in this superstep
	sent     int64
	asked    int64

	bits    bitset // of the section being sent
	sparse  list[M]
	encoded []byte
}

func newWorker[V, E, M any](e *engine[V, E, M], index int) *worker[V, E, M] {
	w := &worker[V, E, M]{e: e, index: index}
	w.vertex.w = w
	if e.cfg.Combiner.combine != nil {
		w.out.column, w.out.set = make([]M, e.total), newBitset(int(e.total))
	} else {
		w.out.lists = make([]list[M], e.size)
	}
	w.out.named, w.out.requests = make([][]byte, e.size), make([][]byte, e.size)
	return w
}

// run computes the worker's vertices from lo to hi; both are multiples of 64,
// but for the last.
func (w *worker[V, E, M]) run(lo, hi uint32) {
	lo, hi = max(lo, w.lo), min(hi, w.hi)
	for at := lo; at < hi; at += 64 {
		i := at / 64
		active := (^w.e.asleep[i] | w.e.in.set[i]) &^ w.e.removed[i]
		if rest := hi - at; rest < 64 {
			active &= 1<<rest - 1
		}
		for ; active != 0; active &= active - 1 {
			w.compute(at + uint32(bits.TrailingZeros64(active)))
		}
		if w.err != nil {
			return
		}
	}
}

func (w *worker[V, E, M]) compute(at uint32) {
	v := w.at(at)
	w.computed++
	w.e.compute.Compute(v, w.e.in.of(at))
	if v.halt {
		w.e.asleep.put(at)
	} else {
		w.e.asleep.drop(at)
	}
}

// at points the worker's vertex at a local one.
func (w *worker[V, E, M]) at(at uint32) *Vertex[V, E, M] {
	v := &w.vertex
	v.Value, v.local, v.halt = &w.e.values[at], at, false
	v.targets, v.values = w.e.edgesOf(at)
	return v
}

func sortedKeys[M any](m map[uint32]M) []uint32 { return slices.Sorted(maps.Keys(m)) }
