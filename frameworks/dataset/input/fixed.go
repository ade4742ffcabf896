package input

import (
	"context"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

// FixedSchema is that of records of a fixed length: their first bytes, and the
// others.
var FixedSchema = arrow.NewSchema([]arrow.Field{
	{Name: "key", Type: arrow.BinaryTypes.Binary},
	{Name: "value", Type: arrow.BinaryTypes.Binary},
}, nil)

// fixedBytes is about how many bytes of records make a batch.
const fixedBytes = 2 << 20

// fixedFile reads records of a fixed length, which follow each other without
// anything in between. Those of a range are the ones that begin in it.
type fixedFile struct {
	o      Options
	src    source
	cur    Range
	dec    *content // nil: the file is as it is
	pos    int64    // in the (decompressed) file, of the next record
	end    int64    // records that begin here or later are not ours
	raw    []byte   // room for a batch
	keys   *memory.Buffer
	values *memory.Buffer // offsets of a whole batch, the same for all
}

func openFixed(ctx context.Context, src source, cur Range, o Options) (*fixedFile, error) {
	width := int64(o.RecordLength)
	f := &fixedFile{o: o, src: src, cur: cur, pos: (cur.Offset + width - 1) / width * width, end: cur.Offset + cur.Length}
	if cur.Codec != "" {
		f.dec, f.pos = new(content), 0
		if err := f.dec.open(ctx, src, cur.Codec); err != nil {
			return nil, err
		}
	}
	rows := max(1, min(fixedBytes/o.RecordLength, o.BatchRows))
	f.raw = make([]byte, rows*o.RecordLength)
	f.keys, f.values = stride(rows, o.KeyLength), stride(rows, o.RecordLength-o.KeyLength)
	return f, nil
}

// stride is the offsets of rows values of n bytes each.
func stride(rows, n int) *memory.Buffer {
	offsets := make([]int32, rows+1)
	for i := range offsets {
		offsets[i] = int32(i * n)
	}
	return memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(offsets))
}

func (f *fixedFile) next(ctx context.Context) (arrow.Record, error) {
	n, err := f.fill(ctx)
	if err != nil {
		return nil, err
	}
	width := f.o.RecordLength
	whole := n / width * width
	if whole < n {
		if err := f.torn(f.pos+int64(whole), f.raw[whole:n]); err != nil {
			return nil, err
		}
	}
	f.pos += int64(n)
	if whole == 0 {
		return nil, io.EOF
	}
	return f.record(whole / width)
}

// fill reads records of ours into raw: whole ones, but for the last of the file.
func (f *fixedFile) fill(ctx context.Context) (int, error) {
	if f.dec != nil {
		return f.unzip(ctx)
	}
	width := int64(f.o.RecordLength)
	last := min((f.end+width-1)/width*width, f.cur.Size)
	want := min(int64(len(f.raw)), last-f.pos)
	if want <= 0 {
		return 0, io.EOF
	}
	for n := 0; n < int(want); {
		m, err := f.src.readAt(ctx, f.raw[n:want], f.pos+int64(n))
		n += m
		if err == io.EOF {
			return 0, changed(f.cur.File, f.pos+int64(n))
		}
		if err != nil {
			return 0, err
		}
	}
	return int(want), nil
}

func (f *fixedFile) unzip(ctx context.Context) (int, error) {
	n := 0
	for n < len(f.raw) {
		m, err := f.dec.next(ctx, f.raw[n:])
		n += m
		if err == io.EOF {
			break
		}
		if err != nil {
			return 0, err
		}
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// torn reports the rest of a file that is shorter than a record.
func (f *fixedFile) torn(at int64, rest []byte) error {
	return f.o.report(Bad{File: f.cur.URL, Offset: at, Length: int64(len(rest)), Sample: sample(rest),
		Reason: fmt.Sprintf("the file ends after %d bytes of a record of %d", len(rest), f.o.RecordLength)})
}

// room is memory for n bytes, which its last release gives back.
func (f *fixedFile) room(n int) (*memory.Buffer, error) {
	if f.o.Memory == nil {
		return memory.NewBufferBytes(make([]byte, n)), nil
	}
	b, err := f.o.Memory.Get(n)
	if err != nil {
		return nil, errGone{err}
	}
	return b.Buffer(), nil
}

// record takes the first rows records of raw apart.
func (f *fixedFile) record(rows int) (arrow.Record, error) {
	k, width := f.o.KeyLength, f.o.RecordLength
	room, err := f.room(rows * width)
	if err != nil {
		return nil, err
	}
	defer room.Release()
	keys, values := room.Bytes()[:rows*k], room.Bytes()[rows*k:]
	for i := range rows {
		r := f.raw[i*width : (i+1)*width]
		copy(keys[i*k:], r[:k])
		copy(values[i*(width-k):], r[k:])
	}
	columns := []arrow.Array{
		binaryOf(rows, f.keys, memory.SliceBuffer(room, 0, len(keys))),
		binaryOf(rows, f.values, memory.SliceBuffer(room, len(keys), len(values))),
	}
	defer columns[0].Release()
	defer columns[1].Release()
	return array.NewRecord(FixedSchema, columns, int64(rows)), nil
}

// binaryOf makes a column of data, which it takes over.
func binaryOf(rows int, offsets, data *memory.Buffer) arrow.Array {
	defer data.Release()
	d := array.NewData(arrow.BinaryTypes.Binary, rows, []*memory.Buffer{nil, offsets, data}, nil, 0, 0)
	defer d.Release()
	return array.NewBinaryData(d)
}

func (f *fixedFile) close() error {
	if f.dec != nil {
		f.dec.close()
	}
	return f.src.close()
}
