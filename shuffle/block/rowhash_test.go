package block_test

import (
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"pgregory.net/rapid"

	"github.com/capstan-run/capstan/shuffle/block"
	"github.com/capstan-run/capstan/shuffle/block/blocktest"
)

// TestRowHashDependsOnTheRowsAlone cuts a record into batches: the sum of
// their hashes is the hash of the whole, in whatever order (law B4).
func TestRowHashDependsOnTheRowsAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		schema := blocktest.DrawSchema(t)
		rec := blocktest.DrawRecord(t, memory.DefaultAllocator, schema, 3000)
		n := int(rec.NumRows())
		i := rapid.IntRange(0, n).Draw(t, "i")
		j := rapid.IntRange(i, n).Draw(t, "j")
		sum := uint64(0)
		for _, cut := range [][2]int{{j, n}, {0, i}, {i, j}} {
			sum += block.RowHash(rec.NewSlice(int64(cut[0]), int64(cut[1])))
		}
		if whole := block.RowHash(rec); sum != whole {
			t.Fatalf("batches %x, whole %x", sum, whole)
		}
	})
}

// TestRowHashTellsRowsApart: every row of this table, alone, has a hash of its own.
func TestRowHashTellsRowsApart(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "a", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
		{Name: "b", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
		{Name: "s", Type: arrow.BinaryTypes.String, Nullable: true},
		{Name: "l", Type: arrow.ListOf(arrow.PrimitiveTypes.Int64), Nullable: true},
	}, nil)
	rows := `
{"a":0,"b":0,"s":"","l":[]}
{"a":null,"b":0,"s":"","l":[]}
{"a":0,"b":null,"s":"","l":[]}
{"a":1,"b":0,"s":"","l":[]}
{"a":0,"b":1,"s":"","l":[]}
{"a":0,"b":0,"s":null,"l":[]}
{"a":0,"b":0,"s":"","l":null}
{"a":0,"b":0,"s":"","l":[0]}
{"a":0,"b":0,"s":"","l":[null]}
{"a":0,"b":0,"s":"","l":[0,0]}
{"a":0,"b":0,"s":"a","l":[]}
{"a":0,"b":0,"s":"ab","l":[]}
{"a":0,"b":0,"s":"ba","l":[]}
{"a":0,"b":0,"s":"abc","l":[]}
{"a":0,"b":0,"s":"abcd","l":[]}
{"a":0,"b":0,"s":"abcde","l":[]}
{"a":0,"b":0,"s":"abcdefgh","l":[]}
{"a":0,"b":0,"s":"abcdefghi","l":[]}
{"a":0,"b":0,"s":"abcdefghijklmnop","l":[]}
{"a":0,"b":0,"s":"abcdefghijklmnopq","l":[]}`
	rec, _, err := array.RecordFromJSON(memory.DefaultAllocator, schema, strings.NewReader("["+strings.ReplaceAll(strings.TrimSpace(rows), "\n", ",")+"]"))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[uint64]int64{}
	for i := range rec.NumRows() {
		h := block.RowHash(rec.NewSlice(i, i+1))
		if j, ok := seen[h]; ok {
			t.Errorf("rows %d and %d have the same hash", j, i)
		}
		seen[h] = i
	}
	// Footers of other versions hold this hash.
	if h := block.RowHash(rec); h != wantHash {
		t.Errorf("hash %#x, want %#x", h, uint64(wantHash))
	}
}

const wantHash = 0x90d1a6f6778a0933

// TestRowHashOfADictionaryIsThatOfItsValues: how a column is packed is no part
// of its rows.
func TestRowHashOfADictionaryIsThatOfItsValues(t *testing.T) {
	dt := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int16, ValueType: arrow.BinaryTypes.String}
	packed := blocktest.Record(memory.DefaultAllocator, blocktest.SchemaOf(dt), 2000, 0.2, 9)
	b := array.NewStringBuilder(memory.DefaultAllocator)
	for i := range int(packed.NumRows()) {
		if col := packed.Column(0).(*array.Dictionary); col.IsNull(i) {
			b.AppendNull()
		} else {
			b.Append(col.Dictionary().(*array.String).Value(col.GetValueIndex(i)))
		}
	}
	plain := array.NewRecord(blocktest.SchemaOf(arrow.BinaryTypes.String), []arrow.Array{b.NewArray()}, 2000)
	if x, y := block.RowHash(packed), block.RowHash(plain); x != y {
		t.Fatalf("packed %x, plain %x", x, y)
	}
}

func BenchmarkRowHash(b *testing.B) {
	for _, dt := range []arrow.DataType{arrow.PrimitiveTypes.Int64, arrow.BinaryTypes.String} {
		b.Run(dt.String(), func(b *testing.B) {
			rec := blocktest.Record(memory.DefaultAllocator, blocktest.SchemaOf(dt), 1<<17, 0, 1)
			b.SetBytes(int64(encode(b, rec, block.None).buf.Len()))
			var h block.RowHasher
			sum := uint64(0)
			for b.Loop() {
				sum += h.Sum(rec)
			}
			_ = sum
		})
	}
}
