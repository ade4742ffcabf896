package exec

import (
	"context"
	"fmt"
	"unsafe"

	"github.com/capstan-run/capstan/frameworks/mpi"
)

// elements are the collectives, whose elements have a type: each takes memory,
// aligned and of whole elements, and counts in bytes.
type elements interface {
	width() int
	knows(o op) bool
	bcast(ctx context.Context, c *mpi.Comm, root int, data []byte) error
	gather(ctx context.Context, c *mpi.Comm, root int, data, into []byte) error
	gatherv(ctx context.Context, c *mpi.Comm, root int, data []byte, counts []uint64, into []byte) error
	scatter(ctx context.Context, c *mpi.Comm, root int, data, into []byte) error
	scatterv(ctx context.Context, c *mpi.Comm, root int, data []byte, counts []uint64, into []byte) error
	allgather(ctx context.Context, c *mpi.Comm, data, into []byte) error
	allgatherv(ctx context.Context, c *mpi.Comm, data []byte, counts []uint64, into []byte) error
	alltoall(ctx context.Context, c *mpi.Comm, data, into []byte) error
	alltoallv(ctx context.Context, c *mpi.Comm, data []byte, to []uint64, into []byte, from []uint64) error
	reduce(ctx context.Context, c *mpi.Comm, root int, data []byte, o op) error
	allreduce(ctx context.Context, c *mpi.Comm, data []byte, o op) error
	reduceScatter(ctx context.Context, c *mpi.Comm, data []byte, counts []uint64, into []byte, o op) error
	scan(ctx context.Context, c *mpi.Comm, data []byte, o op) error
	exscan(ctx context.Context, c *mpi.Comm, data []byte, o op) error
}

// vector is the calls for elements of T.
type vector[T any] struct{ op func(op) mpi.Op[T] }

func (v vector[T]) width() int {
	var zero T
	return int(unsafe.Sizeof(zero))
}

func (v vector[T]) knows(o op) bool { return v.op(o) != nil }

// of is memory as elements.
func (v vector[T]) of(b []byte) []T {
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/v.width())
}

func (v vector[T]) counts(bytes []uint64) []int {
	n := make([]int, len(bytes))
	for i, b := range bytes {
		n[i] = int(b) / v.width()
	}
	return n
}

// whole refuses what is not whole elements.
func whole(k kind, n uint64) error {
	e := k.elements()
	if e == nil {
		return refusal{statusRequest, fmt.Sprintf("kind %d is none of numbers", k)}
	}
	if w := uint64(e.width()); n%w != 0 {
		return refusal{statusRequest, fmt.Sprintf("%d bytes are no whole number of %s, of %d each", n, k, w)}
	}
	return nil
}
