package mpi

import "context"

// Reduce combines the data of all ranks, element by element and in the order of
// ranks, and leaves the result in root's data. That of other ranks stays.
func Reduce[T any](ctx context.Context, c *Comm, root int, data []T, op Op[T]) error {
	return c.collect(ctx, opReduce, func(ctx context.Context, s steps) error {
		return s.reduce(ctx, root, bytesOf(data), reducing(op))
	})
}

// Ireduce begins a [Reduce].
func Ireduce[T any](ctx context.Context, c *Comm, root int, data []T, op Op[T]) (*Request, error) {
	return c.later(ctx, opReduce, func(ctx context.Context, s steps) error {
		return s.reduce(ctx, root, bytesOf(data), reducing(op))
	})
}

// Allreduce combines the data of all ranks, element by element and in the order
// of ranks, and leaves the result in data on every rank, the same to the bit.
func Allreduce[T any](ctx context.Context, c *Comm, data []T, op Op[T]) error {
	return c.collect(ctx, opAllreduce, func(ctx context.Context, s steps) error {
		return s.allreduce(ctx, bytesOf(data), reducing(op))
	})
}

// Iallreduce begins an [Allreduce].
func Iallreduce[T any](ctx context.Context, c *Comm, data []T, op Op[T]) (*Request, error) {
	return c.later(ctx, opAllreduce, func(ctx context.Context, s steps) error {
		return s.allreduce(ctx, bytesOf(data), reducing(op))
	})
}

// ReduceScatter combines the data of all ranks and gives rank r the counts[r]
// elements of the result that are its share, in into.
func ReduceScatter[T any](ctx context.Context, c *Comm, data []T, counts []int, into []T, op Op[T]) error {
	return c.collect(ctx, opReduceScatter, func(ctx context.Context, s steps) error {
		parts, err := s.blocks(bytesOf(data), counts, sizeOf[T]())
		if err != nil {
			return err
		}
		return s.reduceScatter(ctx, parts, bytesOf(into), reducing(op))
	})
}

// IreduceScatter begins a [ReduceScatter].
func IreduceScatter[T any](ctx context.Context, c *Comm, data []T, counts []int, into []T, op Op[T]) (*Request, error) {
	return c.later(ctx, opReduceScatter, func(ctx context.Context, s steps) error {
		parts, err := s.blocks(bytesOf(data), counts, sizeOf[T]())
		if err != nil {
			return err
		}
		return s.reduceScatter(ctx, parts, bytesOf(into), reducing(op))
	})
}

// ReduceScatterBlock is [ReduceScatter], where all shares are as long as into.
func ReduceScatterBlock[T any](ctx context.Context, c *Comm, data, into []T, op Op[T]) error {
	return c.collect(ctx, opReduceScatter, func(ctx context.Context, s steps) error {
		parts, err := s.even(bytesOf(data), len(bytesOf(into)))
		if err != nil {
			return err
		}
		return s.reduceScatter(ctx, parts, bytesOf(into), reducing(op))
	})
}

// IreduceScatterBlock begins a [ReduceScatterBlock].
func IreduceScatterBlock[T any](ctx context.Context, c *Comm, data, into []T, op Op[T]) (*Request, error) {
	return c.later(ctx, opReduceScatter, func(ctx context.Context, s steps) error {
		parts, err := s.even(bytesOf(data), len(bytesOf(into)))
		if err != nil {
			return err
		}
		return s.reduceScatter(ctx, parts, bytesOf(into), reducing(op))
	})
}

// Scan leaves in data the combination of the data of all ranks up to this one.
func Scan[T any](ctx context.Context, c *Comm, data []T, op Op[T]) error {
	return c.collect(ctx, opScan, func(ctx context.Context, s steps) error {
		return s.scan(ctx, bytesOf(data), reducing(op))
	})
}

// Iscan begins a [Scan].
func Iscan[T any](ctx context.Context, c *Comm, data []T, op Op[T]) (*Request, error) {
	return c.later(ctx, opScan, func(ctx context.Context, s steps) error {
		return s.scan(ctx, bytesOf(data), reducing(op))
	})
}

// Exscan leaves in data the combination of the data of all ranks before this
// one. That of rank 0 stays.
func Exscan[T any](ctx context.Context, c *Comm, data []T, op Op[T]) error {
	return c.collect(ctx, opExscan, func(ctx context.Context, s steps) error {
		return s.exscan(ctx, bytesOf(data), reducing(op))
	})
}

// Iexscan begins an [Exscan].
func Iexscan[T any](ctx context.Context, c *Comm, data []T, op Op[T]) (*Request, error) {
	return c.later(ctx, opExscan, func(ctx context.Context, s steps) error {
		return s.exscan(ctx, bytesOf(data), reducing(op))
	})
}

// ReduceLocal makes into into op from, without any other rank.
func ReduceLocal[T any](into, from []T, op Op[T]) { op(into, from) }
