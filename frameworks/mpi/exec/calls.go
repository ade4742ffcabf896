package exec

import (
	"context"

	"github.com/capstan-run/capstan/frameworks/mpi"
)

func (v vector[T]) send(ctx context.Context, c *mpi.Comm, to, tag int, data []byte, sync bool) error {
	return mpi.Send(ctx, c, to, tag, v.of(data))
}

func (v vector[T]) recv(ctx context.Context, c *mpi.Comm, from, tag int, into []byte) (mpi.Status, error) {
	return mpi.Recv(ctx, c, from, tag, v.of(into))
}

func (v vector[T]) bcast(ctx context.Context, c *mpi.Comm, root int, data []byte) error {
	return mpi.Bcast(ctx, c, root, v.of(data))
}

func (v vector[T]) allreduce(ctx context.Context, c *mpi.Comm, data []byte, o op) error {
	return mpi.Allreduce(ctx, c, v.of(data), v.op(o))
}
