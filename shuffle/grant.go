package shuffle

import (
	"context"
	"sync"

	"golang.org/x/sync/semaphore"
)

// grant is the memory of one call of a source: its share of Source.InFlight,
// and the allocator of what it copies. It is arrow's allocator of the buffers
// that the call reads into, whose last releases give the share back.
type grant struct {
	s       *Source
	need    int64 // all that the call may copy
	unbound bool  // the call takes no share

	asked   chan struct{} // closed when the bound has answered; nil before the question
	refused error         // its answer

	mu    sync.Mutex
	taken int64 // of the bound
	live  int64 // bytes in use
	ended bool  // the call is over: what is not in use is given back
}

// bound returns the semaphore of InFlight bytes, nil for no bound.
func (s *Source) bound() *semaphore.Weighted {
	if s.InFlight <= 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held == nil {
		s.held = semaphore.NewWeighted(s.InFlight)
	}
	return s.held
}

// take waits until the call may hold all that it needs (law X11). Whoever
// copies calls it first: the first of them asks, for all.
func (g *grant) take(ctx context.Context) error {
	sem := g.s.bound()
	if sem == nil || g.unbound {
		return nil
	}
	g.mu.Lock()
	first := g.asked == nil
	if first {
		g.asked = make(chan struct{})
	}
	g.mu.Unlock()
	if !first {
		select {
		case <-g.asked:
			return g.refused
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	defer close(g.asked)
	n := min(g.need, g.s.InFlight)
	if err := sem.Acquire(ctx, n); err != nil {
		g.refused = context.Cause(ctx)
		return g.refused
	}
	g.mu.Lock()
	g.taken = n
	g.mu.Unlock()
	return nil
}

// end is called when the call copies nothing more.
func (g *grant) end() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ended = true
	g.settle()
}

// settle gives back what the call does not use.
func (g *grant) settle() {
	if spare := g.taken - g.live; g.ended && spare > 0 {
		g.taken -= spare
		g.s.bound().Release(spare)
	}
}

// Allocate returns n bytes with undefined content.
func (g *grant) Allocate(n int) []byte {
	g.mu.Lock()
	g.live += int64(n)
	g.mu.Unlock()
	g.s.Metrics.held(int64(n))
	return g.s.pool.Get(n)
}

// Free takes b back.
func (g *grant) Free(b []byte) {
	n := int64(len(b))
	g.s.pool.Free(b)
	g.s.Metrics.held(-n)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.live -= n
	g.settle()
}

func (g *grant) Reallocate(int, []byte) []byte {
	panic("shuffle: a buffer that was read does not grow")
}
