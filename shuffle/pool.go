package shuffle

import (
	"math/bits"
	"sync"
	"unsafe"

	"github.com/capstan-run/capstan/shuffle/block"
)

// bufferPool keeps byte slices aligned to block.Alignment, by power of two.
// It is the arrow allocator of the buffers it hands out, so that the last
// release of a record brings its memory back.
type bufferPool struct {
	classes [maxClass + 1]sync.Pool // of *byte, the start of 1<<class bytes
}

const (
	minClass = 12 // 4 KiB
	maxClass = 26 // 64 MiB; what is larger is left to the garbage collector
)

func classOf(n int) int { return max(minClass, bits.Len(uint(max(n, 1)-1))) }

// get returns n bytes with undefined content.
func (p *bufferPool) get(n int) []byte {
	c := classOf(n)
	if c > maxClass {
		return aligned(n)
	}
	if start, ok := p.classes[c].Get().(*byte); ok {
		return unsafe.Slice(start, 1<<c)[:n]
	}
	return aligned(1 << c)[:n]
}

// Free takes b back: all of a slice from get.
func (p *bufferPool) Free(b []byte) {
	if c := classOf(cap(b)); c <= maxClass && cap(b) == 1<<c {
		p.classes[c].Put(unsafe.SliceData(b))
	}
}

// Allocate and Reallocate make the pool an arrow allocator. Nothing resizes
// the buffers of an exchange.
func (p *bufferPool) Allocate(n int) []byte { return p.get(n) }

func (p *bufferPool) Reallocate(n int, b []byte) []byte {
	if n <= cap(b) {
		return b[:n]
	}
	next := p.get(n)
	copy(next, b)
	p.Free(b)
	return next
}

// aligned returns n bytes of capacity n whose address is a multiple of
// block.Alignment.
func aligned(n int) []byte {
	b := make([]byte, n+block.Alignment)
	skip := -int(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) & (block.Alignment - 1)
	return b[skip : skip+n : skip+n]
}
