package arena

import (
	"fmt"
	"slices"
	"sync"

	"github.com/apache/arrow/go/v15/arrow/memory"
	"golang.org/x/sys/unix"
)

// huge is the size of a huge page, and the unit of all sizes here.
const huge = 2 << 20

// DefaultIdle is MaxIdle where none is set.
const DefaultIdle = 256 << 20

// Pool keeps blocks of this process's memory. The zero value is ready. It may
// be used from any goroutine.
type Pool struct {
	MaxIdle int64 // bytes kept for reuse; 0 is DefaultIdle, less than 0 none
	// Bound, if not 0, is what idle blocks and those in use together may take, in
	// bytes: idle ones make room for what is asked for. What is in use is the
	// callers' to bound.
	Bound int64

	mu   sync.Mutex
	idle []*Block
	kept int64 // bytes of idle
	used int64 // bytes of blocks in use
	live int64 // blocks in use
}

// Block is memory outside the Go heap.
type Block struct {
	pool *Pool
	mem  []byte // as mapped
	n    int
}

// Get returns a block of n > 0 bytes, whose content is undefined.
func (p *Pool) Get(n int) (*Block, error) {
	size := (n + huge - 1) &^ (huge - 1)
	b, surplus := p.take(size)
	for _, idle := range surplus {
		unmap(idle.mem)
	}
	if b != nil {
		b.n = n
		return b, nil
	}
	mem, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		p.mu.Lock()
		p.live, p.used = p.live-1, p.used-int64(size)
		p.mu.Unlock()
		return nil, fmt.Errorf("map %d bytes of memory: %w", size, err)
	}
	_ = unix.Madvise(mem, unix.MADV_HUGEPAGE) // advice: where there are none, small pages do
	return &Block{pool: p, mem: mem, n: n}, nil
}

// take returns the smallest idle block of size bytes and up to as much again. If
// there is none, the caller maps one, which counts as in use, and unmaps
// surplus, which made room for it.
func (p *Pool) take(size int) (b *Block, surplus []*Block) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.live++
	best := -1
	for i, b := range p.idle {
		if len(b.mem) >= size && len(b.mem) <= 2*size+huge && (best < 0 || len(b.mem) < len(p.idle[best].mem)) {
			best = i
		}
	}
	if best >= 0 {
		b := p.idle[best]
		p.idle = slices.Delete(p.idle, best, best+1)
		p.kept -= int64(len(b.mem))
		p.used += int64(len(b.mem))
		return b, nil
	}
	p.used += int64(size)
	for len(p.idle) > 0 && p.Bound > 0 && p.used+p.kept > p.Bound {
		surplus = append(surplus, p.idle[0]) // idle for longest
		p.kept -= int64(len(p.idle[0].mem))
		p.idle = slices.Delete(p.idle, 0, 1)
	}
	return nil, surplus
}

// Live returns the number of blocks in use.
func (p *Pool) Live() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.live
}

// Close frees the idle memory. Blocks in use are not touched.
func (p *Pool) Close() {
	p.mu.Lock()
	idle := p.idle
	p.idle, p.kept = nil, 0
	p.mu.Unlock()
	for _, b := range idle {
		unmap(b.mem)
	}
}

// Bytes returns the block's memory, aligned to a page.
func (b *Block) Bytes() []byte { return b.mem[:b.n:b.n] }

// Release gives the block back. It must not be used afterwards.
func (b *Block) Release() {
	p := b.pool
	limit := p.MaxIdle
	if limit == 0 {
		limit = DefaultIdle
	}
	p.mu.Lock()
	size := int64(len(b.mem))
	p.live, p.used = p.live-1, p.used-size
	keep := p.kept+size <= limit && (p.Bound == 0 || p.used+p.kept+size <= p.Bound)
	if keep {
		p.idle = append(p.idle, b)
		p.kept += size
	}
	p.mu.Unlock()
	if !keep {
		unmap(b.mem)
	}
}

// Buffer returns the block as an Arrow buffer, whose last release gives it
// back.
func (b *Block) Buffer() *memory.Buffer {
	return memory.NewBufferWithAllocator(b.Bytes(), releaser{b})
}

// releaser is the allocator of one buffer.
type releaser struct{ b *Block }

func (r releaser) Free([]byte)                   { r.b.Release() }
func (r releaser) Allocate(int) []byte           { panic("arena: a block does not allocate") }
func (r releaser) Reallocate(int, []byte) []byte { panic("arena: a block does not grow") }

func unmap(mem []byte) {
	if err := unix.Munmap(mem); err != nil {
		panic("arena: unmap memory: " + err.Error())
	}
}
