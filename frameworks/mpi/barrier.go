package mpi

import "context"

// Barrier returns when all ranks are in it.
func (c *Comm) Barrier(ctx context.Context) error { return c.collect(ctx, opBarrier, barrier) }

// Ibarrier begins a [Comm.Barrier].
func (c *Comm) Ibarrier(ctx context.Context) (*Request, error) {
	return c.later(ctx, opBarrier, barrier)
}

// barrier is dissemination: Hensgen, Finkel, Manber, "Two Algorithms for Barrier
// Synchronization", 1988. Each rank sends ceil(log2 n) messages.
func barrier(ctx context.Context, s steps) error {
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
