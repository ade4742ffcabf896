package partition_test

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"pgregory.net/rapid"

	"github.com/capstan-run/capstan/shuffle/block"
	"github.com/capstan-run/capstan/shuffle/block/blocktest"
	"github.com/capstan-run/capstan/shuffle/partition"
)

// TestGroupKeepsRowsAndOrder scatters several records at once and compares each
// partition with the rows picked one by one (law P3).
func TestGroupKeepsRowsAndOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
		schema := blocktest.DrawSchema(t)
		p := rapid.IntRange(1, 9).Draw(t, "partitions")
		g, err := partition.NewGroup(schema, p)
		if err != nil {
			t.Fatal(err)
		}
		for range rapid.IntRange(1, 2).Draw(t, "rounds") {
			checkGroup(t, g, mem, schema, p)
		}
		g.Close()
		mem.AssertSize(noHelper{t}, 0)
	})
}

func checkGroup(t *rapid.T, g *partition.Group, mem memory.Allocator, schema *arrow.Schema, p int) {
	want, hash, total := make([]strings.Builder, p), uint64(0), int64(0)
	for range rapid.IntRange(0, 3).Draw(t, "records") {
		rec := blocktest.DrawRecord(t, mem, schema, 60)
		ids := make([]int32, rec.NumRows())
		rnd := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "ids"), 0))
		for i := range ids {
			ids[i] = int32(rnd.IntN(p))
			row := rec.NewSlice(int64(i), int64(i+1))
			want[ids[i]].WriteString(rows(row))
			row.Release()
		}
		hash += block.RowHash(rec)
		total += rec.NumRows()
		if err := g.Add(rec, ids); err != nil {
			t.Fatal(err)
		}
		clear(ids) // the group has its own
		rec.Release()
	}
	if g.Rows() != total {
		t.Fatalf("%d rows, want %d", g.Rows(), total)
	}
	plan := g.Plan()
	image, at := imageFor(plan)
	hashes := make([]uint64, p)
	g.Scatter(image, plan, at, hashes)
	dicts := g.Dictionaries()
	for k := range p {
		got := ""
		if plan.Batches[k].Rows > 0 {
			rec := decode(t, schema, image[at[k]:at[k]+plan.Bodies[k]], plan.Batches[k], dicts)
			got = rows(rec)
			if h := block.RowHash(rec); h != hashes[k] {
				t.Fatalf("partition %d: hash %x, its rows have %x", k, hashes[k], h)
			}
			rec.Release()
		}
		if got != want[k].String() {
			t.Fatalf("partition %d: %s\nwant %s", k, got, want[k].String())
		}
		hash -= hashes[k]
	}
	if hash != 0 {
		t.Fatal("the row hashes of the partitions do not add up")
	}
	for _, d := range dicts {
		d.Release()
	}
	g.Reset()
}

// imageFor returns dirty memory for the bodies of plan, one after the other
// with a gap in between, and where each starts.
func imageFor(plan *partition.Plan) ([]byte, []int64) {
	at, end := make([]int64, len(plan.Bodies)), int64(0)
	for k, n := range plan.Bodies {
		at[k] = end
		end += n + block.Alignment
	}
	image := make([]byte, end)
	for i := range image {
		image[i] = 0xaa
	}
	return image, at
}

