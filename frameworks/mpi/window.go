package mpi

import (
	"context"

	"github.com/capstan-run/capstan/core"
)

// Window is memory of every rank of a communicator that the others may read and
// write. What one rank does to another's memory happens in the order in which
// it does it, element by element for accumulations; when it has happened is
// known after a Flush, an Unlock, a Complete or a Fence, and of what returns a
// value at once. The owner's own reading and writing of its memory must be kept
// apart from others' by the same calls.
type Window[T Number] struct {
	*window
	c       *Comm
	targets []int // of the access that Start began
	origins []int // of the exposure that Post began
}

// NewWindow opens this rank's memory, of any length, to the others. All ranks of c
// call it. ops are operators beside those that have a name; see [Custom]. They are
// the same on all ranks.
func NewWindow[T Number](ctx context.Context, c *Comm, memory []T, ops ...Op[T]) (*Window[T], error) {
	own, err := c.Dup(ctx)
	if err != nil {
		return nil, err
	}
	own.name = c.name + "/window"
	w := &window{c: own, memory: bytesOf(memory), size: sizeOf[T](), done: make(chan struct{}), faults: map[int]error{}}
	for how := Replace; how <= Greatest; how++ {
		w.ops = append(w.ops, reducing(opOf[T](how)).combine)
	}
	for _, op := range ops {
		w.ops = append(w.ops, reducing(op).combine)
	}
	go w.serve()
	return &Window[T]{window: w, c: own}, own.Barrier(ctx)
}

// Custom is the ith of the operators that a window was opened with.
func Custom(i int) Arithmetic { return Greatest + 1 + Arithmetic(i) }

// Put writes data to a rank's memory, from its element at on.
func (w *Window[T]) Put(ctx context.Context, target, at int, data []T) error {
	return w.tell(ctx, target, access{op: accessAccumulate, how: Replace, at: at, n: len(data)}, bytesOf(data))
}

// Accumulate makes each element of a rank's memory, from the element at on,
// itself combined with data's.
func (w *Window[T]) Accumulate(ctx context.Context, target, at int, data []T, how Arithmetic) error {
	return w.tell(ctx, target, access{op: accessAccumulate, how: how, at: at, n: len(data)}, bytesOf(data))
}

// Get reads a rank's memory, from its element at on.
func (w *Window[T]) Get(ctx context.Context, target, at int, into []T) error {
	return w.ask(ctx, target, access{op: accessGet, at: at, n: len(into)}, nil, bytesOf(into))
}

// GetAccumulate is Get, then Accumulate, in one.
func (w *Window[T]) GetAccumulate(ctx context.Context, target, at int, data []T, how Arithmetic, into []T) error {
	if len(data) != len(into) {
		return w.c.fault(opWindow.String(), core.Errorf(core.Invalid, "%d elements to combine, and room for %d", len(data), len(into)))
	}
	return w.ask(ctx, target, access{op: accessFetch, how: how, at: at, n: len(data)}, bytesOf(data), bytesOf(into))
}

// FetchOp is [Window.GetAccumulate] of one element.
func (w *Window[T]) FetchOp(ctx context.Context, target, at int, value T, how Arithmetic) (T, error) {
	var was [1]T
	err := w.GetAccumulate(ctx, target, at, []T{value}, how, was[:])
	return was[0], err
}

// CompareSwap sets an element to a value if it is another, and returns what it
// was.
func (w *Window[T]) CompareSwap(ctx context.Context, target, at int, old, value T) (T, error) {
	var was [1]T
	pair := [2]T{old, value}
	err := w.ask(ctx, target, access{op: accessSwap, at: at, n: 1}, bytesOf(pair[:]), bytesOf(was[:]))
	return was[0], err
}

// Flush returns when all that this rank did to a rank's memory has happened.
func (w *Window[T]) Flush(ctx context.Context, target int) error {
	return w.ask(ctx, target, access{op: accessFlush}, nil, nil)
}

// FlushAll flushes every rank.
func (w *Window[T]) FlushAll(ctx context.Context) error {
	return w.all(func(r int) error { return w.Flush(ctx, r) })
}

// Fence returns when all that all ranks did has happened. All ranks call it.
func (w *Window[T]) Fence(ctx context.Context) error {
	if err := w.FlushAll(ctx); err != nil {
		return err
	}
	return w.c.Barrier(ctx)
}

// Lock waits until no other rank has a rank's memory locked; shared locks may be
// several. It locks out other locks only.
func (w *Window[T]) Lock(ctx context.Context, target int, shared bool) error {
	op := accessLock
	if shared {
		op = accessLockShared
	}
	return w.ask(ctx, target, access{op: op}, nil, nil)
}

// Unlock ends a lock, all that this rank did having happened.
func (w *Window[T]) Unlock(ctx context.Context, target int) error {
	return w.ask(ctx, target, access{op: accessUnlock}, nil, nil)
}

// LockAll locks the memory of all ranks, as shared.
func (w *Window[T]) LockAll(ctx context.Context) error {
	return w.all(func(r int) error { return w.Lock(ctx, r, true) })
}

// UnlockAll ends a LockAll.
func (w *Window[T]) UnlockAll(ctx context.Context) error {
	return w.all(func(r int) error { return w.Unlock(ctx, r) })
}

func (w *Window[T]) all(f func(r int) error) error {
	for r := range w.c.size {
		if err := f(r); err != nil {
			return err
		}
	}
	return nil
}

// The tags of the calls that open and end an exposure.
const (
	tagPost = iota
	tagComplete
)

// Post lets ranks access this one's memory from their Start to their Complete.
func (w *Window[T]) Post(ctx context.Context, origins ...int) error {
	w.origins = append([]int(nil), origins...)
	for _, r := range origins {
		if err := Send(ctx, w.c, r, tagPost, []byte{}); err != nil {
			return err
		}
	}
	return nil
}

// Start waits until ranks have called Post with this one.
func (w *Window[T]) Start(ctx context.Context, targets ...int) error {
	w.targets = append([]int(nil), targets...)
	for _, r := range targets {
		if _, err := Recv(ctx, w.c, r, tagPost, []byte{}); err != nil {
			return err
		}
	}
	return nil
}

// Complete ends the access that Start began, all that it did having happened.
func (w *Window[T]) Complete(ctx context.Context) error {
	for _, r := range w.targets {
		if err := w.Flush(ctx, r); err != nil {
			return err
		}
		if err := Send(ctx, w.c, r, tagComplete, []byte{}); err != nil {
			return err
		}
	}
	w.targets = nil
	return nil
}

// Wait ends the exposure that Post began: its ranks have completed.
func (w *Window[T]) Wait(ctx context.Context) error {
	for _, r := range w.origins {
		if _, err := Recv(ctx, w.c, r, tagComplete, []byte{}); err != nil {
			return err
		}
	}
	w.origins = nil
	return nil
}

// Free closes the window, as a [Window.Fence] does. All ranks call it.
func (w *Window[T]) Free(ctx context.Context) error {
	err := w.Fence(ctx)
	if err == nil {
		err = w.tell(ctx, w.c.rank, access{op: accessEnd}, nil)
	}
	if err == nil {
		<-w.done
		w.c.Free()
	}
	return err
}
