package exec

import (
	"context"

	"github.com/capstan-run/capstan/frameworks/mpi"
)

// errLater is what package mpi does not have yet.
var errLater = refusal{statusResource, "not to be had in this version"}

func (v vector[T]) gather(ctx context.Context, c *mpi.Comm, root int, data, into []byte, counts []uint64) error {
	return errLater
}
func (v vector[T]) scatter(ctx context.Context, c *mpi.Comm, root int, data, into []byte, counts []uint64) error {
	return errLater
}
func (v vector[T]) allgather(ctx context.Context, c *mpi.Comm, data, into []byte, counts []uint64) error {
	return errLater
}
func (v vector[T]) alltoall(ctx context.Context, c *mpi.Comm, data, into []byte, to, from []uint64) error {
	return errLater
}
func (v vector[T]) reduce(ctx context.Context, c *mpi.Comm, root int, data, into []byte, o op) error {
	return errLater
}
func (v vector[T]) reduceScatter(ctx context.Context, c *mpi.Comm, data, into []byte, counts []uint64, o op) error {
	return errLater
}
func (v vector[T]) scan(ctx context.Context, c *mpi.Comm, data []byte, o op) error { return errLater }
func (v vector[T]) exscan(ctx context.Context, c *mpi.Comm, data, into []byte, o op) error {
	return errLater
}
func sendBatch(ctx context.Context, c *mpi.Comm, r *request, data []byte) error { return errLater }
func (p *proxy) probe(ctx context.Context, c *mpi.Comm, r *request) (*answer, error) {
	return nil, errLater
}
func (p *proxy) recv(ctx context.Context, c *mpi.Comm, r *request) (*answer, error) {
	if err := whole(r.kind, r.in.length); err != nil {
		return nil, err
	}
	into, err := p.room(r, r.in.length)
	if err != nil {
		return nil, err
	}
	s, err := r.kind.elements().recv(ctx, c, int(r.peer), int(r.tag), into.b)
	if err != nil {
		into.giveUp()
		return nil, err
	}
	into.b = into.b[:s.Count*r.kind.elements().width()]
	return into.fill(&answer{kind: r.kind, peer: int32(s.Source), tag: int32(s.Tag)}), nil
}

func (p *proxy) divide(ctx context.Context, c *mpi.Comm, r *request) (*answer, error) {
	if r.command == cmdFree && r.comm < 2 {
		return nil, refusal{statusRequest, "free: world stays"}
	}
	return nil, errLater
}
