package mesh

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
)

// credits are the bytes that may still be sent to a peer. Who asks first gets
// first, so that large messages do not starve.
type credits struct {
	mu    sync.Mutex
	size  int
	free  int
	queue []*request
}

type request struct {
	n  int
	ok chan struct{}
}

func newCredits(n int) *credits { return &credits{size: n, free: n} }

// take waits for n credits, n being at most the size.
func (c *credits) take(ctx context.Context, w waits, n int) error {
	if c.spare(n) {
		return nil
	}
	c.mu.Lock()
	r := &request{n: n, ok: make(chan struct{})}
	c.queue = append(c.queue, r)
	c.serve() // some may have come back meanwhile
	c.mu.Unlock()
	err := w.wait(ctx, r.ok)
	if err == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, q := range c.queue {
		if q == r {
			c.queue = append(c.queue[:i], c.queue[i+1:]...)
			c.serve()
			return err
		}
	}
	c.free += n
	c.serve()
	return err
}

// spare takes n credits if they are there and nobody waits for any.
func (c *credits) spare(n int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.queue) > 0 || c.free < n {
		return false
	}
	c.free -= n
	return true
}

// give takes credits back. More than were taken is an error of whoever gives.
func (c *credits) give(n uint64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n > uint64(c.size-c.free) {
		return fmt.Errorf("%w: %d credits where %d are out", errProtocol, n, c.size-c.free)
	}
	c.free += int(n)
	c.serve()
	return nil
}

func (c *credits) serve() {
	for len(c.queue) > 0 && c.queue[0].n <= c.free {
		c.free -= c.queue[0].n
		close(c.queue[0].ok)
		c.queue = c.queue[1:]
	}
}

// waits is what a call that waits for something gives up for, beside its
// context: the link is down, the mesh is closed.
type waits struct {
	closing <-chan struct{}
	down    *fate
}

// wait returns nil once ok is closed.
func (w waits) wait(ctx context.Context, ok <-chan struct{}) error {
	select {
	case <-ok:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-w.down.over:
		return w.down.err
	case <-w.closing:
		return ErrClosed
	}
}

// check returns why nothing can be sent to the peer any more. Whether the mesh
// is closed is known to every call already.
func (w waits) check() error {
	if w.down.sealed.Load() {
		return w.down.err
	}
	return nil
}

// fate is the end of a link to a peer, which comes once.
type fate struct {
	once   sync.Once
	err    *PeerError
	sealed atomic.Bool   // set after err
	over   chan struct{} // closed after err is set
}

func newFate() *fate { return &fate{over: make(chan struct{})} }

func (f *fate) seal(err *PeerError) {
	f.once.Do(func() {
		f.err = err
		f.sealed.Store(true)
		close(f.over)
	})
}

// broadcast wakes all who wait for something to change.
type broadcast struct {
	mu sync.Mutex
	ch chan struct{}
}

// next is closed by the next wake.
func (b *broadcast) next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch == nil {
		b.ch = make(chan struct{})
	}
	return b.ch
}

func (b *broadcast) wake() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch != nil {
		close(b.ch)
		b.ch = nil
	}
}
