package mpi

import "context"

// Bcast gives all ranks root's data. It is of the same length everywhere.
func Bcast[T any](ctx context.Context, c *Comm, root int, data []T) error {
	return c.collect(ctx, opBcast, func(ctx context.Context, s steps) error { return s.bcast(ctx, root, bytesOf(data)) })
}

// Ibcast begins a [Bcast].
func Ibcast[T any](ctx context.Context, c *Comm, root int, data []T) (*Request, error) {
	return c.later(ctx, opBcast, func(ctx context.Context, s steps) error { return s.bcast(ctx, root, bytesOf(data)) })
}

// spreadFrom is the length from which scattering and gathering costs less than
// sending the whole along a tree.
const spreadFrom = 256 << 10

func (s steps) bcast(ctx context.Context, root int, b []byte) error {
	if err := s.c.checkRoot(root); err != nil {
		return err
	}
	if len(b) >= spreadFrom && s.c.size > 2 {
		return s.spread(ctx, root, b)
	}
	return s.tree(ctx, root, b)
}

// tree is a binomial tree.
func (s steps) tree(ctx context.Context, root int, b []byte) error {
	n := s.c.size
	me := (s.c.rank - root + n) % n
	far := 1
	for ; far < n; far *= 2 {
		if me&far != 0 {
			if err := s.recv(ctx, (me-far+root)%n, b); err != nil {
				return err
			}
			break
		}
	}
	for far /= 2; far > 0; far /= 2 {
		if me+far < n {
			if err := s.send(ctx, (me+far+root)%n, b); err != nil {
				return err
			}
		}
	}
	return nil
}

// spread scatters b and gathers it everywhere: van de Geijn's broadcast, as in
// Thakur, Rabenseifner, Gropp, "Optimization of Collective Communication
// Operations in MPICH", 2005.
func (s steps) spread(ctx context.Context, root int, b []byte) error {
	parts := s.shares(b, 1)
	me := s.c.rank
	if me == root {
		for r := range parts {
			if r == root {
				continue
			}
			if err := s.send(ctx, r, parts[r]); err != nil {
				return err
			}
		}
	} else if err := s.recv(ctx, root, parts[me]); err != nil {
		return err
	}
	return s.ring(ctx, parts)
}

// shares cuts b into a part for each rank, of whole elements and about the same
// size.
func (s steps) shares(b []byte, size int) [][]byte {
	n, count := s.c.size, len(b)/max(size, 1)
	parts := make([][]byte, n)
	for r := range parts {
		from, to := count*r/n*size, count*(r+1)/n*size
		parts[r] = b[from:to:to]
	}
	return parts
}
