package mesh

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"sync"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/shuffle/block"
)

// Records sends and receives record batches of one schema, which both ends
// know from elsewhere. Its methods may be called from any goroutine.
//
// Within a host Send writes the arrays once, into memory that the receiver
// reads. Over a network long arrays go to the kernel as they lie. Recv copies
// nothing. A dictionary travels with every record that has it: a receiver from
// [Any] knows of no earlier record.
type Records struct {
	m      *Mesh
	schema *arrow.Schema
	shapes []block.Shape // of the dictionaries, then of the record

	mu   sync.Mutex
	free []*block.Encoder
}

// NewRecords returns the records of a schema. What package block cannot write
// is Invalid.
func NewRecords(m *Mesh, schema *arrow.Schema) (*Records, error) {
	enc, err := block.NewEncoder(schema, nil)
	if err != nil {
		return nil, core.Errorf(core.Invalid, "%v", err).At("mesh records").Do("cast the column before it is sent")
	}
	r := &Records{m: m, schema: schema, free: []*block.Encoder{enc}}
	for _, t := range block.Dictionaries(schema) {
		l, err := block.LayoutOf(t.ValueType)
		if err != nil {
			return nil, err
		}
		r.shapes = append(r.shapes, block.Shape{Arrays: 1, Buffers: l.Buffers()})
	}
	r.shapes = append(r.shapes, block.ShapeOf(schema))
	return r, nil
}

// Send sends rec, which must be of the schema, is not changed until Send
// returns, and is not retained.
func (r *Records) Send(ctx context.Context, to int, t Tag, rec arrow.Record) error {
	enc, err := r.encoder()
	if err != nil {
		return err
	}
	defer r.done(enc)
	head := recordHead(r.shapes)
	if r.m.remote(to) {
		g := gatherer{parts: [][]byte{make([]byte, head)}}
		batches, err := encode(enc, &g, head, rec)
		if err != nil {
			return err
		}
		putBatches(g.parts[0], batches)
		return r.m.Send(ctx, to, t, g.parts...)
	}
	var length counter
	if _, err := encode(enc, &length, head, rec); err != nil {
		return err
	}
	b, err := r.m.Alloc(ctx, int(head)+int(length))
	if err != nil {
		return err
	}
	w := cursor(b.Bytes()[head:])
	batches, err := encode(enc, &w, head, rec)
	if err != nil {
		b.Release()
		return err
	}
	putBatches(b.Bytes()[:head], batches)
	return r.m.Hand(ctx, to, t, b)
}

// Near reports whether what is sent to a rank stays in memory: Hand then does
// not wait until the rank asks for it, but where the buffer lies outside shared
// memory and the rank in another process.
func (m *Mesh) Near(rank int) bool { return rank >= 0 && rank < m.cfg.Size && !m.remote(rank) }

// remote reports whether what is sent to a rank passes through the kernel.
func (m *Mesh) remote(to int) bool {
	if to < 0 || to >= m.cfg.Size {
		return false
	}
	return m.cfg.wayTo(to) == elsewhere
}

// encoder takes an encoder that nobody uses: a Send that waits for its receiver
// must not hold up those to others.
func (r *Records) encoder() (*block.Encoder, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.free); n > 0 {
		enc := r.free[n-1]
		r.free = r.free[:n-1]
		return enc, nil
	}
	return block.NewEncoder(r.schema, nil)
}

func (r *Records) done(enc *block.Encoder) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.free = append(r.free, enc)
}

// encode writes rec's dictionaries and then rec, as they lie from pos on.
func encode(enc *block.Encoder, w io.Writer, pos int64, rec arrow.Record) ([]block.Batch, error) {
	var batches []block.Batch
	for id, values := range block.RecordDictionaries(rec) {
		b, n, err := enc.EncodeDictionary(w, pos, id, values)
		if err != nil {
			return nil, err
		}
		batches, pos = append(batches, b), pos+n
	}
	b, _, err := enc.Encode(w, pos, rec)
	return append(batches, b), err
}

// Recv returns the oldest record from a rank, or from [Any], and who sent it.
// The caller releases the record, and with it the message it lies over. What
// does not fit the schema is an error with [block.ErrMalformed] in its chain.
func (r *Records) Recv(ctx context.Context, from int, t Tag) (arrow.Record, int, error) {
	msg, err := r.m.Recv(ctx, from, t)
	if err != nil {
		return nil, 0, err
	}
	rec, err := r.decode(msg)
	if err != nil {
		return nil, msg.From, fmt.Errorf("record from rank %d: %w", msg.From, err)
	}
	return rec, msg.From, nil
}

// decode makes a record over msg, and releases msg where it cannot.
func (r *Records) decode(msg *Message) (arrow.Record, error) {
	batches, err := getBatches(msg.Bytes(), r.shapes)
	if err != nil {
		msg.Release()
		return nil, err
	}
	buf := memory.NewBufferWithAllocator(msg.Bytes(), lease{msg})
	defer buf.Release()
	last := len(batches) - 1
	dec, err := block.NewDecoder(r.schema, buf, block.Packing{Dictionaries: batches[:last]})
	if err != nil {
		return nil, err
	}
	defer dec.Release()
	return dec.Decode(&batches[last])
}

// lease is the arrow allocator of one message: freeing it releases the message.
type lease struct{ m *Message }

func (l lease) Free([]byte)                   { l.m.Release() }
func (l lease) Allocate(int) []byte           { panic("mesh: a message does not allocate") }
func (l lease) Reallocate(int, []byte) []byte { panic("mesh: a message does not grow") }

// recordHead is the number of bytes before a record's blocks.
func recordHead(shapes []block.Shape) int64 {
	n := int64(0)
	for _, s := range shapes {
		n += 8 + 16*int64(s.Arrays) + 16*int64(s.Buffers)
	}
	return block.Align(n)
}

// putBatches writes what [getBatches] reads.
func putBatches(b []byte, batches []block.Batch) {
	out := b[:0]
	put := func(v int64) { out = binary.LittleEndian.AppendUint64(out, uint64(v)) }
	for i := range batches {
		batch := &batches[i]
		put(batch.Rows)
		for i := range batch.Lengths {
			put(batch.Lengths[i])
			put(batch.Nulls[i])
		}
		for _, x := range batch.Buffers {
			put(x.Offset)
			put(x.Length)
		}
	}
	clear(b[len(out):])
}

// getBatches reads where the buffers of a record and its dictionaries lie. The
// schema, not the bytes, says how many there are.
func getBatches(b []byte, shapes []block.Shape) ([]block.Batch, error) {
	if int64(len(b)) < recordHead(shapes) {
		return nil, fmt.Errorf("%w: %d bytes, a record of the schema has at least %d", block.ErrMalformed, len(b), recordHead(shapes))
	}
	get := func() int64 {
		v := binary.LittleEndian.Uint64(b)
		b = b[8:]
		return int64(v)
	}
	batches := make([]block.Batch, len(shapes))
	for i, s := range shapes {
		batch := block.Batch{Rows: get(), Lengths: make([]int64, s.Arrays), Nulls: make([]int64, s.Arrays),
			Buffers: make([]block.Extent, s.Buffers)}
		for i := range batch.Lengths {
			batch.Lengths[i], batch.Nulls[i] = get(), get()
		}
		for i := range batch.Buffers {
			batch.Buffers[i] = block.Extent{Offset: get(), Length: get()}
		}
		batches[i] = batch
	}
	return batches, nil
}
