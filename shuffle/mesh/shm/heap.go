package shm

import (
	"slices"
	"sort"
)

// Unit is the boundary on which a heap's pieces start and the multiple of
// which they have.
const Unit = 4 << 10

// Heap gives out ranges of n bytes of memory. It knows offsets only. The
// lowest range that fits is taken, so that pages touched before are used again
// before new ones are. It is not safe for concurrent use.
type Heap struct {
	size int
	free []extent    // ascending, never adjacent
	used map[int]int // length by offset
}

type extent struct{ off, n int }

// NewHeap returns a heap of size bytes, rounded down to a multiple of Unit.
func NewHeap(size int) *Heap {
	size -= size % Unit
	h := &Heap{size: size, used: map[int]int{}}
	if size > 0 {
		h.free = []extent{{0, size}}
	}
	return h
}

// Size is the number of bytes of the heap.
func (h *Heap) Size() int { return h.size }

// Used is the number of ranges given out.
func (h *Heap) Used() int { return len(h.used) }

// Alloc returns the offset of n free bytes, false when there are none.
func (h *Heap) Alloc(n int) (int, bool) {
	if n > h.size {
		return 0, false
	}
	n = (max(n, 1) + Unit - 1) &^ (Unit - 1)
	for i := range h.free {
		f := &h.free[i]
		if f.n < n {
			continue
		}
		off := f.off
		if f.off, f.n = f.off+n, f.n-n; f.n == 0 {
			h.free = slices.Delete(h.free, i, i+1)
		}
		h.used[off] = n
		return off, true
	}
	return 0, false
}

// Free takes the range at off back. It panics where none is given out: a
// second Free would give one range to two.
func (h *Heap) Free(off int) {
	n, ok := h.used[off]
	if !ok {
		panic("shm: free of a range that is not in use")
	}
	delete(h.used, off)
	i := sort.Search(len(h.free), func(i int) bool { return h.free[i].off > off })
	h.free = slices.Insert(h.free, i, extent{off, n})
	if i+1 < len(h.free) && off+n == h.free[i+1].off {
		h.free[i].n += h.free[i+1].n
		h.free = slices.Delete(h.free, i+1, i+2)
	}
	if i > 0 && h.free[i-1].off+h.free[i-1].n == off {
		h.free[i-1].n += h.free[i].n
		h.free = slices.Delete(h.free, i, i+1)
	}
}
