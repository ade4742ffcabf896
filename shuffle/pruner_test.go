package shuffle_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/capstan-run/capstan/shuffle"
	"github.com/capstan-run/capstan/shuffle/arena"
	"github.com/capstan-run/capstan/shuffle/block/blocktest"
	"github.com/capstan-run/capstan/shuffle/partition"
)

// wordRows is a record of rows with one of so many words, or none, a list of up
// to two of them, and a number.
func wordRows(rows, words int, seed uint64) arrow.Record {
	r := rand.New(rand.NewPCG(seed, 0))
	dt := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String}
	b := array.NewRecordBuilder(memory.DefaultAllocator, blocktest.SchemaOf(dt, arrow.ListOf(dt), arrow.PrimitiveTypes.Int64))
	defer b.Release()
	list := b.Field(1).(*array.ListBuilder)
	one, some := b.Field(0).(*array.BinaryDictionaryBuilder), list.ValueBuilder().(*array.BinaryDictionaryBuilder)
	add := func(b *array.BinaryDictionaryBuilder) {
		if r.IntN(10) == 0 {
			b.AppendNull()
		} else if err := b.AppendString(fmt.Sprint("word ", r.IntN(words))); err != nil {
			panic(err)
		}
	}
	for range rows {
		add(one)
		list.Append(true)
		for range r.IntN(3) {
			add(some)
		}
		b.Field(2).(*array.Int64Builder).Append(r.Int64())
	}
	return b.NewRecord()
}

// TestPrunedDictionaries: of 3000 words the partitions have those that their
// rows use. The rows, and their hashes, are those of an object with whole
// dictionaries, however many runs it has, with codecs, sorted, and in an arena.
func TestPrunedDictionaries(t *testing.T) {
	recs := []arrow.Record{wordRows(1500, 3000, 1), wordRows(1500, 3000, 2)}
	schema := recs[0].Schema()
	by := partition.Hash{Columns: []int{2}, Partitions: 40}
	asIs := func(_ int, rec arrow.Record) (arrow.Record, error) {
		rec.Retain()
		return rec, nil
	}
	for name, set := range map[string]func(*shuffle.PartitionedOptions){
		"one run":     func(*shuffle.PartitionedOptions) {},
		"runs":        func(o *shuffle.PartitionedOptions) { o.Budget = 1 },
		"packed":      func(o *shuffle.PartitionedOptions) { o.Codec = "lz4" },
		"packed runs": func(o *shuffle.PartitionedOptions) { o.Codec, o.Budget = "zstd", 1 },
		"sorted":      func(o *shuffle.PartitionedOptions) { o.Sort = asIs },
		"arena":       func(o *shuffle.PartitionedOptions) { o.Durability = shuffle.DurableMemory },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			a, err := arena.Open(dir, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer a.Close()
			o := shuffle.PartitionedOptions{}
			o.Arena = a
			set(&o)
			got := commit(t, filepath.Join(dir, "pruned"), schema, by, 40, o, recs...)
			o.Arena, o.Registry = nil, new(shuffle.Registry) // what a registry holds is not pruned
			want := commit(t, filepath.Join(dir, "whole"), schema, by, 40, o, recs...)
			if 2*got.Size > want.Size {
				t.Errorf("%d bytes, %d with whole dictionaries", got.Size, want.Size)
			}
			src := &shuffle.Source{Local: []string{dir}, Registry: o.Registry}
			for p := range 40 {
				checkPruned(t, src, got, want, p)
			}
		})
	}
}

