// Package slab keeps byte slices for reuse, by power of two: the buffers that
// the exchange reads into and those in which the mesh brings messages.
//
// # Laws
//
//	B1  A slice starts at a multiple of Alignment, so that Arrow arrays can be
//	    built over it.
//	B2  What is not in use belongs to the garbage collector: a pool keeps
//	    nothing from it, and needs no end.
//
// # Left out
//
// Shared and pre-faulted memory (package arena), and any bound on what is in
// use: whoever asks has a budget.
package slab

import (
	"math/bits"
	"sync"
	"unsafe"
)

// Alignment is where Arrow wants its buffers to start, in bytes.
const Alignment = 64

const (
	minClass = 8  // 256 B
	maxClass = 27 // 128 MiB; what is larger is not kept
)

// Pool hands slices out and takes them back. The zero Pool is ready; it is safe
// for concurrent use. It is an arrow allocator, so that the last release of a
// record brings its memory back.
type Pool struct {
	classes [maxClass + 1]sync.Pool // of *byte, the start of 1<<class bytes
}

func classOf(n int) int { return max(minClass, bits.Len(uint(max(n, 1)-1))) }

// Get returns n bytes with undefined content. They are the caller's until Free.
func (p *Pool) Get(n int) []byte {
	c := classOf(n)
	if c > maxClass {
		return aligned(n)
	}
	if start, ok := p.classes[c].Get().(*byte); ok {
		return unsafe.Slice(start, 1<<c)[:n]
	}
	return aligned(1 << c)[:n]
}

// Free takes back a slice from Get. It may be cut at its end, not at its start.
func (p *Pool) Free(b []byte) {
	if c := classOf(cap(b)); c <= maxClass && cap(b) == 1<<c {
		p.classes[c].Put(unsafe.SliceData(b))
	}
}

// Allocate is Get, for arrow.
func (p *Pool) Allocate(n int) []byte { return p.Get(n) }

// Reallocate returns n bytes that begin as b does, and takes b back.
func (p *Pool) Reallocate(n int, b []byte) []byte {
	if n <= cap(b) {
		return b[:n]
	}
	next := p.Get(n)
	copy(next, b)
	p.Free(b)
	return next
}

// aligned returns n bytes of capacity n that start at a multiple of Alignment.
func aligned(n int) []byte {
	b := make([]byte, n+Alignment)
	skip := -int(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) & (Alignment - 1)
	return b[skip : skip+n : skip+n]
}
