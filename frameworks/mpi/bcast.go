package mpi

import "context"

// Bcast gives all ranks root's data. It is of the same length everywhere.
func Bcast[T any](ctx context.Context, c *Comm, root int, data []T) error {
	s, err := c.begin(opBcast)
	if err != nil {
		return err
	}
	return s.done(s.bcast(ctx, root, bytesOf(data)))
}

// bcast is a binomial tree.
func (s steps) bcast(ctx context.Context, root int, b []byte) error {
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
