package block_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"pgregory.net/rapid"

	"github.com/capstan-run/capstan/shuffle/block"
	"github.com/capstan-run/capstan/shuffle/block/blocktest"
)

type fataler interface {
	Helper()
	Fatal(...any)
}

// stream is a record written as a whole Arrow stream.
type stream struct {
	schema  *arrow.Schema
	buf     *memory.Buffer
	batch   block.Batch
	packing block.Packing
}

// encode writes rec, compressed with codec, and its dictionaries.
func encode(t fataler, rec arrow.Record, codec block.Codec) stream {
	t.Helper()
	msg, err := block.MarshalSchema(rec.Schema())
	if err != nil {
		t.Fatal(err)
	}
	s := stream{schema: rec.Schema(), packing: block.Packing{Codec: codec, Codecs: new(block.Codecs), Memory: memory.DefaultAllocator}}
	var comp *block.Compressor
	if codec != block.None {
		if comp, err = block.NewCompressor(block.ShapeOf(rec.Schema()), codec, s.packing.Codecs); err != nil {
			t.Fatal(err)
		}
	}
	enc, err := block.NewEncoder(rec.Schema(), comp)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	out.Write(msg)
	for i, d := range block.RecordDictionaries(rec) {
		b, n, err := enc.EncodeDictionary(&out, int64(out.Len()), i, d)
		if err != nil || n%block.Alignment != 0 {
			t.Fatal("dictionary of ", n, " bytes: ", err)
		}
		s.packing.Dictionaries = append(s.packing.Dictionaries, b)
	}
	pos := int64(out.Len())
	batch, n, err := enc.Encode(&out, pos, rec)
	if err != nil {
		t.Fatal(err)
	}
	if int64(out.Len()) != pos+n || n%block.Alignment != 0 {
		t.Fatal("Encode wrote ", int64(out.Len())-pos, " bytes and said ", n)
	}
	out.Write(block.EndOfStream[:])
	s.buf, s.batch = memory.NewBufferBytes(slices.Clone(out.Bytes())), batch
	return s
}

// decode reads the record back.
func (s *stream) decode() (arrow.Record, error) {
	d, err := block.NewDecoder(s.schema, s.buf, s.packing)
	if err != nil {
		return nil, err
	}
	defer d.Release()
	return d.Decode(&s.batch)
}

var codecs = []block.Codec{block.None, block.LZ4, block.Zstd}

// same reports whether two records hold the same rows, however their arrays lie in
// memory.
func same(a, b arrow.Record) bool {
	if !a.Schema().Equal(b.Schema()) || a.NumRows() != b.NumRows() {
		return false
	}
	for i := range a.Columns() {
		if !sameColumn(a.Column(i), b.Column(i)) {
			return false
		}
	}
	return true
}

// sameColumn takes as text what Arrow does not find equal: to it no NaN is like
// another. Text alone will not do, as it tells a value of no bytes from one whose
// buffer is not there.
func sameColumn(a, b arrow.Array) bool {
	if array.Equal(a, b) {
		return true
	}
	x, errA := a.MarshalJSON()
	y, errB := b.MarshalJSON()
	return errA == nil && errB == nil && bytes.Equal(x, y)
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
		rec := blocktest.DrawRecord(t, mem, blocktest.DrawSchema(t), 40)
		codec := rapid.SampledFrom(codecs).Draw(t, "codec")
		s := encode(t, rec, codec)
		s.packing.Memory = mem
		for _, x := range s.batch.Buffers {
			if x.Offset%block.Alignment != 0 {
				t.Fatalf("buffer at %d is not aligned", x.Offset)
			}
		}
		got, err := s.decode()
		if err != nil {
			t.Fatal(err)
		}
		if !same(rec, got) {
			t.Fatalf("wrote %v\nread  %v", rec, got)
		}
		if a, b := block.RowHash(rec), block.RowHash(got); a != b {
			t.Fatalf("row hash %x written, %x read", a, b)
		}
		again := encode(t, got, codec)
		if !bytes.Equal(s.buf.Bytes(), again.buf.Bytes()) {
			t.Fatal("the bytes depend on how the record lay in memory")
		}
		got.Release()
		rec.Release()
		mem.AssertSize(noHelper{t}, 0)
	})
}

type noHelper struct{ *rapid.T }

