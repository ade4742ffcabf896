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

// encode writes rec as a whole stream and returns its bytes, aligned, and the
// batch's place.
func encode(t fataler, rec arrow.Record) (*memory.Buffer, block.Batch) {
	t.Helper()
	msg, err := block.MarshalSchema(rec.Schema())
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	out.Write(msg)
	enc, err := block.NewEncoder(rec.Schema())
	if err != nil {
		t.Fatal(err)
	}
	batch, n, err := enc.Encode(&out, int64(len(msg)), rec)
	if err != nil {
		t.Fatal(err)
	}
	if int64(out.Len()) != int64(len(msg))+n {
		t.Fatal("Encode wrote ", out.Len()-len(msg), " bytes and said ", n)
	}
	out.Write(block.EndOfStream[:])
	return memory.NewBufferBytes(slices.Clone(out.Bytes())), batch
}

// same reports whether two records hold the same rows, as their text: the text
// does not depend on how an array lies in memory.
func same(a, b arrow.Record) bool {
	x, errA := a.MarshalJSON()
	y, errB := b.MarshalJSON()
	return errA == nil && errB == nil && bytes.Equal(x, y)
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
		rec := blocktest.DrawRecord(t, mem, blocktest.DrawSchema(t), 40)
		buf, batch := encode(t, rec)
		for _, x := range batch.Buffers {
			if x.Offset%block.Alignment != 0 {
				t.Fatalf("buffer at %d is not aligned", x.Offset)
			}
		}
		got, err := block.Decode(rec.Schema(), buf, &batch)
		if err != nil {
			t.Fatal(err)
		}
		if !same(rec, got) {
			t.Fatalf("wrote %v\nread  %v", rec, got)
		}
		if a, b := block.RowHash(rec), block.RowHash(got); a != b {
			t.Fatalf("row hash %x written, %x read", a, b)
		}
		again, _ := encode(t, got)
		if !bytes.Equal(buf.Bytes(), again.Bytes()) {
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
		t.Run(dt.String(), func(t *testing.T) {
			whole := blocktest.Record(memory.DefaultAllocator, blocktest.SchemaOf(dt), 37, 0.3, 5)
			rec := whole.NewSlice(3, 30)
			buf, _ := encode(t, rec)
			r, err := ipc.NewReader(bytes.NewReader(buf.Bytes()))
			if err != nil {
				t.Fatal(err)
			}
			defer r.Release()
			got, err := r.Read()
			if err != nil {
				t.Fatal(err)
			}
			if !same(rec, got) {
				t.Fatalf("wrote %v\nread  %v", rec, got)
			}
			if _, err := r.Read(); err != io.EOF {
				t.Fatalf("after the last batch: %v", err)
			}
		})
	}
}

func TestDecodeHoldsItsMemoryUntilTheRecordIsReleased(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	rec := blocktest.Record(memory.DefaultAllocator, blocktest.SchemaOf(blocktest.Types()...), 20, 0.2, 1)
	plain, batch := encode(t, rec)
	buf := memory.NewResizableBuffer(mem)
	buf.Resize(plain.Len())
	copy(buf.Bytes(), plain.Bytes())
	got, err := block.Decode(rec.Schema(), buf, &batch)
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
		dict,
		arrow.ListOf(dict),
		arrow.SparseUnionOf([]arrow.Field{{Name: "a", Type: arrow.PrimitiveTypes.Int8}}, []arrow.UnionTypeCode{0}),
		arrow.RunEndEncodedOf(arrow.PrimitiveTypes.Int32, arrow.BinaryTypes.String),
	} {
		_, err := block.NewEncoder(blocktest.SchemaOf(dt))
		if err == nil || !strings.Contains(err.Error(), `"c0`) {
			t.Errorf("%s: %v", dt, err)
		}
	}
}

func TestDecodeRefusesOtherSchema(t *testing.T) {
	rec := blocktest.Record(memory.DefaultAllocator, blocktest.SchemaOf(arrow.PrimitiveTypes.Int8), 9, 0, 1)
	buf, batch := encode(t, rec)
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
	enc, err := block.NewEncoder(schema)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := enc.Encode(io.Discard, 0, array.NewRecord(schema, []arrow.Array{list}, 2)); err == nil {
		t.Fatal("wrote a list of 2 × 3 over 4 elements")
	}
}
