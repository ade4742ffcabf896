package mesh

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/shuffle/block"
)

// Records sends and receives record batches of one schema, which both ends
// know from elsewhere. Its methods may be called from any goroutine.
//
// Send writes the arrays once: within a host into shared memory. Recv copies
// nothing.
type Records struct {
	m      *Mesh
	schema *arrow.Schema
	shape  block.Shape

	mu  sync.Mutex
	enc *block.Encoder
}

// NewRecords returns the records of a schema. Dictionary columns are refused:
// cast them to their values.
func NewRecords(m *Mesh, schema *arrow.Schema) (*Records, error) {
	refuse := func(err error) (*Records, error) {
		return nil, core.Errorf(core.Invalid, "%v", err).At("mesh records").Do("cast the column before it is sent")
	}
	enc, err := block.NewEncoder(schema, nil)
	if err != nil {
		return refuse(err)
	}
	if n := len(block.Dictionaries(schema)); n > 0 {
		return refuse(fmt.Errorf("schema has %d dictionary columns", n))
	}
	return &Records{m: m, schema: schema, shape: block.ShapeOf(schema), enc: enc}, nil
}

// Send sends rec, which must be of the schema and is not retained.
func (r *Records) Send(ctx context.Context, to int, t Tag, rec arrow.Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	head := recordHead(r.shape)
	var length counter
	if _, _, err := r.enc.Encode(&length, head, rec); err != nil {
		return err
	}
	b, err := r.m.Alloc(ctx, int(head)+int(length))
	if err != nil {
		return err
	}
	w := cursor(b.Bytes()[head:])
	batch, _, err := r.enc.Encode(&w, head, rec)
	if err != nil {
		b.Release()
		return err
	}
	putBatch(b.Bytes()[:head], &batch)
	return r.m.Hand(ctx, to, t, b)
}

// Recv returns the oldest record from a rank, or from [Any], and who sent it.
// The caller releases the record, and with it the message it lies over. What
// does not fit the schema is an error with [block.ErrMalformed] in its chain.
func (r *Records) Recv(ctx context.Context, from int, t Tag) (arrow.Record, int, error) {
	msg, err := r.m.Recv(ctx, from, t)
	if err != nil {
		return nil, 0, err
	}
	batch, err := getBatch(msg.Bytes(), r.shape)
	if err != nil {
		msg.Release()
		return nil, msg.From, fmt.Errorf("record from rank %d: %w", msg.From, err)
	}
	buf := memory.NewBufferWithAllocator(msg.Bytes(), lease{msg})
	defer buf.Release()
	rec, err := block.Decode(r.schema, buf, batch)
	if err != nil {
		return nil, msg.From, fmt.Errorf("record from rank %d: %w", msg.From, err)
	}
	return rec, msg.From, nil
}

// lease is the arrow allocator of one message: freeing it releases the message.
type lease struct{ m *Message }

func (l lease) Free([]byte)                   { l.m.Release() }
func (l lease) Allocate(int) []byte           { panic("mesh: a message does not allocate") }
func (l lease) Reallocate(int, []byte) []byte { panic("mesh: a message does not grow") }

// recordHead is the number of bytes before a record's block.
func recordHead(s block.Shape) int64 {
	return block.Align(8 + 16*int64(s.Arrays) + 16*int64(s.Buffers))
}

// putBatch writes what [getBatch] reads.
func putBatch(b []byte, batch *block.Batch) {
	out := b[:0]
	put := func(v int64) { out = binary.LittleEndian.AppendUint64(out, uint64(v)) }
	put(batch.Rows)
	for i := range batch.Lengths {
		put(batch.Lengths[i])
		put(batch.Nulls[i])
	}
	for _, x := range batch.Buffers {
		put(x.Offset)
		put(x.Length)
	}
	clear(b[len(out):])
}

// getBatch reads where a record's buffers lie. The schema, not the bytes, says
// how many there are.
func getBatch(b []byte, s block.Shape) (*block.Batch, error) {
	if int64(len(b)) < recordHead(s) {
		return nil, fmt.Errorf("%w: %d bytes, a record of the schema has at least %d", block.ErrMalformed, len(b), recordHead(s))
	}
	get := func() int64 {
		v := binary.LittleEndian.Uint64(b)
		b = b[8:]
		return int64(v)
	}
	batch := &block.Batch{Rows: get(), Lengths: make([]int64, s.Arrays), Nulls: make([]int64, s.Arrays),
		Buffers: make([]block.Extent, s.Buffers)}
	for i := range batch.Lengths {
		batch.Lengths[i], batch.Nulls[i] = get(), get()
	}
	for i := range batch.Buffers {
		batch.Buffers[i] = block.Extent{Offset: get(), Length: get()}
	}
	return batch, nil
}

// counter counts what is written to it.
type counter int

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// cursor is memory that is written from its start.
type cursor []byte

func (c *cursor) Write(p []byte) (int, error) {
	n := copy(*c, p)
	*c = (*c)[n:]
	if n < len(p) {
		return n, fmt.Errorf("a record grew by %d bytes while it was sent", len(p)-n)
	}
	return n, nil
}
