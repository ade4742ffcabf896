package partition_test

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/capstan-run/capstan/shuffle/block/blocktest"
	"github.com/capstan-run/capstan/shuffle/partition"
)

// TestHashIsTheFormats holds the hash: XXH3-64, checked against the values its
// reference implementation gives.
func TestHashIsTheFormats(t *testing.T) {
	for key, want := range map[string]uint64{
		"":    0x2d06800538d394c2,
		"a":   0xe6c632b61e964e1f,
		"abc": 0x78af5f94892f3950,
	} {
		if h := partition.HashBytes([]byte(key)); h != want {
			t.Errorf("%q: %#x, want %#x", key, h, want)
		}
		if h := partition.HashString(key); h != want {
			t.Errorf("string %q: %#x, want %#x", key, h, want)
		}
	}
}

func TestOf(t *testing.T) {
	for _, c := range []struct {
		h    uint64
		p    int
		want int
	}{
		{0, 1, 0}, {math.MaxUint64, 1, 0}, {0, 7, 0}, {math.MaxUint64, 7, 6}, {1 << 63, 4, 2}, {1<<62 - 1, 4, 0}, {1 << 62, 4, 1},
	} {
		if got := partition.Of(c.h, c.p); got != c.want {
			t.Errorf("Of(%#x, %d) = %d, want %d", c.h, c.p, got, c.want)
		}
	}
}

// TestNumbersOfEveryWidthMeet: 5 has one hash as a number of any type, and -5
// another (law P1).
func TestNumbersOfEveryWidthMeet(t *testing.T) {
	ints := []arrow.DataType{
		arrow.PrimitiveTypes.Int8, arrow.PrimitiveTypes.Int16, arrow.PrimitiveTypes.Int32, arrow.PrimitiveTypes.Int64,
		arrow.FixedWidthTypes.Time32s, arrow.FixedWidthTypes.Duration_ms,
	}
	want := [2]uint64{
		partition.HashBytes([]byte{5, 0, 0, 0, 0, 0, 0, 0}),
		partition.HashBytes([]byte{0xfb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}),
	}
	for _, dt := range ints {
		width := dt.(arrow.FixedWidthDataType).BitWidth() / 8
		b := append(little(5, width), little(-5, width)...)
		if got := hashes(t, column(dt, 2, b)); [2]uint64(got) != want {
			t.Errorf("%s: %x, want %x", dt, got, want)
		}
	}
	for _, dt := range []arrow.DataType{arrow.PrimitiveTypes.Uint8, arrow.PrimitiveTypes.Uint16, arrow.PrimitiveTypes.Uint32, arrow.PrimitiveTypes.Uint64} {
		if got := hashes(t, column(dt, 1, little(5, dt.(arrow.FixedWidthDataType).BitWidth()/8))); got[0] != want[0] {
			t.Errorf("%s: %x, want %x", dt, got, want[0])
		}
	}
}

func little(v int64, width int) []byte {
	b := make([]byte, width)
	for i := range b {
		b[i] = byte(v >> (8 * i))
	}
	return b
}

func column(dt arrow.DataType, n int, values []byte) arrow.Record {
	data := array.NewData(dt, n, []*memory.Buffer{nil, memory.NewBufferBytes(values)}, nil, 0, 0)
	return array.NewRecord(blocktest.SchemaOf(dt), []arrow.Array{array.MakeFromData(data)}, int64(n))
}

func hashes(t *testing.T, rec arrow.Record) []uint64 {
	t.Helper()
	h := make([]uint64, rec.NumRows())
	if err := partition.HashColumns(rec, []int{0}, h); err != nil {
		t.Fatal(err)
	}
	return h
}

func TestFloatsThatAreEqualMeet(t *testing.T) {
	b := array.NewFloat64Builder(memory.DefaultAllocator)
	b.AppendValues([]float64{0, math.Copysign(0, -1), math.NaN(), math.Float64frombits(0xfff8000000000001), 1.5}, nil)
	f64 := hashes(t, array.NewRecord(blocktest.SchemaOf(arrow.PrimitiveTypes.Float64), []arrow.Array{b.NewArray()}, 5))
	c := array.NewFloat32Builder(memory.DefaultAllocator)
	c.AppendValues([]float32{1.5}, nil)
	f32 := hashes(t, array.NewRecord(blocktest.SchemaOf(arrow.PrimitiveTypes.Float32), []arrow.Array{c.NewArray()}, 1))
	if f64[0] != f64[1] || f64[2] != f64[3] || f64[4] != f32[0] || f64[0] == f64[2] {
		t.Fatalf("0, -0, NaN, NaN, 1.5: %x; float32 1.5: %x", f64, f32)
	}
}