// decode reads a body with dictionaries put in front of it.
func decode(t *rapid.T, schema *arrow.Schema, body []byte, batch block.Batch, dicts []arrow.ArrayData) arrow.Record {
	t.Helper()
	enc, err := block.NewEncoder(schema, nil)
	if err != nil {
		t.Fatal(err)
	}
	var head bytesWriter
	var packing block.Packing
	for i, d := range dicts {
		b, _, err := enc.EncodeDictionary(&head, int64(len(head)), i, d)
		if err != nil {
			t.Fatal(err)
		}
		packing.Dictionaries = append(packing.Dictionaries, b)
	}
	shift := int64(len(head))
	bufs := make([]block.Extent, len(batch.Buffers))
	for i, x := range batch.Buffers {
		bufs[i] = block.Extent{Offset: x.Offset + shift, Length: x.Length}
		for _, b := range body[x.Offset+x.Length : block.Align(x.Offset+x.Length)] {
			if x.Length > 0 && b != 0 {
				t.Fatal("padding is not zero")
			}
		}
	}
	batch.Buffers = bufs
	dec, err := block.NewDecoder(schema, memory.NewBufferBytes(append(head, body...)), packing)
	if err != nil {
		t.Fatal(err)
	}
	defer dec.Release()
	rec, err := dec.Decode(&batch)
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

type bytesWriter []byte

func (w *bytesWriter) Write(b []byte) (int, error) {
	*w = append(*w, b...)
	return len(b), nil
}

func TestGroupRefusals(t *testing.T) {
	schema := blocktest.SchemaOf(arrow.PrimitiveTypes.Int8)
	g, err := partition.NewGroup(schema, 3)
	if err != nil {
		t.Fatal(err)
	}
	rec := blocktest.Record(memory.DefaultAllocator, schema, 2, 0, 1)
	for _, ids := range [][]int32{{0}, {0, 3}, {-1, 0}} {
		if err := g.Add(rec, ids); err == nil {
			t.Errorf("partition numbers %v of 3 for 2 rows are accepted", ids)
		}
	}
	other := blocktest.Record(memory.DefaultAllocator, blocktest.SchemaOf(arrow.PrimitiveTypes.Int16), 1, 0, 1)
	if err := g.Add(other, []int32{0}); err == nil {
		t.Error("another schema is accepted")
	}
	if g.Rows() != 0 || g.Held() != 0 {
		t.Errorf("%d rows, %d bytes after refused records", g.Rows(), g.Held())
	}
}

// TestDictionaryOutgrowsItsIndex: more values than an int8 index can name are
// an error that says what to do.
func TestDictionaryOutgrowsItsIndex(t *testing.T) {
	dt := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String}
	schema := blocktest.SchemaOf(dt)
	g, err := partition.NewGroup(schema, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	var last error
	for seed := uint64(0); seed < 40 && last == nil; seed++ {
		rec := blocktest.Record(memory.DefaultAllocator, schema, 50, 0, seed)
		last = g.Add(rec, make([]int32, 50))
	}
	if last == nil || !strings.Contains(last.Error(), "int8") {
		t.Fatalf("want an error about int8 indices, got %v", last)
	}
}

func BenchmarkGroup(b *testing.B) {
	const n, p = 1 << 17, 64
	for _, dt := range []arrow.DataType{arrow.PrimitiveTypes.Int64, arrow.BinaryTypes.String} {
		b.Run(dt.String(), func(b *testing.B) {
			schema := blocktest.SchemaOf(dt)
			rec := blocktest.Record(memory.DefaultAllocator, schema, n, 0, 1)
			ids := make([]int32, n)
			if err := (partition.Hash{Columns: []int{0}, Partitions: p}).Partition(rec, ids); err != nil {
				b.Fatal(err)
			}
			g, err := partition.NewGroup(schema, p)
			if err != nil {
				b.Fatal(err)
			}
			var image []byte
			for b.Loop() {
				if err := g.Add(rec, ids); err != nil {
					b.Fatal(err)
				}
				plan := g.Plan()
				at, end := make([]int64, p), int64(0)
				for k, n := range plan.Bodies {
					at[k] = end
					end += n
				}
				if image == nil {
					image = make([]byte, end)
				}
				g.Scatter(image, plan, at, make([]uint64, p))
				g.Reset()
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mrows/s")
		})
	}
}

// TestDictionaryKeysMeetPlainOnes: the same word goes to the same partition,
// packed or not (law P1).
func TestDictionaryKeysMeetPlainOnes(t *testing.T) {
	dt := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String}
	packed := blocktest.Record(memory.DefaultAllocator, blocktest.SchemaOf(dt), 500, 0.2, 3).NewSlice(7, 500)
	b := array.NewStringBuilder(memory.DefaultAllocator)
	col := packed.Column(0).(*array.Dictionary)
	for i := range col.Len() {
		if col.IsNull(i) {
			b.AppendNull()
		} else {
			b.Append(col.Dictionary().(*array.String).Value(col.GetValueIndex(i)))
		}
	}
	plain := array.NewRecord(blocktest.SchemaOf(arrow.BinaryTypes.String), []arrow.Array{b.NewArray()}, int64(col.Len()))
	by := partition.Hash{Columns: []int{0}, Partitions: 50}
	x, y := make([]int32, col.Len()), make([]int32, col.Len())
	if err := by.Partition(packed, x); err != nil {
		t.Fatal(err)
	}
	if err := by.Partition(plain, y); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(x, y) {
		t.Fatalf("packed %v\nplain  %v", x, y)
	}
}

// TestGroupBytesDependOnTheRowsAlone: one large record, and the same rows in
// many small ones, make the same image.
func TestGroupBytesDependOnTheRowsAlone(t *testing.T) {
	const n, p = 10_000, 13 // more rows than are arranged at a time
	schema := blocktest.SchemaOf(blocktest.Types()...)
	rec := blocktest.Record(memory.DefaultAllocator, schema, n, 0.1, 5)
	ids := make([]int32, n)
	rnd := rand.New(rand.NewPCG(5, 0))
	for i := range ids {
		ids[i] = int32(rnd.IntN(p))
	}
	scatter := func(step int) ([]byte, []uint64) {
		g, err := partition.NewGroup(schema, p)
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close()
		for at := 0; at < n; at += step {
			end := min(at+step, n)
			if err := g.Add(rec.NewSlice(int64(at), int64(end)), ids[at:end]); err != nil {
				t.Fatal(err)
			}
		}
		plan := g.Plan()
		image, at := imageFor(plan)
		hashes := make([]uint64, p)
		g.Scatter(image, plan, at, hashes)
		return image, hashes
	}
	whole, hashes := scatter(n)
	pieces, same := scatter(97)
	if !bytes.Equal(whole, pieces) || !slices.Equal(hashes, same) {
		t.Fatal("the image depends on how the rows came")
	}
	sum := uint64(0)
	for _, h := range hashes {
		sum += h
	}
	if sum != block.RowHash(rec) {
		t.Fatal("the row hashes do not add up")
	}
}