// checkPruned compares partition p of two objects, the first of which has
// dictionaries of the words it uses.
func checkPruned(t *testing.T, src *shuffle.Source, got, want *shuffle.Index, p int) {
	t.Helper()
	a, err := rowsOf(src, got, p)
	if err != nil {
		t.Fatal(err)
	}
	b, err := rowsOf(src, want, p)
	if err != nil || !slices.Equal(a, b) {
		t.Fatalf("partition %d has other rows, %v", p, err)
	}
	x, y := &got.Partitions[p], &want.Partitions[p]
	if x.RowHash != y.RowHash {
		t.Errorf("partition %d has row hash %x, want %x", p, x.RowHash, y.RowHash)
	}
	r, err := src.Open(t.Context(), got, p)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	met := map[string]bool{}
	for rec, err := r.Next(); err == nil; rec, err = r.Next() {
		col := rec.Column(0).(*array.Dictionary)
		for i := range col.Len() {
			if col.IsValid(i) {
				met[col.Dictionary().(*array.String).Value(col.GetValueIndex(i))] = true
			}
		}
	}
	if n := x.Dictionaries[0].Rows; n != int64(len(met)) || y.Dictionaries[0].Rows <= n {
		t.Errorf("partition %d has %d words of %d, uses %d", p, n, y.Dictionaries[0].Rows, len(met))
	}
}

// TestMergePruned: objects whose partitions have dictionaries of their own are
// merged, and have one of both.
func TestMergePruned(t *testing.T) {
	dir := t.TempDir()
	src := &shuffle.Source{Local: []string{dir}}
	by := partition.Hash{Columns: []int{2}, Partitions: 40}
	var in []*shuffle.Index
	for i := range uint64(2) {
		rec := wordRows(1500, 3000, i)
		in = append(in, commit(t, filepath.Join(dir, fmt.Sprint("task-", i)), rec.Schema(), by, 40, shuffle.PartitionedOptions{}, rec))
	}
	got, err := shuffle.Merge(t.Context(), filepath.Join(dir, "wave"), src, in, shuffle.MergeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	checkMerged(t, src, got, in)
	if n := got.Partitions[0].Dictionaries[0].Rows; n == 0 || n > 200 {
		t.Errorf("%d words in a partition of some 75 rows", n)
	}
}

// BenchmarkPrunedDictionaries writes, and reads back, half a million rows in 200
// partitions by their word: of many words, each of which is in one partition;
// and of few, which are in all by another column.
func BenchmarkPrunedDictionaries(b *testing.B) {
	for _, c := range []struct {
		words, by int
	}{{100_000, 0}, {10_000, 0}, {1000, 0}, {100, 0}, {10_000, 1}, {1000, 1}} {
		b.Run(fmt.Sprintf("%d-words-by-%d", c.words, c.by), func(b *testing.B) {
			dir := b.TempDir()
			rec := manyWords(500_000, c.words)
			src := &shuffle.Source{Local: []string{dir}}
			var size int64
			for b.Loop() {
				w, err := shuffle.NewPartitionedWriter(filepath.Join(dir, "object"), rec.Schema(), partition.Hash{Columns: []int{c.by}, Partitions: 200}, 200, shuffle.PartitionedOptions{})
				if err != nil {
					b.Fatal(err)
				}
				if err := w.Write(rec); err != nil {
					b.Fatal(err)
				}
				idx, err := w.Commit(context.Background())
				if err != nil {
					b.Fatal(err)
				}
				size = idx.Size
				readers, err := src.OpenRange(context.Background(), idx, 0, 200)
				if err != nil {
					b.Fatal(err)
				}
				for _, r := range readers {
					for {
						if _, err := r.Next(); err != nil {
							break
						}
					}
					r.Close()
				}
			}
			b.ReportMetric(float64(size)/1e6, "MB")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/500_000, "ns/row")
		})
	}
}

// manyWords is a record of rows with one of so many words, and two numbers.
func manyWords(rows, words int) arrow.Record {
	dt := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String}
	b := array.NewRecordBuilder(memory.DefaultAllocator, blocktest.SchemaOf(dt, arrow.PrimitiveTypes.Int64, arrow.PrimitiveTypes.Int64))
	defer b.Release()
	for i := range rows {
		if err := b.Field(0).(*array.BinaryDictionaryBuilder).AppendString(fmt.Sprintf("word %d", i*7%words)); err != nil {
			panic(err)
		}
		b.Field(1).(*array.Int64Builder).Append(int64(i))
		b.Field(2).(*array.Int64Builder).Append(int64(i))
	}
	return b.NewRecord()
}
