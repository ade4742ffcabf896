package pmi

import (
	"context"
	"time"
)

// firstBarriers are those of MPI_Init, which no grace cuts short.
const firstBarriers = 2

// fence is one barrier of a server's ranks.
type fence struct {
	in   map[int]bool
	done chan struct{} // closed when all ranks of the world are in
	err  error         // set before
	cut  bool          // somebody has not waited for the end: nobody needs to
}

func newFence() *fence { return &fence{in: map[int]bool{}, done: make(chan struct{})} }

// barrier returns when every rank of the world is in it (law P2), or when the
// world's grace is over.
func (s *Server) barrier(ctx context.Context, rank int) error {
	s.mu.Lock()
	f := s.fence
	f.in[rank] = true
	cut, number := f.cut, s.fences
	meet := s.gathered()
	s.mu.Unlock()
	if meet != nil {
		go meet(ctx) // the rank may be lost before the others are in
	}
	var late <-chan time.Time
	if s.world.Grace > 0 && number >= firstBarriers {
		timer := time.NewTimer(s.world.Grace)
		defer timer.Stop()
		late = timer.C
	}
	if cut {
		return nil
	}
	select {
	case <-f.done:
		return f.err
	case <-late:
		s.mu.Lock()
		f.cut = true
		s.mu.Unlock()
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// gathered begins the next fence when all ranks of this server are in, and returns
// how to join it with the others'; else nil. s.mu is held.
func (s *Server) gathered() func(context.Context) {
	f := s.fence
	if len(f.in) < s.present || len(f.in) == 0 {
		return nil
	}
	put := s.fresh
	s.fresh, s.fence = nil, newFence()
	s.fences++
	n := s.fences
	return func(ctx context.Context) { s.meet(ctx, f, n, put) }
}

// meet joins the nth barrier of this server's ranks with the others'.
func (s *Server) meet(ctx context.Context, f *fence, n int, put []Pair) {
	others, err := s.fabric.Fence(ctx, n, put)
	s.mu.Lock()
	s.add(others)
	f.err = err
	s.mu.Unlock()
	close(f.done)
}

// Leave says that a rank is lost and the others go on: no barrier waits for it any
// more. It returns at once; ctx is for what it may let begin.
func (s *Server) Leave(ctx context.Context, rank int) {
	s.mu.Lock()
	if s.gone[rank] {
		s.mu.Unlock()
		return
	}
	s.gone[rank] = true
	s.present--
	delete(s.fence.in, rank)
	meet := s.gathered()
	s.mu.Unlock()
	if meet != nil {
		go meet(ctx)
	}
}
