package mpi

import (
	"context"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/shuffle/mesh"
)

// Alltoall gives rank r the rth part of data, and puts what rank r gives in the
// rth part of into. All parts are equally long.
func Alltoall[T any](ctx context.Context, c *Comm, data, into []T) error {
	return c.collect(ctx, opAlltoall, func(ctx context.Context, s steps) error {
		return s.alltoall(ctx, bytesOf(data), bytesOf(into))
	})
}

// Ialltoall begins an [Alltoall].
func Ialltoall[T any](ctx context.Context, c *Comm, data, into []T) (*Request, error) {
	return c.later(ctx, opAlltoall, func(ctx context.Context, s steps) error {
		return s.alltoall(ctx, bytesOf(data), bytesOf(into))
	})
}

// Alltoallv is [Alltoall], where rank r gets to[r] elements and gives from[r].
func Alltoallv[T any](ctx context.Context, c *Comm, data []T, to []int, into []T, from []int) error {
	return c.collect(ctx, opAlltoall, func(ctx context.Context, s steps) error {
		return s.alltoallv(ctx, bytesOf(data), to, bytesOf(into), from, sizeOf[T]())
	})
}

// Ialltoallv begins an [Alltoallv].
func Ialltoallv[T any](ctx context.Context, c *Comm, data []T, to []int, into []T, from []int) (*Request, error) {
	return c.later(ctx, opAlltoall, func(ctx context.Context, s steps) error {
		return s.alltoallv(ctx, bytesOf(data), to, bytesOf(into), from, sizeOf[T]())
	})
}

// Below storeBelow bytes a part, and from storeRanks on, parts travel together.
const (
	storeBelow = 256
	storeRanks = 8
)

func (s steps) alltoall(ctx context.Context, data, into []byte) error {
	n := s.c.size
	if len(data) != len(into) || len(data)%n != 0 {
		return core.Errorf(core.Invalid, "%d bytes to give and room for %d, of %d ranks", len(data), len(into), n).
			Do("let both be as long, and a multiple of the number of ranks")
	}
	each := len(data) / n
	if each < storeBelow && n >= storeRanks {
		return s.storeAndForward(ctx, data, into, each)
	}
	give, err := s.even(data, each)
	if err != nil {
		return err
	}
	take, err := s.even(into, each)
	if err != nil {
		return err
	}
	return s.pairwise(ctx, give, take)
}

func (s steps) alltoallv(ctx context.Context, data []byte, to []int, into []byte, from []int, size int) error {
	give, err := s.blocks(data, to, size)
	if err != nil {
		return err
	}
	take, err := s.blocks(into, from, size)
	if err != nil {
		return err
	}
	return s.pairwise(ctx, give, take)
}

// pairwise asks for all parts, then sends to the ranks after this one, in order:
// in every step each rank sends to another.
func (s steps) pairwise(ctx context.Context, give, take [][]byte) error {
	n, me := s.c.size, s.c.rank
	posted := make([]*mesh.Posted, n)
	for d := 1; d < n; d++ {
		from := (me - d + n) % n
		var err error
		if posted[from], err = s.post(from); err != nil {
			return err
		}
	}
	copy(take[me], give[me])
	for d := 1; d < n; d++ {
		if err := s.send(ctx, (me+d)%n, give[(me+d)%n]); err != nil {
			return err
		}
	}
	for d := 1; d < n; d++ {
		from := (me - d + n) % n
		if err := s.awaitInto(ctx, posted[from], from, take[from]); err != nil {
			return err
		}
	}
	return nil
}

// storeAndForward takes ceil(log2 n) steps, in the kth of which parts whose way
// has the bit k travel 1<<k ranks: Bruck and others, 1997.
func (s steps) storeAndForward(ctx context.Context, data, into []byte, each int) error {
	n, me := s.c.size, s.c.rank
	part := func(b []byte, i int) []byte { return b[i*each : (i+1)*each] }
	here := make([]byte, len(data)) // by how far each part has to go
	for d := range n {
		copy(part(here, d), part(data, (me+d)%n))
	}
	pack, got := make([]byte, 0, len(data)), make([]byte, len(data))
	for k := 1; k < n; k *= 2 {
		pack = pack[:0]
		for d := range n {
			if d&k != 0 {
				pack = append(pack, part(here, d)...)
			}
		}
		if err := s.exchange(ctx, (me+k)%n, pack, (me-k+n)%n, got[:len(pack)]); err != nil {
			return err
		}
		rest := got
		for d := range n {
			if d&k != 0 {
				copy(part(here, d), rest)
				rest = rest[each:]
			}
		}
	}
	for d := range n {
		copy(part(into, (me-d+n)%n), part(here, d))
	}
	return nil
}
