package mpi

import (
	"context"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/shuffle/mesh"
)

// Records sends and receives Arrow record batches of one schema, which both ends
// know from elsewhere. Within a host they go by reference. They never match
// other messages, nor [AnyTag].
type Records struct {
	c *Comm
	r *mesh.Records
}

// NewRecords returns the records of a schema on c.
func NewRecords(c *Comm, schema *arrow.Schema) (*Records, error) {
	r, err := mesh.NewRecords(c.w.mesh, schema)
	if err != nil {
		return nil, c.fault("record batches", err)
	}
	return &Records{c, r}, nil
}

// Send sends a record batch, which is not retained.
func (r *Records) Send(ctx context.Context, to, tag int, rec arrow.Record) error {
	c := r.c
	if uint(to) >= uint(c.size) || uint(tag) > MaxTag || c.freed.Load() {
		return c.refuseSend(to, tag, kindBytes)
	}
	if err := r.r.Send(ctx, c.worldRank(to), meshTag(c.context, laneRecords, tag), rec); err != nil {
		return c.failed("send a record batch to", to, tag, err)
	}
	return nil
}

// Recv receives the oldest record batch of a rank, or of [AnySource], under a tag,
// and says who sent it. The caller releases it.
func (r *Records) Recv(ctx context.Context, from, tag int) (arrow.Record, int, error) {
	c := r.c
	if tag == AnyTag {
		return nil, 0, c.fault("receive", core.Errorf(core.Invalid, "record batches are received under one tag"))
	}
	peer, _, _, err := c.pattern(from, tag, kindBytes)
	if err != nil {
		return nil, 0, err
	}
	rec, world, err := r.r.Recv(ctx, peer, meshTag(c.context, laneRecords, tag))
	if err != nil {
		return nil, 0, c.failed("receive a record batch from", from, tag, err)
	}
	return rec, c.rankOf(world), nil
}