func TestArrowReadsTheStream(t *testing.T) {
	for _, dt := range blocktest.Types() {
		for _, codec := range codecs {
			t.Run(dt.String()+string(codec), func(t *testing.T) {
				whole := blocktest.Record(memory.DefaultAllocator, blocktest.SchemaOf(dt), 537, 0.3, 5)
				rec := whole.NewSlice(3, 530)
				s := encode(t, rec, codec)
				if got := arrowReads(t, s.buf.Bytes()); !same(rec, got) {
					t.Fatalf("wrote %v\nread  %v", rec, got)
				}
			})
		}
	}
}

// arrowReads returns the one batch of a stream as Arrow's own reader has it.
func arrowReads(t fataler, stream []byte) arrow.Record {
	t.Helper()
	r, err := ipc.NewReader(bytes.NewReader(stream))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	got, err := r.Read()
	if err != nil {
		t.Fatal(err)
	}
	got.Retain()
	if _, err := r.Read(); err != io.EOF {
		t.Fatal("after the last batch: ", err)
	}
	return got
}

func TestDecodeHoldsItsMemoryUntilTheRecordIsReleased(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	rec := blocktest.Record(memory.DefaultAllocator, blocktest.SchemaOf(blocktest.Types()...), 20, 0.2, 1)
	s := encode(t, rec, block.None)
	buf := memory.NewResizableBuffer(mem)
	buf.Resize(s.buf.Len())
	copy(buf.Bytes(), s.buf.Bytes())
	s.buf = buf
	got, err := s.decode()
	if err != nil {
		t.Fatal(err)
	}
	buf.Release()
	if mem.CurrentAlloc() == 0 {
		t.Fatal("memory freed under a record")
	}
	if !same(rec, got) {
		t.Fatal("record changed")
	}
	got.Release()
	mem.AssertSize(t, 0)
}

func TestUnsupportedTypesAreNamed(t *testing.T) {
	dict := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String}
	for _, dt := range []arrow.DataType{
		&arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.ListOf(arrow.BinaryTypes.String)},
		&arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: dict},
		arrow.SparseUnionOf([]arrow.Field{{Name: "a", Type: arrow.PrimitiveTypes.Int8}}, []arrow.UnionTypeCode{0}),
		arrow.RunEndEncodedOf(arrow.PrimitiveTypes.Int32, arrow.BinaryTypes.String),
	} {
		_, err := block.NewEncoder(blocktest.SchemaOf(dt), nil)
		if err == nil || !strings.Contains(err.Error(), `"c0`) {
			t.Errorf("%s: %v", dt, err)
		}
	}
}

func TestDecodeRefusesOtherSchema(t *testing.T) {
	rec := blocktest.Record(memory.DefaultAllocator, blocktest.SchemaOf(arrow.PrimitiveTypes.Int8), 9, 0, 1)
	s := encode(t, rec, block.None)
	buf, batch := s.buf, s.batch
	for _, dt := range []arrow.DataType{arrow.PrimitiveTypes.Int16, arrow.BinaryTypes.String, arrow.ListOf(arrow.PrimitiveTypes.Int8)} {
		if _, err := block.Decode(blocktest.SchemaOf(dt), buf, &batch); !errors.Is(err, block.ErrMalformed) {
			t.Errorf("read int8 as %s: %v", dt, err)
		}
	}
	two := blocktest.SchemaOf(arrow.PrimitiveTypes.Int8, arrow.PrimitiveTypes.Int8)
	if _, err := block.Decode(two, buf, &batch); !errors.Is(err, block.ErrMalformed) {
		t.Errorf("a second column out of nothing: %v", err)
	}
	if _, err := block.Decode(blocktest.SchemaOf(), buf, &batch); !errors.Is(err, block.ErrMalformed) {
		t.Errorf("a column too many: %v", err)
	}
}

// TestEncodeRefusesShortChild: arrow lets one build arrays that do not fit.
func TestEncodeRefusesShortChild(t *testing.T) {
	dt := arrow.FixedSizeListOf(3, arrow.PrimitiveTypes.Int8)
	child := array.NewData(arrow.PrimitiveTypes.Int8, 4, []*memory.Buffer{nil, memory.NewBufferBytes(make([]byte, 4))}, nil, 0, 0)
	list := array.MakeFromData(array.NewData(dt, 2, []*memory.Buffer{nil}, []arrow.ArrayData{child}, 0, 0))
	schema := blocktest.SchemaOf(dt)
	enc, err := block.NewEncoder(schema, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := enc.Encode(io.Discard, 0, array.NewRecord(schema, []arrow.Array{list}, 2)); err == nil {
		t.Fatal("wrote a list of 2 × 3 over 4 elements")
	}
}
