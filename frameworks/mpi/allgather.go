package mpi

import (
	"context"

	"github.com/capstan-run/capstan/core"
)

// Allgather puts the data of all ranks, equally long, one after the other into
// every rank's into.
func Allgather[T any](ctx context.Context, c *Comm, data, into []T) error {
	return c.collect(ctx, opAllgather, func(ctx context.Context, s steps) error {
		return s.allgather(ctx, bytesOf(data), bytesOf(into))
	})
}

// Iallgather begins an [Allgather].
func Iallgather[T any](ctx context.Context, c *Comm, data, into []T) (*Request, error) {
	return c.later(ctx, opAllgather, func(ctx context.Context, s steps) error {
		return s.allgather(ctx, bytesOf(data), bytesOf(into))
	})
}

// Allgatherv is [Allgather], where rank r has counts[r] elements.
func Allgatherv[T any](ctx context.Context, c *Comm, data []T, counts []int, into []T) error {
	return c.collect(ctx, opAllgather, func(ctx context.Context, s steps) error {
		return s.allgatherv(ctx, bytesOf(data), counts, sizeOf[T](), bytesOf(into))
	})
}

// Iallgatherv begins an [Allgatherv].
func Iallgatherv[T any](ctx context.Context, c *Comm, data []T, counts []int, into []T) (*Request, error) {
	return c.later(ctx, opAllgather, func(ctx context.Context, s steps) error {
		return s.allgatherv(ctx, bytesOf(data), counts, sizeOf[T](), bytesOf(into))
	})
}

// ringFrom is the length of all data from which a ring, which moves every byte
// once for each rank, costs less than the doubling steps of Bruck's algorithm,
// which copy it in between.
const ringFrom = 32 << 10

func (s steps) allgather(ctx context.Context, data, into []byte) error {
	parts, err := s.even(into, len(data))
	if err != nil {
		return err
	}
	if len(into) < ringFrom {
		return s.bruck(ctx, data, into)
	}
	copy(parts[s.c.rank], data)
	return s.ring(ctx, parts)
}

func (s steps) allgatherv(ctx context.Context, data []byte, counts []int, size int, into []byte) error {
	parts, err := s.blocks(into, counts, size)
	if err != nil {
		return err
	}
	if len(parts[s.c.rank]) != len(data) {
		return core.Errorf(core.Invalid, "this rank has %d elements and its count is %d", len(data)/max(size, 1), counts[s.c.rank])
	}
	copy(parts[s.c.rank], data)
	return s.ring(ctx, parts)
}

// bruck takes ceil(log2 n) steps: Bruck and others, "Efficient Algorithms for
// All-to-All Communications in Multiport Message-Passing Systems", 1997.
func (s steps) bruck(ctx context.Context, data, into []byte) error {
	n, me, each := s.c.size, s.c.rank, len(data)
	// Of the ranks from this one on, have are here, in their order.
	found := make([]byte, n*each)
	copy(found, data)
	for have := 1; have < n; have *= 2 {
		more := min(have, n-have) * each
		if err := s.exchange(ctx, (me-have+n)%n, found[:more], (me+have)%n, found[have*each:have*each+more]); err != nil {
			return err
		}
	}
	copy(into[me*each:], found)
	copy(into, found[(n-me)*each:])
	return nil
}

// ring passes the parts on, each rank to the next.
func (s steps) ring(ctx context.Context, parts [][]byte) error {
	n, me := s.c.size, s.c.rank
	next, last := (me+1)%n, (me+n-1)%n
	for i := range n - 1 {
		if err := s.exchange(ctx, next, parts[(me-i+n)%n], last, parts[(me-i-1+n)%n]); err != nil {
			return err
		}
	}
	return nil
}
