package mesh

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/shuffle/mesh/shm"
)

// Buffer is memory that can be handed to another rank of this host without a
// copy. It belongs to the caller of [Mesh.Alloc] until Release or [Mesh.Hand].
type Buffer struct {
	b     []byte
	off   int
	arena *arena // nil: of the pool
	pool  *pool
}

// Bytes is the memory, with undefined content.
func (b *Buffer) Bytes() []byte { return b.b }

// Release gives the memory back. A second Release does nothing.
func (b *Buffer) Release() {
	switch {
	case b.b == nil:
	case b.arena == nil:
		b.pool.Free(b.b)
	default:
		b.arena.release(b.off)
	}
	b.b = nil
}

// free is the release of a message over the buffer.
func (b *Buffer) free(*Message) { b.Release() }

// Alloc returns n bytes that start at a multiple of 64. Where ranks are linked
// by shared memory they lie in it, unless n is small, or more than half of
// Config.Arena. It blocks while the arena has no room.
func (m *Mesh) Alloc(ctx context.Context, n int) (*Buffer, error) {
	if !m.enter() {
		return nil, ErrClosed
	}
	defer m.leave()
	if n < 0 {
		return nil, core.Errorf(core.Invalid, "buffer of %d bytes", n).At("mesh")
	}
	if m.arena == nil || n <= sharedEager || n > m.arena.most() {
		return &Buffer{b: m.pool.Get(max(n, 1))[:n], pool: &m.pool}, nil
	}
	return m.arena.alloc(ctx, waits{m.closing, m.never}, n)
}

// Hand sends b, as [Mesh.Send] does its parts, but where b and the rank to are
// on one host the receiver gets b's memory itself. b belongs to the mesh from
// the call on, whatever the outcome.
func (m *Mesh) Hand(ctx context.Context, to int, t Tag, b *Buffer) error {
	moved := *b
	b.b = nil
	if !m.enter() {
		moved.Release()
		return ErrClosed
	}
	defer m.leave()
	l, err := m.linkTo(ctx, to)
	if err != nil {
		moved.Release()
		return err
	}
	return l.hand(ctx, t, &moved)
}

// arena is the shared memory in which this rank's large payloads lie on their
// way. A peer gives a payload back by a word in the memory it shares with us.
type arena struct {
	memory *mapping
	mem    []byte

	mu    sync.Mutex
	heap  *shm.Heap
	lanes []*shared
	space broadcast
}

// add lets the arena have its payloads back from one more peer.
func (a *arena) add(l *shared) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.lanes = append(a.lanes, l)
}

func (a *arena) most() int { return a.heap.Size() / 2 }

func (a *arena) alloc(ctx context.Context, w waits, n int) (*Buffer, error) {
	for {
		next := a.space.next()
		if b := a.try(n); b != nil {
			return b, nil
		}
		if err := a.wait(ctx, w, next); err != nil {
			return nil, err
		}
	}
}

// recheck is how often a call that waits for shared memory looks by itself: a
// rank that has closed its mesh gives memory back and cannot ring.
const recheck = 20 * time.Millisecond

func (a *arena) wait(ctx context.Context, w waits, next <-chan struct{}) error {
	look := time.AfterFunc(recheck, a.space.wake)
	defer look.Stop()
	return w.wait(ctx, next)
}

// try returns nil where there is no room; peers ring then when there may be.
func (a *arena) try(n int) *Buffer {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, ask := range []bool{false, true} {
		for _, l := range a.lanes {
			if ask {
				l.ours.want.Store(1)
			}
			l.reclaim()
		}
		if off, ok := a.heap.Alloc(n); ok {
			a.memory.retain()
			return &Buffer{b: a.mem[off : off+n : off+n], off: off, arena: a}
		}
	}
	return nil
}

func (a *arena) release(off int) {
	a.mu.Lock()
	a.heap.Free(off)
	a.mu.Unlock()
	a.space.wake()
	a.memory.release()
}

// slots is the number of payloads of one direction that may be with the peer.
const slots = 1024

// returns is where a receiver gives a sender's payloads back.
type returns struct {
	want  atomic.Uint32 // 1: ring when a word changes
	_     [60]byte
	words [slots]atomic.Uint32 // 1: given back
}

const returnsSize = 64 + 4*slots

// lend notes that b is with the peer of l, and returns the slot that gives it
// back, false when all are taken.
func (a *arena) lend(l *shared, b *Buffer) (uint32, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(l.idle) == 0 {
		l.reclaim()
	}
	if len(l.idle) == 0 {
		l.ours.want.Store(1)
		l.reclaim()
	}
	if len(l.idle) == 0 {
		return 0, false
	}
	slot := l.idle[len(l.idle)-1]
	l.idle = l.idle[:len(l.idle)-1]
	l.ours.words[slot].Store(0)
	l.lent = append(l.lent, loan{slot, b})
	return slot, true
}

// unlend takes back what was not sent after all, unless it was freed when the
// peer was lost.
func (a *arena) unlend(l *shared, x loan) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	i := slices.Index(l.lent, x)
	if i < 0 {
		return false
	}
	l.lent = slices.Delete(l.lent, i, i+1)
	l.idle = append(l.idle, x.slot)
	return true
}

// forfeit frees what a lost peer cannot give back.
func (a *arena) forfeit(l *shared) {
	a.mu.Lock()
	for _, x := range l.lent {
		l.redeem(x)
	}
	l.lent = nil
	a.mu.Unlock()
	a.space.wake()
}

// loan is a buffer that a peer has.
type loan struct {
	slot uint32
	b    *Buffer
}

// reclaim frees what the peer has given back. Under the arena's lock.
func (l *shared) reclaim() {
	l.lent = slices.DeleteFunc(l.lent, func(x loan) bool {
		if l.ours.words[x.slot].Load() == 0 {
			return false
		}
		l.redeem(x)
		return true
	})
}

func (l *shared) redeem(x loan) {
	l.idle = append(l.idle, x.slot)
	a := x.b.arena
	a.heap.Free(x.b.off)
	x.b.b = nil
	a.memory.release()
}

// mapping is shared memory that stays mapped while somebody reads it.
type mapping struct {
	regions []*shm.Region
	refs    atomic.Int64
}

func newMapping(regions ...*shm.Region) *mapping {
	m := &mapping{regions: regions}
	m.refs.Store(1)
	return m
}

func (m *mapping) retain() { m.refs.Add(1) }

func (m *mapping) release() {
	if m.refs.Add(-1) > 0 {
		return
	}
	for _, r := range m.regions {
		if err := r.Close(); err != nil {
			panic("mesh: unmap shared memory: " + err.Error())
		}
	}
}