func TestNullsAndColumnsOrder(t *testing.T) {
	schema := blocktest.SchemaOf(arrow.BinaryTypes.String, arrow.BinaryTypes.String)
	rec := blocktest.Record(memory.DefaultAllocator, schema, 100, 0.5, 3).NewSlice(5, 100)
	n := int(rec.NumRows())
	one, ab, ba := make([]uint64, n), make([]uint64, n), make([]uint64, n)
	for _, c := range []struct {
		columns []int
		out     []uint64
	}{{[]int{0}, one}, {[]int{0, 1}, ab}, {[]int{1, 0}, ba}} {
		if err := partition.HashColumns(rec, c.columns, c.out); err != nil {
			t.Fatal(err)
		}
	}
	words := rec.Column(0).(*array.String)
	for i := range n {
		want := uint64(partition.NullHash)
		if words.IsValid(i) {
			want = partition.HashString(words.Value(i))
		}
		if one[i] != want {
			t.Fatalf("row %d: %x, want %x", i, one[i], want)
		}
	}
	if slices.Equal(ab, ba) || slices.Equal(ab, one) {
		t.Fatal("the hash of two columns does not depend on both and their order")
	}
}

func TestHashRefusals(t *testing.T) {
	rec := blocktest.Record(memory.DefaultAllocator, blocktest.SchemaOf(arrow.ListOf(arrow.PrimitiveTypes.Int8)), 2, 0, 1)
	for _, columns := range [][]int{nil, {0}, {1}, {-1}} {
		if err := partition.HashColumns(rec, columns, make([]uint64, 2)); err == nil {
			t.Errorf("columns %v of a list column are a key", columns)
		}
	}
}

func TestRange(t *testing.T) {
	bounds := []string{"b", "d", "d", "f"}
	b := array.NewStringBuilder(memory.DefaultAllocator)
	b.AppendValues([]string{"b", "d", "f"}, nil)
	arr := b.NewArray()
	r, err := partition.NewRange(0, arr)
	if err != nil {
		t.Fatal(err)
	}
	keys := array.NewStringBuilder(memory.DefaultAllocator)
	for _, k := range []string{"", "a", "b", "c", "d", "e", "f", "g"} {
		keys.Append(k)
	}
	keys.AppendNull()
	rec := array.NewRecord(blocktest.SchemaOf(arrow.BinaryTypes.String), []arrow.Array{keys.NewArray()}, 9)
	ids := make([]int32, 9)
	want := []int32{0, 0, 1, 1, 2, 2, 3, 3, 0}
	if err := r.Partition(rec, ids); err != nil || !slices.Equal(ids, want) {
		t.Fatalf("%v, %v; want %v", ids, err, want)
	}
	if err := r.Partition(rec.NewSlice(3, 9), ids[:6]); err != nil || !slices.Equal(ids[:6], want[3:]) {
		t.Fatalf("of a slice: %v, %v; want %v", ids[:6], err, want[3:])
	}
	raw := [][]byte{[]byte("b"), []byte("d"), []byte("f")}
	same, err := partition.RangeOfBytes(0, arrow.BinaryTypes.String, raw)
	if err != nil {
		t.Fatal(err)
	}
	if err := same.Partition(rec, ids); err != nil || !slices.Equal(ids, want) {
		t.Fatalf("by bytes: %v, %v; want %v", ids, err, want)
	}
	if got := partition.SearchBytes([][]byte{[]byte(bounds[0]), []byte(bounds[1]), []byte(bounds[2]), []byte(bounds[3])}, []byte("d")); got != 3 {
		t.Errorf("a repeated bound: partition %d, want 3", got)
	}
	slices.Reverse(raw)
	if _, err := partition.RangeOfBytes(0, arrow.BinaryTypes.String, raw); err == nil {
		t.Error("descending bounds are accepted")
	}
	other := blocktest.Record(memory.DefaultAllocator, blocktest.SchemaOf(arrow.BinaryTypes.Binary), 1, 0, 1)
	if err := r.Partition(other, ids[:1]); err == nil {
		t.Error("a column of another type is accepted")
	}
}

