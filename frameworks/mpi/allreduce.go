package mpi

import (
	"context"

	"github.com/capstan-run/capstan/shuffle/mesh"
)

// Allreduce combines the data of all ranks, element by element and in the order
// of ranks, and leaves the result in data on every rank, the same to the bit.
func Allreduce[T any](ctx context.Context, c *Comm, data []T, op Op[T]) error {
	s, err := c.begin(opAllreduce)
	if err != nil {
		return err
	}
	return s.done(allreduce(ctx, s, data, op))
}

// allreduce is recursive doubling: Thakur, Rabenseifner, Gropp, "Optimization of
// Collective Communication Operations in MPICH", 2005. Where the number of ranks
// is no power of two, pairs of neighbours first become one. What is combined
// always covers ranks in a row, and the lower stand on the left.
func allreduce[T any](ctx context.Context, s steps, data []T, op Op[T]) error {
	n, me := s.c.size, s.c.rank
	full := 1
	for full*2 <= n {
		full *= 2
	}
	spare := n - full // ranks 0..2*spare-1 pair up
	if me < 2*spare && me%2 == 0 {
		if err := s.send(ctx, me+1, bytesOf(data)); err != nil {
			return err
		}
		return s.recv(ctx, me+1, bytesOf(data))
	}
	if me < 2*spare {
		m, err := s.take(ctx, me-1, len(bytesOf(data)))
		if err != nil {
			return err
		}
		combine(data, m, op, true)
	}
	place := me - min((me+1)/2, spare)
	for d := 1; d < full; d *= 2 {
		peer := place ^ d
		rank := peer + spare
		if peer < spare {
			rank = 2*peer + 1
		}
		m, err := s.swap(ctx, rank, bytesOf(data), rank, len(bytesOf(data)))
		if err != nil {
			return err
		}
		combine(data, m, op, peer < place)
	}
	if me < 2*spare {
		return s.send(ctx, me-1, bytesOf(data))
	}
	return nil
}

// combine makes data data op m's, or m's op data where m is of lower ranks, and
// releases m.
func combine[T any](data []T, m *mesh.Message, op Op[T], lower bool) {
	values := valuesOf[T](m.Bytes())
	if lower {
		left := append([]T(nil), values...)
		op(left, data)
		copy(data, left)
	} else {
		op(data, values)
	}
	m.Release()
}
