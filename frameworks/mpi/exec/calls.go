package exec

import (
	"context"

	"github.com/capstan-run/capstan/frameworks/mpi"
)

func (v vector[T]) bcast(ctx context.Context, c *mpi.Comm, root int, data []byte) error {
	return mpi.Bcast(ctx, c, root, v.of(data))
}

func (v vector[T]) gather(ctx context.Context, c *mpi.Comm, root int, data, into []byte) error {
	return mpi.Gather(ctx, c, root, v.of(data), v.of(into))
}

func (v vector[T]) gatherv(ctx context.Context, c *mpi.Comm, root int, data []byte, counts []uint64, into []byte) error {
	return mpi.Gatherv(ctx, c, root, v.of(data), v.counts(counts), v.of(into))
}

func (v vector[T]) scatter(ctx context.Context, c *mpi.Comm, root int, data, into []byte) error {
	return mpi.Scatter(ctx, c, root, v.of(data), v.of(into))
}

func (v vector[T]) scatterv(ctx context.Context, c *mpi.Comm, root int, data []byte, counts []uint64, into []byte) error {
	return mpi.Scatterv(ctx, c, root, v.of(data), v.counts(counts), v.of(into))
}

func (v vector[T]) allgather(ctx context.Context, c *mpi.Comm, data, into []byte) error {
	return mpi.Allgather(ctx, c, v.of(data), v.of(into))
}

func (v vector[T]) allgatherv(ctx context.Context, c *mpi.Comm, data []byte, counts []uint64, into []byte) error {
	return mpi.Allgatherv(ctx, c, v.of(data), v.counts(counts), v.of(into))
}

func (v vector[T]) alltoall(ctx context.Context, c *mpi.Comm, data, into []byte) error {
	return mpi.Alltoall(ctx, c, v.of(data), v.of(into))
}

func (v vector[T]) alltoallv(ctx context.Context, c *mpi.Comm, data []byte, to []uint64, into []byte, from []uint64) error {
	return mpi.Alltoallv(ctx, c, v.of(data), v.counts(to), v.of(into), v.counts(from))
}

// The reductions leave what they give in data.

func (v vector[T]) reduce(ctx context.Context, c *mpi.Comm, root int, data []byte, o op) error {
	return mpi.Reduce(ctx, c, root, v.of(data), v.op(o))
}

func (v vector[T]) allreduce(ctx context.Context, c *mpi.Comm, data []byte, o op) error {
	return mpi.Allreduce(ctx, c, v.of(data), v.op(o))
}

func (v vector[T]) reduceScatter(ctx context.Context, c *mpi.Comm, data []byte, counts []uint64, into []byte, o op) error {
	return mpi.ReduceScatter(ctx, c, v.of(data), v.counts(counts), v.of(into), v.op(o))
}

func (v vector[T]) scan(ctx context.Context, c *mpi.Comm, data []byte, o op) error {
	return mpi.Scan(ctx, c, v.of(data), v.op(o))
}

func (v vector[T]) exscan(ctx context.Context, c *mpi.Comm, data []byte, o op) error {
	return mpi.Exscan(ctx, c, v.of(data), v.op(o))
}
