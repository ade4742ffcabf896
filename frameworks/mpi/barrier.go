package mpi

import "context"

// Barrier returns when all ranks are in it.
//
// Dissemination: Hensgen, Finkel, Manber, "Two Algorithms for Barrier
// Synchronization", 1988. Each rank sends ceil(log2 n) messages.
func (c *Comm) Barrier(ctx context.Context) error {
	s, err := c.begin(opBarrier)
	if err != nil {
		return err
	}
	return s.done(s.barrier(ctx))
}

func (s steps) barrier(ctx context.Context) error {
	n, me := s.c.size, s.c.rank
	for d := 1; d < n; d *= 2 {
		if err := s.send(ctx, (me+d)%n, nil); err != nil {
			return err
		}
		if err := s.recv(ctx, (me-d+n)%n, nil); err != nil {
			return err
		}
	}
	return nil
}
