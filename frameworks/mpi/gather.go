package mpi

import (
	"context"

	"github.com/capstan-run/capstan/core"
)

// checkRoot refuses a root that is no rank.
func (c *Comm) checkRoot(root int) error {
	if root < 0 || root >= c.size {
		return core.Errorf(core.Invalid, "root %d of %s, which has ranks 0 to %d", root, c.name, c.size-1)
	}
	return nil
}

// Gather puts the data of all ranks, equally long, one after the other into root's
// into.
func Gather[T any](ctx context.Context, c *Comm, root int, data, into []T) error {
	return c.collect(ctx, opGather, func(ctx context.Context, s steps) error {
		return s.gather(ctx, root, bytesOf(data), bytesOf(into))
	})
}

// Igather begins a [Gather].
func Igather[T any](ctx context.Context, c *Comm, root int, data, into []T) (*Request, error) {
	return c.later(ctx, opGather, func(ctx context.Context, s steps) error {
		return s.gather(ctx, root, bytesOf(data), bytesOf(into))
	})
}

// Gatherv is [Gather], where rank r has counts[r] elements. Counts and into
// matter at root only.
func Gatherv[T any](ctx context.Context, c *Comm, root int, data []T, counts []int, into []T) error {
	return c.collect(ctx, opGather, func(ctx context.Context, s steps) error {
		return s.gatherv(ctx, root, bytesOf(data), counts, sizeOf[T](), bytesOf(into))
	})
}

// Igatherv begins a [Gatherv].
func Igatherv[T any](ctx context.Context, c *Comm, root int, data []T, counts []int, into []T) (*Request, error) {
	return c.later(ctx, opGather, func(ctx context.Context, s steps) error {
		return s.gatherv(ctx, root, bytesOf(data), counts, sizeOf[T](), bytesOf(into))
	})
}

// Scatter gives each rank its share of root's data: into, equally long
// everywhere.
func Scatter[T any](ctx context.Context, c *Comm, root int, data, into []T) error {
	return c.collect(ctx, opScatter, func(ctx context.Context, s steps) error {
		return s.scatter(ctx, root, bytesOf(data), bytesOf(into))
	})
}

// Iscatter begins a [Scatter].
func Iscatter[T any](ctx context.Context, c *Comm, root int, data, into []T) (*Request, error) {
	return c.later(ctx, opScatter, func(ctx context.Context, s steps) error {
		return s.scatter(ctx, root, bytesOf(data), bytesOf(into))
	})
}

// Scatterv is [Scatter], where rank r gets counts[r] elements, which into has
// room for exactly. Data and counts matter at root only.
func Scatterv[T any](ctx context.Context, c *Comm, root int, data []T, counts []int, into []T) error {
	return c.collect(ctx, opScatter, func(ctx context.Context, s steps) error {
		return s.scatterv(ctx, root, bytesOf(data), counts, sizeOf[T](), bytesOf(into))
	})
}

// Iscatterv begins a [Scatterv].
func Iscatterv[T any](ctx context.Context, c *Comm, root int, data []T, counts []int, into []T) (*Request, error) {
	return c.later(ctx, opScatter, func(ctx context.Context, s steps) error {
		return s.scatterv(ctx, root, bytesOf(data), counts, sizeOf[T](), bytesOf(into))
	})
}

func (s steps) gather(ctx context.Context, root int, data, into []byte) error {
	if err := s.c.checkRoot(root); err != nil {
		return err
	}
	if s.c.rank != root {
		return s.send(ctx, root, data)
	}
	parts, err := s.even(into, len(data))
	if err != nil {
		return err
	}
	return s.gatherParts(ctx, data, parts)
}

func (s steps) gatherv(ctx context.Context, root int, data []byte, counts []int, size int, into []byte) error {
	if err := s.c.checkRoot(root); err != nil {
		return err
	}
	if s.c.rank != root {
		return s.send(ctx, root, data)
	}
	parts, err := s.blocks(into, counts, size)
	if err != nil {
		return err
	}
	if len(parts[root]) != len(data) {
		return core.Errorf(core.Invalid, "root has %d elements and its count is %d", len(data)/max(size, 1), counts[root])
	}
	return s.gatherParts(ctx, data, parts)
}

// gatherParts is linear: all send to root at once, which takes them as they are
// read from memory. A tree would copy most of them twice.
func (s steps) gatherParts(ctx context.Context, data []byte, parts [][]byte) error {
	copy(parts[s.c.rank], data)
	for d := 1; d < s.c.size; d++ {
		r := (s.c.rank + d) % s.c.size
		if err := s.recv(ctx, r, parts[r]); err != nil {
			return err
		}
	}
	return nil
}

func (s steps) scatter(ctx context.Context, root int, data, into []byte) error {
	if err := s.c.checkRoot(root); err != nil {
		return err
	}
	if s.c.rank != root {
		return s.recv(ctx, root, into)
	}
	parts, err := s.even(data, len(into))
	if err != nil {
		return err
	}
	return s.scatterParts(ctx, parts, into)
}

func (s steps) scatterv(ctx context.Context, root int, data []byte, counts []int, size int, into []byte) error {
	if err := s.c.checkRoot(root); err != nil {
		return err
	}
	if s.c.rank != root {
		return s.recv(ctx, root, into)
	}
	parts, err := s.blocks(data, counts, size)
	if err != nil {
		return err
	}
	if len(parts[root]) != len(into) {
		return core.Errorf(core.Invalid, "root's count is %d and it has room for %d elements", counts[root], len(into)/max(size, 1))
	}
	return s.scatterParts(ctx, parts, into)
}

func (s steps) scatterParts(ctx context.Context, parts [][]byte, into []byte) error {
	for d := 1; d < s.c.size; d++ {
		r := (s.c.rank + d) % s.c.size
		if err := s.send(ctx, r, parts[r]); err != nil {
			return err
		}
	}
	copy(into, parts[s.c.rank])
	return nil
}
