package block_test

import (
	"fmt"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/capstan-run/capstan/shuffle/block"
	"github.com/capstan-run/capstan/shuffle/block/blocktest"
)

// TestRecordIsArrows: what Decode returns answers as arrow's own record does,
// and holds the memory as long.
func TestRecordIsArrows(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	in := blocktest.Record(mem, blocktest.SchemaOf(arrow.BinaryTypes.String, arrow.PrimitiveTypes.Int64), 10, 0.2, 1)
	defer in.Release()
	e := encode(t, in, block.None)
	buf := memory.NewResizableBuffer(mem)
	buf.Resize(e.buf.Len())
	copy(buf.Bytes(), e.buf.Bytes())
	got, err := block.Decode(in.Schema(), buf, &e.batch)
	if err != nil {
		t.Fatal(err)
	}
	buf.Release()
	got.Retain()
	got.Release()
	if !array.RecordEqual(got, in) || got.NumCols() != in.NumCols() || got.ColumnName(1) != in.ColumnName(1) {
		t.Errorf("got %v, want %v", got, in)
	}
	if fmt.Sprint(got) != fmt.Sprint(in) {
		t.Errorf("printed %v, want %v", got, in)
	}
	a, err := got.MarshalJSON()
	b, e2 := in.MarshalJSON()
	if err != nil || e2 != nil || string(a) != string(b) {
		t.Errorf("as JSON %s, %v; want %s, %v", a, err, b, e2)
	}
	slice := got.NewSlice(2, 5)
	other, err := got.SetColumn(0, in.Column(0))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := got.SetColumn(0, in.Column(1)); err == nil {
		t.Error("a column of another type is taken")
	}
	got.Release()
	want := in.NewSlice(2, 5)
	if !array.RecordEqual(slice, want) || !array.RecordEqual(other, in) {
		t.Errorf("after the release: %v and %v", slice, other)
	}
	for _, r := range []arrow.Record{slice, other, want} {
		r.Release()
	}
}
