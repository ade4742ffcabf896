package peer

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"iter"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/capstan-run/capstan/shuffle/block"
)

// recordCodec writes records into messages that need nothing else to be read.
//
//	0   uint32  bytes of the schema
//	4   uint32  bytes of the numbers
//	8   the schema, as an Arrow IPC message; a multiple of 64 bytes
//	..  numbers: of each dictionary and then the record rows, arrays, buffers;
//	    length and nulls of each array; offset and length of each buffer
//	..  zeros up to a multiple of 64, then the batches as package block writes them
type recordCodec struct {
	schema  *arrow.Schema // the last one sent
	message []byte        // its bytes
	enc     *block.Encoder
	body    bytes.Buffer

	got     *arrow.Schema // the last one received
	gotFrom []byte
}

// SendRecord sends rec, which is not retained. It is delivered after the next
// Sync.
func (p *Peer) SendRecord(to int, rec arrow.Record) error {
	l, err := p.lane(to)
	if err != nil {
		return err
	}
	parts, err := p.records.encode(rec)
	if err != nil {
		return err
	}
	if err := p.fits(lengthOf(parts), p.c.Memory/4); err != nil {
		return err
	}
	p.messages++
	return p.timed(func() error { return l.post(makeHead(classRecord, 0, p.step), parts...) })
}

// Records yields the records that were sent to this rank in the superstep that
// ended, by sender, in the order in which it sent them. They are valid until
// the next Sync, retained or not.
func (p *Peer) Records() iter.Seq2[int, arrow.Record] {
	return func(yield func(int, arrow.Record) bool) {
		if p.mail == nil {
			return
		}
		p.mail.all(classRecord, func(from int, l *letter) bool {
			rec, err := p.records.decode(l.payload)
			if err != nil {
				_ = p.lost(fmt.Errorf("record from rank %d: %w", from, err))
				return false
			}
			defer rec.Release()
			return yield(from, rec)
		})
	}
}

func (c *recordCodec) encode(rec arrow.Record) ([][]byte, error) {
	if err := c.use(rec.Schema()); err != nil {
		return nil, err
	}
	c.body.Reset()
	var numbers []byte
	pos := int64(0)
	for id, values := range block.RecordDictionaries(rec) {
		b, n, err := c.enc.EncodeDictionary(&c.body, pos, id, values)
		if err != nil {
			return nil, err
		}
		numbers, pos = appendBatch(numbers, &b), pos+n
	}
	b, _, err := c.enc.Encode(&c.body, pos, rec)
	if err != nil {
		return nil, err
	}
	numbers = appendBatch(numbers, &b)
	h := binary.LittleEndian.AppendUint32(nil, uint32(len(c.message)))
	h = binary.LittleEndian.AppendUint32(h, uint32(len(numbers)))
	pad := make([]byte, block.Align(int64(8+len(numbers)))-int64(8+len(numbers)))
	return [][]byte{h, c.message, numbers, pad, c.body.Bytes()}, nil
}

// use makes schema the one that is sent.
func (c *recordCodec) use(schema *arrow.Schema) (err error) {
	if c.enc != nil && c.schema.Equal(schema) {
		return nil
	}
	if err := block.CheckSchema(schema); err != nil {
		return err
	}
	if c.message, err = block.MarshalSchema(schema); err != nil {
		return err
	}
	c.enc, err = block.NewEncoder(schema, nil)
	c.schema = schema
	return err
}

func (c *recordCodec) decode(b []byte) (arrow.Record, error) {
	if len(b) < 8 {
		return nil, block.ErrMalformed
	}
	schemaLen, numbersLen := int64(binary.LittleEndian.Uint32(b)), int64(binary.LittleEndian.Uint32(b[4:]))
	start := block.Align(8+numbersLen) + schemaLen
	if start > int64(len(b)) {
		return nil, block.ErrMalformed
	}
	schema, err := c.schemaOf(b[8 : 8+schemaLen])
	if err != nil {
		return nil, err
	}
	var batches []block.Batch
	for numbers := b[8+schemaLen : 8+schemaLen+numbersLen]; len(numbers) > 0; {
		var batch block.Batch
		if batch, numbers, err = parseBatch(numbers); err != nil {
			return nil, err
		}
		batches = append(batches, batch)
	}
	if len(batches) != len(block.Dictionaries(schema))+1 {
		return nil, block.ErrMalformed
	}
	last := len(batches) - 1
	dec, err := block.NewDecoder(schema, memory.NewBufferBytes(b[start:]), block.Packing{Dictionaries: batches[:last]})
	if err != nil {
		return nil, err
	}
	defer dec.Release()
	return dec.Decode(&batches[last])
}

func (c *recordCodec) schemaOf(message []byte) (*arrow.Schema, error) {
	if c.got != nil && bytes.Equal(message, c.gotFrom) {
		return c.got, nil
	}
	schema, err := block.UnmarshalSchema(message)
	if err != nil {
		return nil, err
	}
	c.got, c.gotFrom = schema, bytes.Clone(message)
	return schema, nil
}

func appendBatch(b []byte, batch *block.Batch) []byte {
	put := func(v int64) { b = binary.LittleEndian.AppendUint64(b, uint64(v)) }
	put(batch.Rows)
	put(int64(len(batch.Lengths)))
	put(int64(len(batch.Buffers)))
	for i := range batch.Lengths {
		put(batch.Lengths[i])
		put(batch.Nulls[i])
	}
	for _, x := range batch.Buffers {
		put(x.Offset)
		put(x.Length)
	}
	return b
}

func parseBatch(b []byte) (batch block.Batch, rest []byte, err error) {
	get := func() int64 {
		v := binary.LittleEndian.Uint64(b)
		b = b[8:]
		return int64(v)
	}
	if len(b) < 24 {
		return batch, nil, block.ErrMalformed
	}
	batch.Rows = get()
	arrays, buffers := get(), get()
	if n := int64(len(b) / 16); arrays < 0 || buffers < 0 || arrays > n || buffers > n-arrays {
		return batch, nil, block.ErrMalformed
	}
	batch.Lengths, batch.Nulls, batch.Buffers = make([]int64, arrays), make([]int64, arrays), make([]block.Extent, buffers)
	for i := range batch.Lengths {
		batch.Lengths[i], batch.Nulls[i] = get(), get()
	}
	for i := range batch.Buffers {
		batch.Buffers[i].Offset, batch.Buffers[i].Length = get(), get()
	}
	return batch, b, nil
}
