package block

import (
	"fmt"
	"io"
	"math"
	"unsafe"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/bitutil"
)

// Scratch is the size up to which an [Encoder] without a compressor writes
// memory of its own. A longer piece is the record's: it stays as it is until
// the record is released.
const Scratch = 16 << 10

// Encoder writes record batches of one schema. It holds a small buffer and no
// Arrow memory; it is not safe for concurrent use.
type Encoder struct {
	schema  *arrow.Schema
	shape   Shape
	meta    *message
	dicts   []*message // by dictionary, made when needed
	comp    *Compressor
	batch   Batch
	pieces  []piece
	head    []byte
	packed  []byte // the compressed body
	flat    []byte // a piece put together before it is compressed
	scratch [Scratch]byte
}

// NewEncoder returns an encoder for schema, which must pass [CheckSchema]. comp,
// if not nil, compresses the buffers of record batches.
func NewEncoder(schema *arrow.Schema, comp *Compressor) (*Encoder, error) {
	if err := CheckSchema(schema); err != nil {
		return nil, err
	}
	shape := ShapeOf(schema)
	codec := None
	if comp != nil {
		codec = comp.codec
	}
	return &Encoder{
		schema: schema, shape: shape, comp: comp,
		meta:  newMessage(shape.Arrays, shape.Buffers, codec),
		dicts: make([]*message, len(Dictionaries(schema))),
	}, nil
}

// Encode writes rec to w as one IPC message and returns where its buffers lie
// and how many bytes it wrote. pos is the number of bytes of the partition
// written so far, a multiple of [Alignment]; extents count from the partition's
// start. rec is not retained. After an error w holds a part of the message.
//
// Of a dictionary column the indices are written: the dictionary is the
// caller's to write before ([Encoder.EncodeDictionary]).
func (e *Encoder) Encode(w io.Writer, pos int64, rec arrow.Record) (Batch, int64, error) {
	if !rec.Schema().Equal(e.schema) {
		return Batch{}, 0, fmt.Errorf("record's schema differs from the exchange's:\n%s\nwant:\n%s", rec.Schema(), e.schema)
	}
	if rec.NumRows() > MaxRows {
		return Batch{}, 0, fmt.Errorf("record has %d rows, more than %d: slice it", rec.NumRows(), MaxRows)
	}
	e.begin(rec.NumRows(), e.shape)
	for i, col := range rec.Columns() {
		d := col.Data()
		if err := e.visit(d, d.Offset(), d.Len()); err != nil {
			return Batch{}, 0, fmt.Errorf("column %q: %w", rec.ColumnName(i), err)
		}
	}
	if e.comp != nil {
		return e.flushPacked(w, pos)
	}
	return e.flush(w, pos, e.meta)
}

// EncodeDictionary writes values as the dictionary id of the stream, counted
// as [Dictionaries] does. It is never compressed.
func (e *Encoder) EncodeDictionary(w io.Writer, pos int64, id int, values arrow.ArrayData) (Batch, int64, error) {
	l, err := LayoutOf(values.DataType())
	if err != nil {
		return Batch{}, 0, err
	}
	if e.dicts[id] == nil {
		e.dicts[id] = newDictionaryMessage(int64(id), l.Buffers())
	}
	e.begin(int64(values.Len()), Shape{Arrays: 1, Buffers: l.Buffers()})
	if err := e.visit(values, values.Offset(), values.Len()); err != nil {
		return Batch{}, 0, fmt.Errorf("dictionary %d: %w", id, err)
	}
	return e.flush(w, pos, e.dicts[id])
}

func (e *Encoder) begin(rows int64, s Shape) {
	numbers := make([]int64, 2*s.Arrays)
	e.batch = Batch{
		Rows:    rows,
		Lengths: numbers[:0:s.Arrays],
		Nulls:   numbers[s.Arrays:s.Arrays],
		Buffers: make([]Extent, s.Buffers),
	}
	e.pieces = e.pieces[:0]
}

