package partition_test

import (
	"encoding/json"
	"math/rand/v2"
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

// TestScatterKeepsRowsAndOrder compares each partition with the rows picked
// one by one (laws P3 and P4).
func TestScatterKeepsRowsAndOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		mem := dirty{memory.NewCheckedAllocator(memory.NewGoAllocator())}
		rec := blocktest.DrawRecord(t, mem, blocktest.DrawSchema(t), 60)
		p := rapid.IntRange(1, 9).Draw(t, "partitions")
		ids := make([]int32, rec.NumRows())
		rnd := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "ids"), 0))
		want, hash := make([]strings.Builder, p), block.RowHash(rec)
		for i := range ids {
			ids[i] = int32(rnd.IntN(p))
			row := rec.NewSlice(int64(i), int64(i+1))
			want[ids[i]].WriteString(rows(row))
			row.Release()
		}
		recs, err := partition.Scatter(mem, rec, ids, p)
		if err != nil {
			t.Fatal(err)
		}
		rec.Release()
		for k, r := range recs {
			if r == nil {
				if want[k].Len() > 0 {
					t.Fatalf("partition %d is nil, want %s", k, want[k].String())
				}
				continue
			}
			if got := rows(r); got != want[k].String() {
				t.Fatalf("partition %d: %s\nwant %s", k, got, want[k].String())
			}
			hash -= block.RowHash(r)
			for _, c := range r.Columns() {
				if c.Data().Offset() != 0 {
					t.Fatal("a scattered array has an offset")
				}
			}
			r.Release()
		}
		if hash != 0 {
			t.Fatal("the row hashes of the partitions do not add up")
		}
		mem.AssertSize(noHelper{t}, 0)
	})
}

type noHelper struct{ *rapid.T }

// dirty is an allocator whose memory is not zero, as a pool's would be.
type dirty struct{ *memory.CheckedAllocator }

func (d dirty) Allocate(n int) []byte {
	b := d.CheckedAllocator.Allocate(n)
	for i := range b {
		b[i] = 0xaa
	}
	return b
}

// rows is a record's rows as text, one line each.
func rows(rec arrow.Record) string {
	var b strings.Builder
	for i := range int(rec.NumRows()) {
		for _, c := range rec.Columns() {
			b.WriteString(cell(c, i) + "\t")
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// cell is one value. Empty bytes are told apart from null, which arrow's own
// JSON does not do where no value of the column has any.
func cell(c arrow.Array, i int) string {
	if c.IsNull(i) {
		return "null"
	}
	switch c := c.(type) {
	case *array.Dictionary:
		return cell(c.Dictionary(), c.GetValueIndex(i))
	case *array.Binary:
		return c.ValueStr(i) + "b"
	}
	v, err := json.Marshal(c.GetOneForMarshal(i))
	if err != nil {
		return err.Error()
	}
	return string(v)
}

func TestScatterRefusals(t *testing.T) {
	rec := blocktest.Record(memory.DefaultAllocator, blocktest.SchemaOf(arrow.PrimitiveTypes.Int8), 2, 0, 1)
	for _, ids := range [][]int32{{0}, {0, 3}, {-1, 0}} {
		if _, err := partition.Scatter(memory.DefaultAllocator, rec, ids, 3); err == nil {
			t.Errorf("partition numbers %v of 3 for 2 rows are accepted", ids)
		}
	}
}

func BenchmarkScatter(b *testing.B) {
	const n, p = 1 << 17, 64
	for _, dt := range []arrow.DataType{arrow.PrimitiveTypes.Int64, arrow.BinaryTypes.String} {
		b.Run(dt.String(), func(b *testing.B) {
			rec := blocktest.Record(memory.DefaultAllocator, blocktest.SchemaOf(dt), n, 0, 1)
			ids := make([]int32, n)
			if err := (partition.Hash{Columns: []int{0}, Partitions: p}).Partition(rec, ids); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				recs, err := partition.Scatter(memory.DefaultAllocator, rec, ids, p)
				if err != nil {
					b.Fatal(err)
				}
				for _, r := range recs {
					r.Release()
				}
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mrows/s")
		})
	}
}

func BenchmarkHash(b *testing.B) {
	const n = 1 << 17
	for _, dt := range []arrow.DataType{arrow.PrimitiveTypes.Int64, arrow.BinaryTypes.String} {
		b.Run(dt.String(), func(b *testing.B) {
			rec := blocktest.Record(memory.DefaultAllocator, blocktest.SchemaOf(dt), n, 0, 1)
			ids := make([]int32, n)
			h := partition.Hash{Columns: []int{0}, Partitions: 64}
			for b.Loop() {
				if err := h.Partition(rec, ids); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mrows/s")
		})
	}
}
