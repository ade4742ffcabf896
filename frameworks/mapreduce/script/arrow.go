package script

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/capstan-run/capstan/core"
)

// RecordWriter writes records to a command as an Arrow IPC stream. The stream
// begins with the first record; every record must have its schema.
type RecordWriter struct {
	to  io.Writer
	w   *ipc.Writer
	has *arrow.Schema
}

// NewRecordWriter writes to w.
func NewRecordWriter(w io.Writer) *RecordWriter { return &RecordWriter{to: w} }

// Write writes rec, which is not retained.
func (w *RecordWriter) Write(rec arrow.Record) error {
	if w.w == nil {
		w.has = rec.Schema()
		w.w = ipc.NewWriter(w.to, ipc.WithSchema(w.has))
	}
	if !rec.Schema().Equal(w.has) {
		return core.Errorf(core.Failed, "files of one task have different columns, and a stream has one schema").
			Do("name the common columns in input.columns, or make one job of each kind of file")
	}
	return w.w.Write(rec)
}

// Close ends the stream. A stream without records has no schema and is empty.
func (w *RecordWriter) Close() error {
	if w.w == nil {
		return nil
	}
	return w.w.Close()
}

// ReadRecords reads an Arrow IPC stream to its end and calls f with each
// record, whose key and value columns were checked: those of that name, or the
// first two. value is nil if there is one column. They are valid during the
// call. No byte at all is an empty stream.
//
// The metadata of each message may be up to 1 MiB, its body and any buffer up to
// most bytes. A corrupt schema may still make Arrow's reader ask for more memory
// than there is; that ends this process, the executor.
func ReadRecords(r io.Reader, most int64, f func(key, value arrow.Array) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = corrupt(fmt.Errorf("%v", p))
		}
	}()
	g := &guard{r: r, most: most}
	if err := g.header(); err != nil {
		if errors.Is(err, io.EOF) {
			return nil
		}
		return corrupt(err)
	}
	reader, err := ipc.NewReader(g, ipc.WithAllocator(bounded{memory.NewGoAllocator(), most}))
	if err != nil {
		return corrupt(err)
	}
	defer reader.Release()
	for {
		rec, err := reader.Read()
		switch {
		case errors.Is(err, io.EOF):
			return ended(r)
		case err != nil:
			return corrupt(err)
		}
		if err := handle(rec, f); err != nil {
			return err
		}
	}
}

// ended is an error if r goes on behind the stream's end: a command that writes
// several streams would else lose the rows of all but the first.
func ended(r io.Reader) error {
	n, err := io.ReadFull(r, make([]byte, 1))
	switch {
	case n > 0:
		return corrupt(errors.New("something follows its end"))
	case errors.Is(err, io.EOF):
		return nil
	}
	return err
}

// bounded is an allocator that panics rather than believe a length beyond most
// that a batch's metadata claims.
type bounded struct {
	memory.Allocator
	most int64
}

func (b bounded) Allocate(size int) []byte {
	b.check(size)
	return b.Allocator.Allocate(size)
}

func (b bounded) Reallocate(size int, p []byte) []byte {
	b.check(size)
	return b.Allocator.Reallocate(size, p)
}

func (b bounded) check(size int) {
	if size < 0 || int64(size) > b.most {
		panic(fmt.Sprintf("a buffer claims %d bytes", size))
	}
}

func corrupt(err error) error {
	e := core.Errorf(core.Failed, "the output is not a whole Arrow IPC stream: %v", err)
	return e.Do("write the stream format (not the file format) to stdout, end it, and print nothing else there")
}

func handle(rec arrow.Record, f func(key, value arrow.Array) error) error {
	if rec.NumCols() == 0 {
		return core.Errorf(core.Failed, "the output stream has no columns").Do("write columns key and value")
	}
	key, value := pick(rec)
	if err := check(key, rec.NumRows()); err != nil {
		return corrupt(fmt.Errorf("column of keys: %w", err))
	}
	if value != nil {
		if err := check(value, rec.NumRows()); err != nil {
			return corrupt(fmt.Errorf("column of values: %w", err))
		}
	}
	return f(key, value)
}

func pick(rec arrow.Record) (key, value arrow.Array) {
	key = rec.Column(0)
	if rec.NumCols() > 1 {
		value = rec.Column(1)
	}
	if at := rec.Schema().FieldIndices("key"); len(at) > 0 {
		key = rec.Column(at[0])
		value = nil
	}
	if at := rec.Schema().FieldIndices("value"); len(at) > 0 {
		value = rec.Column(at[0])
	}
	return key, value
}