// flush writes the message of the collected pieces.
func (e *Encoder) flush(w io.Writer, pos int64, meta *message) (Batch, int64, error) {
	at := pos + meta.size()
	body := int64(0)
	for i := range e.pieces {
		n := e.pieces[i].length()
		e.batch.Buffers[i] = Extent{Offset: at + body, Length: n}
		body += Align(n)
	}
	if err := e.writeHead(w, meta, at, body); err != nil {
		return Batch{}, 0, err
	}
	for i := range e.pieces {
		if err := e.emit(w, &e.pieces[i]); err != nil {
			return Batch{}, 0, err
		}
		n := e.batch.Buffers[i].Length
		if err := pad(w, Align(n)-n); err != nil {
			return Batch{}, 0, err
		}
	}
	clear(e.pieces) // hold no reference to the record
	return e.batch, meta.size() + body, nil
}

func (e *Encoder) writeHead(w io.Writer, meta *message, at, body int64) error {
	if need := len(meta.bytes); cap(e.head) < need {
		e.head = make([]byte, need)
	}
	e.head = e.head[:len(meta.bytes)]
	meta.put(e.head, &e.batch, at, body)
	for rest := e.head; len(rest) > 0; {
		n := min(len(rest), Scratch)
		if _, err := w.Write(rest[:n]); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}

// flushPacked is flush with the pieces compressed.
func (e *Encoder) flushPacked(w io.Writer, pos int64) (Batch, int64, error) {
	var err error
	at := pos + e.meta.size()
	e.packed = e.packed[:0]
	for i := range e.pieces {
		src := e.pieces[i].src
		if e.pieces[i].op != pieceBytes {
			flat := sliceWriter{e.flat[:0]}
			if err := e.emit(&flat, &e.pieces[i]); err != nil {
				return Batch{}, 0, err
			}
			e.flat, src = flat.b, flat.b
		}
		if err := e.pack(i, at, src); err != nil {
			return Batch{}, 0, err
		}
	}
	clear(e.pieces)
	if err = e.writeHead(w, e.meta, at, int64(len(e.packed))); err == nil {
		_, err = w.Write(e.packed)
	}
	return e.batch, e.meta.size() + int64(len(e.packed)), err
}

// pack appends the i-th buffer and its padding to the compressed body, which
// starts at at.
func (e *Encoder) pack(i int, at int64, src []byte) error {
	from := len(e.packed)
	packed, err := e.comp.Append(e.packed, i, src)
	if err != nil {
		return err
	}
	n := int64(len(packed) - from)
	e.batch.Buffers[i] = Extent{Offset: at + int64(from), Length: n}
	e.batch.Raw += Align(int64(len(src)))
	e.packed = append(packed, zeros[:Align(n)-n]...)
	return nil
}

// visit collects the pieces of n elements of d from element off, counted from
// the start of d's buffers.
func (e *Encoder) visit(d arrow.ArrayData, off, n int) error {
	l, err := LayoutOf(d.DataType())
	if err != nil {
		return err
	}
	if n > MaxRows {
		return fmt.Errorf("array of %s has %d elements, more than %d: slice the record", d.DataType(), n, MaxRows)
	}
	nulls := nullCount(l, d, off, n)
	e.batch.Nulls = append(e.batch.Nulls, int64(nulls))
	e.batch.Lengths = append(e.batch.Lengths, int64(n))
	if l.Form == FormNull {
		return nil
	}
	if nulls > 0 {
		if err := e.bits(Bytes(d, 0), off, n); err != nil {
			return err
		}
	} else {
		e.pieces = append(e.pieces, piece{})
	}
	return e.visitValues(l, d, off, n)
}

func (e *Encoder) visitValues(l Layout, d arrow.ArrayData, off, n int) error {
	switch l.Form {
	case FormBits:
		return e.bits(Bytes(d, 1), off, n)
	case FormFixed, FormDictionary:
		src, err := window(Bytes(d, 1), off*l.Width, n*l.Width)
		e.pieces = append(e.pieces, piece{src: src})
		return err
	case FormBinary, FormLarge:
		lo, hi, err := e.offsets(l, d, off, n)
		if err != nil {
			return err
		}
		src, err := window(Bytes(d, 2), lo, hi-lo)
		e.pieces = append(e.pieces, piece{src: src})
		return err
	case FormList, FormLargeList:
		lo, hi, err := e.offsets(l, d, off, n)
		if err != nil {
			return err
		}
		return e.visitChild(d.Children()[0], lo, hi-lo)
	case FormFixedList:
		return e.visitChild(d.Children()[0], off*l.Width, n*l.Width)
	case FormStruct:
		for _, c := range d.Children() {
			if err := e.visitChild(c, off, n); err != nil {
				return err
			}
		}
	}
	return nil
}

// bits collects the piece of n bits of src from bit off.
func (e *Encoder) bits(src []byte, off, n int) error {
	if have := len(src) * 8; off+n > have {
		return fmt.Errorf("array's bitmap has %d bits where %d are needed", have, off+n)
	}
	e.pieces = append(e.pieces, piece{op: pieceBits, src: src, offset: off, count: n})
	return nil
}

// visitChild visits n elements of c from its element i on.
func (e *Encoder) visitChild(c arrow.ArrayData, i, n int) error {
	if i+n > c.Len() {
		return fmt.Errorf("array of %s has %d elements where its parent needs %d", c.DataType(), c.Len(), i+n)
	}
	return e.visit(c, c.Offset()+i, n)
}

// offsets collects the piece of n+1 offsets and returns the first and the last.
func (e *Encoder) offsets(l Layout, d arrow.ArrayData, off, n int) (lo, hi int, err error) {
	if n == 0 {
		e.pieces = append(e.pieces, piece{})
		return 0, 0, nil
	}
	width, op := 4, pieceOffsets32
	if l.Form == FormLarge || l.Form == FormLargeList {
		width, op = 8, pieceOffsets64
	}
	src, err := window(Bytes(d, 1), off*width, (n+1)*width)
	if err != nil {
		return 0, 0, err
	}
	if width == 4 {
		o := Cast[int32](src)
		lo, hi = int(o[0]), int(o[n])
	} else {
		o := Cast[int64](src)
		lo, hi = int(o[0]), int(o[n])
	}
	if lo == 0 {
		op = pieceBytes
	}
	e.pieces = append(e.pieces, piece{op: op, src: src, count: n + 1})
	return lo, hi, nil
}

func nullCount(l Layout, d arrow.ArrayData, off, n int) int {
	if l.Form == FormNull {
		return n
	}
	valid := Bytes(d, 0)
	if len(valid) == 0 || n == 0 {
		return 0
	}
	if off == d.Offset() && n == d.Len() && d.NullN() != array.UnknownNullCount {
		return d.NullN()
	}
	return n - bitutil.CountSetBits(valid, off, n)
}

// Bytes returns the bytes of d's i-th buffer, nil where it has none.
func Bytes(d arrow.ArrayData, i int) []byte {
	bufs := d.Buffers()
	if i >= len(bufs) || bufs[i] == nil {
		return nil
	}
	return bufs[i].Bytes()
}

// Cast views b, which must be aligned for T, as a slice of T.
func Cast[T int8 | uint8 | int16 | uint16 | int32 | uint32 | int64 | uint64 | float32 | float64](b []byte) []T {
	var t T
	if n := len(b) / int(unsafe.Sizeof(t)); n > 0 {
		return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), n)
	}
	return nil
}

func window(b []byte, off, n int) ([]byte, error) {
	if n == 0 {
		return nil, nil
	}
	if off < 0 || n < 0 || off > math.MaxInt-n || off+n > len(b) {
		return nil, fmt.Errorf("array's buffer has %d bytes where bytes %d to %d are needed", len(b), off, off+n)
	}
	return b[off : off+n], nil
}
