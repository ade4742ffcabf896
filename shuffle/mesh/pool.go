package mesh

import (
	"math/bits"
	"sync"
	"unsafe"
)

// pool keeps byte slices that start at a multiple of 64, by power of two.
type pool struct {
	classes [maxClass + 1]sync.Pool // of *byte, the start of 1<<class bytes
}

const (
	minClass = 8  // 256 B
	maxClass = 27 // 128 MiB; what is larger is left to the garbage collector
)

func classOf(n int) int { return max(minClass, bits.Len(uint(n-1))) }

// get returns n > 0 bytes with undefined content.
func (p *pool) get(n int) []byte {
	c := classOf(n)
	if c > maxClass {
		return aligned(n)
	}
	if start, ok := p.classes[c].Get().(*byte); ok {
		return unsafe.Slice(start, 1<<c)[:n]
	}
	return aligned(1 << c)[:n]
}

// put takes a slice from get back.
func (p *pool) put(b []byte) {
	if c := classOf(cap(b)); c <= maxClass && cap(b) == 1<<c {
		p.classes[c].Put(unsafe.SliceData(b))
	}
}

func (p *pool) free(m *Message) { p.put(m.data) }

// aligned returns n bytes of capacity n whose address is a multiple of 64.
func aligned(n int) []byte {
	b := make([]byte, n+64)
	skip := -int(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) & 63
	return b[skip : skip+n : skip+n]
}