// check holds a column's buffers to what its length claims: Arrow's reader
// does not. It knows the types that keys and values may have.
func check(a arrow.Array, rows int64) error {
	d := a.Data()
	n := d.Offset() + d.Len()
	bufs := d.Buffers()
	if int64(a.Len()) != rows || d.Offset() < 0 || len(bufs) < 2 {
		return errors.New("its length is not the record's")
	}
	size := func(i int) int {
		if i < len(bufs) && bufs[i] != nil {
			return bufs[i].Len()
		}
		return 0
	}
	if size(0) > 0 && size(0) < (n+7)/8 {
		return errors.New("its validity bitmap is too short")
	}
	switch a.(type) {
	case *array.String, *array.Binary:
		if n == 0 {
			return nil
		}
		if size(1) < 4*(n+1) {
			return errors.New("its offsets are too short")
		}
		return ascending(arrow.Int32Traits.CastFromBytes(bufs[1].Bytes())[:n+1], size(2))
	case *array.LargeString, *array.LargeBinary:
		if n == 0 {
			return nil
		}
		if size(1) < 8*(n+1) {
			return errors.New("its offsets are too short")
		}
		return ascending(arrow.Int64Traits.CastFromBytes(bufs[1].Bytes())[:n+1], size(2))
	case *array.Boolean:
		return enough(size(1), (n+7)/8)
	}
	fixed, ok := a.DataType().(arrow.FixedWidthDataType)
	if !ok || !plain(a.DataType().ID()) {
		return fmt.Errorf("its type %s is none of strings, numbers and booleans", a.DataType())
	}
	return enough(size(1), n*fixed.BitWidth()/8)
}

func plain(t arrow.Type) bool {
	return arrow.IsInteger(t) || arrow.IsFloating(t) || t == arrow.DATE32 || t == arrow.DATE64 || t == arrow.TIMESTAMP
}

func enough(have, want int) error {
	if have < want {
		return errors.New("its values are too short")
	}
	return nil
}

func ascending[T int32 | int64](offsets []T, size int) error {
	last := T(0)
	for _, o := range offsets {
		if o < last || int64(o) > int64(size) {
			return errors.New("its offsets are out of order")
		}
		last = o
	}
	return nil
}

// guard passes a stream on and refuses messages whose framing claims more than
// the bounds allow. It follows the framing: continuation mark, length of
// metadata, metadata, body; the body's length it finds in the metadata.
type guard struct {
	r    io.Reader
	most int64
	head []byte // read ahead, to be handed out
	left int64  // of the metadata or the body after it, to pass through
}

const maxMetadata = 1 << 20

// header reads the framing of the next message.
func (g *guard) header() error {
	var b [8]byte
	if _, err := io.ReadFull(g.r, b[:4]); err != nil {
		return err
	}
	n := 4
	if binary.LittleEndian.Uint32(b[:]) == 0xffffffff {
		if _, err := io.ReadFull(g.r, b[4:]); err != nil {
			return noEOF(err)
		}
		n = 8
	}
	length := int64(int32(binary.LittleEndian.Uint32(b[n-4:])))
	if length < 0 || length > maxMetadata {
		return fmt.Errorf("a message claims %d bytes of metadata", length)
	}
	g.head = append(g.head, b[:n]...)
	if length == 0 {
		return nil
	}
	meta := make([]byte, length)
	if _, err := io.ReadFull(g.r, meta); err != nil {
		return noEOF(err)
	}
	body, err := bodyLength(meta)
	if err != nil {
		return err
	}
	if body < 0 || body > g.most {
		return fmt.Errorf("a message claims a body of %d bytes", body)
	}
	g.head = append(g.head, meta...)
	g.left = body
	return nil
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// bodyLength is the field bodyLength (number 3) of a flatbuffer Message.
func bodyLength(meta []byte) (int64, error) {
	at := func(off, n int64) (int64, error) {
		if off < 0 || off+n > int64(len(meta)) {
			return 0, errors.New("a message's metadata is broken")
		}
		switch n {
		case 2:
			return int64(binary.LittleEndian.Uint16(meta[off:])), nil
		case 4:
			return int64(int32(binary.LittleEndian.Uint32(meta[off:]))), nil
		}
		return int64(binary.LittleEndian.Uint64(meta[off:])), nil
	}
	table, err := at(0, 4)
	if err != nil {
		return 0, err
	}
	back, err := at(table, 4)
	if err != nil {
		return 0, err
	}
	size, err := at(table-back, 2)
	if err != nil || size < 4+2*4 {
		return 0, err // the field is absent: 0
	}
	field, err := at(table-back+4+2*3, 2)
	if err != nil || field == 0 {
		return 0, err
	}
	return at(table+field, 8)
}

func (g *guard) Read(b []byte) (int, error) {
	if len(g.head) == 0 && g.left == 0 {
		if err := g.header(); err != nil {
			return 0, err
		}
	}
	if len(g.head) > 0 {
		n := copy(b, g.head)
		g.head = g.head[n:]
		return n, nil
	}
	n, err := g.r.Read(b[:min(int64(len(b)), g.left)])
	g.left -= int64(n)
	return n, err
}