func TestRangeOfNumbers(t *testing.T) {
	b := array.NewFloat64Builder(memory.DefaultAllocator)
	b.AppendValues([]float64{-1, 10}, nil)
	r, err := partition.NewRange(0, b.NewArray())
	if err != nil {
		t.Fatal(err)
	}
	b.AppendValues([]float64{math.Inf(-1), -1, 0, 10, math.NaN()}, nil)
	rec := array.NewRecord(blocktest.SchemaOf(arrow.PrimitiveTypes.Float64), []arrow.Array{b.NewArray()}, 5)
	ids := make([]int32, 5)
	if err := r.Partition(rec, ids); err != nil || !slices.Equal(ids, []int32{0, 1, 1, 2, 2}) {
		t.Fatal(ids, err)
	}
	b.AppendValues([]float64{math.NaN(), 1}, nil)
	if _, err := partition.NewRange(0, b.NewArray()); err == nil {
		t.Error("NaN before 1 ascends")
	}
}

func TestRoundRobinGoesOn(t *testing.T) {
	r := &partition.RoundRobin{Partitions: 3, Next: 2}
	var got []int32
	for _, n := range []int{2, 3} {
		ids := make([]int32, n)
		if err := r.Partition(nil, ids); err != nil {
			t.Fatal(err)
		}
		got = append(got, ids...)
	}
	if !slices.Equal(got, []int32{2, 0, 1, 2, 0}) {
		t.Fatal(got)
	}
}

func TestBroadcastHoldsOncePerPartition(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	rec := blocktest.Record(mem, blocktest.SchemaOf(arrow.BinaryTypes.String), 5, 0, 1)
	recs := partition.Broadcast(rec, 3)
	rec.Release()
	want, _ := recs[0].MarshalJSON()
	recs[0].Release()
	recs[1].Release()
	if got, _ := recs[2].MarshalJSON(); !bytes.Equal(got, want) {
		t.Fatalf("%s, want %s", got, want)
	}
	recs[2].Release()
	mem.AssertSize(t, 0)
}

func TestHashPartitioner(t *testing.T) {
	rec := blocktest.Record(memory.DefaultAllocator, blocktest.SchemaOf(arrow.BinaryTypes.String), 1000, 0.1, 1)
	ids, h := make([]int32, 1000), hashes(t, rec)
	if err := (partition.Hash{Columns: []int{0}, Partitions: 7}).Partition(rec, ids); err != nil {
		t.Fatal(err)
	}
	for i, id := range ids {
		if id != int32(partition.Of(h[i], 7)) {
			t.Fatalf("row %d in partition %d", i, id)
		}
	}
}

// TestKeysOfAnyLengthHashAsOne: a column's hashes are those of its keys alone.
func TestKeysOfAnyLengthHashAsOne(t *testing.T) {
	b := array.NewBinaryBuilder(memory.DefaultAllocator, arrow.BinaryTypes.Binary)
	defer b.Release()
	rnd := rand.New(rand.NewPCG(3, 4))
	var keys [][]byte
	for n := range 300 {
		for range 5 {
			key := make([]byte, n)
			for i := range key {
				key[i] = byte(rnd.Uint32())
			}
			keys = append(keys, key)
			b.Append(key)
		}
	}
	col := b.NewArray()
	defer col.Release()
	schema := arrow.NewSchema([]arrow.Field{{Name: "k", Type: col.DataType()}}, nil)
	rec := array.NewRecord(schema, []arrow.Array{col}, int64(len(keys)))
	defer rec.Release()
	got := make([]uint64, len(keys))
	if err := partition.HashColumns(rec, []int{0}, got); err != nil {
		t.Fatal(err)
	}
	for i, key := range keys {
		if want := partition.HashBytes(key); got[i] != want {
			t.Fatalf("key of %d bytes: %x, want %x", len(key), got[i], want)
		}
	}
}

// TestPartitionIsOfTheHash: however many rows are hashed at a time, of one or
// several columns, of a whole record or a part.
func TestPartitionIsOfTheHash(t *testing.T) {
	types := append(blocktest.Flat(), blocktest.Dictionaries()[0])
	whole := blocktest.Record(memory.DefaultAllocator, blocktest.SchemaOf(types...), 5000, 0.1, 1)
	defer whole.Release()
	part := whole.NewSlice(37, 2500)
	defer part.Release()
	for _, rec := range []arrow.Record{whole, part} {
		n := int(rec.NumRows())
		for c := range types {
			for _, columns := range [][]int{{c}, {c, (c + 1) % len(types)}} {
				hashes, ids := make([]uint64, n), make([]int32, n)
				err := partition.HashColumns(rec, columns, hashes)
				if err = errors.Join(err, partition.Hash{Columns: columns, Partitions: 77}.Partition(rec, ids)); err != nil {
					t.Fatal(err)
				}
				for i, h := range hashes {
					if int(ids[i]) != partition.Of(h, 77) {
						t.Fatalf("columns %v: row %d of %d goes to partition %d, its hash to %d", columns, i, n, ids[i], partition.Of(h, 77))
					}
				}
			}
		}
	}
}
