package mpi

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/capstan-run/capstan/frameworks/mpi/waits"
	"github.com/capstan-run/capstan/shuffle/mesh"
)

// world is what all communicators of a rank share.
type world struct {
	mesh  *mesh.Mesh
	hosts []string // by rank of the world: equal where ranks share memory

	outboxes []outbox // by rank of the world
	self     *Comm

	trailers [kindCount][]byte // of messages without a struct in them

	awaited    atomic.Pointer[Request]    // that a goroutine waits for
	told       atomic.Pointer[waits.Wait] // what the program says that it waits for
	background sync.Map                   // mesh.Tag of a collective that was begun: its *Request
	comms      sync.Map                   // context: its communicator's name

	scratch sync.Pool // of *[]byte, for collectives

	mu   sync.Mutex
	used [contexts / 64]uint64 // contexts that a communicator of this rank has
}

// The contexts of the two communicators that every rank begins with.
const (
	worldContext = 0
	selfContext  = 1
)

func newWorld(m *mesh.Mesh, hosts []string) *world {
	w := &world{mesh: m, hosts: hosts, outboxes: make([]outbox, m.Size())}
	w.self = &Comm{w: w, name: "self", context: selfContext, size: 1, group: []int{m.Rank()}}
	w.used[0] = 1<<worldContext | 1<<selfContext
	for k := range w.trailers {
		w.trailers[k] = appendTrailer(nil, trailer{kind: kind(k), size: widths[k]})
	}
	return w
}

// widths are the sizes of elements by kind.
var widths = [kindCount]int{1: 1, 2: 8, 3: 1, 4: 2, 5: 4, 6: 8, 7: 8, 8: 1, 9: 2, 10: 4, 11: 8, 12: 8, 13: 4, 14: 8, 15: 8, 16: 16}

// borrow returns n bytes with undefined content, and what gives them back.
func (w *world) borrow(n int) (*[]byte, []byte) {
	p, ok := w.scratch.Get().(*[]byte)
	if !ok {
		p = new([]byte)
	}
	if cap(*p) < n {
		*p = make([]byte, n)
	}
	return p, (*p)[:n:n]
}

// comm is the communicator of all ranks.
func (w *world) comm() *Comm {
	return &Comm{w: w, name: "world", context: worldContext, rank: w.mesh.Rank(), size: w.mesh.Size()}
}

// World is a rank's membership of a running program, for those that have a main
// function of their own.
type World struct {
	Comm  *Comm // of all ranks
	leave func(ctx context.Context, err error) error
	said  atomic.Uint64 // calls of Awaits
}

// Leave ends the rank's part: with nil when all that it sent has arrived, with
// an error at once; the other ranks then find it lost.
func (w *World) Leave(ctx context.Context, err error) error { return w.leave(ctx, err) }
