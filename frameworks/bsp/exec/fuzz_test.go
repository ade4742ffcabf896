package exec

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/capstan-run/capstan/frameworks/bsp/peer"
)

// streamOf is a stream as a process may write it.
func streamOf(f *testing.F, kind string, rows int) []byte {
	schema := schemaOf(arrow.Field{Name: "to", Type: arrow.PrimitiveTypes.Int32}, []arrow.Field{
		{Name: "text", Type: arrow.BinaryTypes.String, Nullable: true}, {Name: "list", Type: arrow.ListOf(arrow.PrimitiveTypes.Float64)}}, nil, kind)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	for i := range rows {
		b.Field(0).(*array.Int32Builder).Append(int32(i))
		b.Field(1).(*array.StringBuilder).Append("text")
		b.Field(2).(*array.ListBuilder).Append(true)
		b.Field(2).(*array.ListBuilder).ValueBuilder().(*array.Float64Builder).Append(float64(i))
	}
	rec := b.NewRecord()
	defer rec.Release()
	var out bytes.Buffer
	w := ipc.NewWriter(&out, ipc.WithSchema(schema))
	if err := w.Write(rec); err != nil {
		f.Fatal(err)
	}
	if err := w.Close(); err != nil {
		f.Fatal(err)
	}
	return out.Bytes()
}

// FuzzStreams reads what a process may write to stdout behind a schema: it ends,
// is refused, or its records are whole. Schemas are Arrow's to read, and left out
// (package comment).
func FuzzStreams(f *testing.F) {
	whole := streamOf(f, "messages", 3)
	schema := 8 + int(binary.LittleEndian.Uint32(whole[4:]))
	f.Add(whole[schema:])
	f.Add([]byte("some text\n"))
	f.Fuzz(func(t *testing.T, rest []byte) {
		p := &process{reader: bufio.NewReader(bytes.NewReader(append(bytes.Clone(whole[:schema]), rest...)))}
		s, err := p.next(1 << 20)
		if err != nil {
			t.Fatal(err)
		}
		defer s.close()
		_ = s.each(func(rec arrow.Record) error {
			for i, c := range rec.Columns() {
				if int64(c.Len()) != rec.NumRows() {
					t.Errorf("column %d has %d of %d rows", i, c.Len(), rec.NumRows())
				}
			}
			_, err := rec.MarshalJSON()
			return err
		})
	})
}

// FuzzValues merges aggregators that processes may write: ranks can tell each
// other and the processes what comes of it, and a sum beyond float64 stays one.
func FuzzValues(f *testing.F) {
	f.Add(`{"a":{"op":"sum","value":1.5},"b":{"op":"any","value":true}}`, `{"a":{"op":"max","value":2},"b":{"op":"sum","value":1}}`)
	f.Add(`{"a":{"op":"sum","value":1e308}}`, `{"a":{"op":"sum","value":1e308}}`)
	f.Fuzz(func(t *testing.T, a, b string) {
		x, errX := parse[values]("aggregators", a)
		y, errY := parse[values]("aggregators", b)
		if errX != nil || errY != nil || x.check() != nil || y.check() != nil {
			return
		}
		all := merge(merge(values{}, x), y)
		text, err := peer.JSON[values]().Append(nil, all)
		if err != nil {
			t.Fatal(err)
		}
		again, err := peer.JSON[values]().Decode(text)
		if err != nil || merge(again, x).json() != merge(all, x).json() {
			t.Errorf("%s is %s after it was told, %v", all.json(), again.json(), err)
		}
	})
}
