package shuffle_test

import (
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"path/filepath"
	"testing"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"golang.org/x/sync/errgroup"

	"github.com/capstan-run/capstan/shuffle"
	"github.com/capstan-run/capstan/shuffle/block"
	"github.com/capstan-run/capstan/shuffle/block/blocktest"
	"github.com/capstan-run/capstan/shuffle/partition"
)

// memcpyRate is this machine's speed of copying, in bytes per second, at the
// moment: every benchmark reports its own speed as a share of it.
func memcpyRate(b *testing.B) float64 {
	src, dst := make([]byte, 32<<20), make([]byte, 32<<20)
	copy(dst, src) // take the page faults
	start, n := time.Now(), 0
	for time.Since(start) < 100*time.Millisecond {
		n += copy(dst, src)
	}
	return float64(n) / time.Since(start).Seconds()
}

func report(b *testing.B, bytes int64) {
	b.SetBytes(bytes)
	rate := float64(bytes) * float64(b.N) / b.Elapsed().Seconds()
	b.ReportMetric(rate/memcpyRate(b), "of-memcpy")
}

const benchRows, benchParts = 1 << 17, 16

func benchBatches() []batch {
	var out []batch
	schema := blocktest.SchemaOf(arrow.BinaryTypes.String, arrow.PrimitiveTypes.Int64, arrow.PrimitiveTypes.Float64)
	rec := blocktest.Record(memory.DefaultAllocator, schema, benchRows, 0, 1)
	for p := range benchParts {
		out = append(out, batch{p, rec})
	}
	return out
}

// BenchmarkWrite: with the checksum and the row hash, into fresh files.
func BenchmarkWrite(b *testing.B) {
	path, batches := filepath.Join(b.TempDir(), "object"), benchBatches()
	var size int64
	b.ReportAllocs()
	for b.Loop() {
		size = write(b, path, batches[0].rec.Schema(), benchParts, batches...).Size
	}
	report(b, size)
}

// BenchmarkEncode is the write without a file: where the rest of BenchmarkWrite
// goes, the kernel has it.
func BenchmarkEncode(b *testing.B) {
	batches := benchBatches()
	enc, err := block.NewEncoder(batches[0].rec.Schema(), nil)
	if err != nil {
		b.Fatal(err)
	}
	table := crc32.MakeTable(crc32.Castagnoli)
	for name, w := range map[string]io.Writer{"plain": io.Discard, "crc": crcWriter{table}} {
		b.Run(name, func(b *testing.B) {
			var n int64
			for b.Loop() {
				if _, n, err = enc.Encode(w, 0, batches[0].rec); err != nil {
					b.Fatal(err)
				}
			}
			report(b, n)
		})
	}
	b.Run("rowhash", func(b *testing.B) {
		_, n, err := enc.Encode(io.Discard, 0, batches[0].rec)
		if err != nil {
			b.Fatal(err)
		}
		var h block.RowHasher
		for b.Loop() {
			h.Sum(batches[0].rec)
		}
		report(b, n)
	})
}

type crcWriter struct{ table *crc32.Table }

func (w crcWriter) Write(b []byte) (int, error) {
	crc32.Checksum(b, w.table)
	return len(b), nil
}

// BenchmarkReadMapped opens, verifies and walks every partition of a file.
func BenchmarkReadMapped(b *testing.B) {
	dir, batches := b.TempDir(), benchBatches()
	idx := write(b, filepath.Join(dir, "object"), batches[0].rec.Schema(), benchParts, batches...)
	src := &shuffle.Source{Local: []string{dir}}
	b.ReportAllocs()
	for b.Loop() {
		rows := int64(0)
		for p := range benchParts {
			r, err := src.Open(context.Background(), idx, p)
			if err != nil {
				b.Fatal(err)
			}
			for {
				rec, err := r.Next()
				if err == io.EOF {
					break
				}
				if err != nil {
					b.Fatal(err)
				}
				rows += rec.NumRows()
			}
			r.Close()
		}
		if rows != benchRows*benchParts {
			b.Fatal(rows)
		}
	}
	report(b, idx.Size)
}

// BenchmarkMerge merges four tasks of 16 partitions with a dictionary column
// and a string of 16 bytes: with the same dictionary of 1000 words in all, with
// the words in another order in each, and the same rows without dictionary.
func BenchmarkMerge(b *testing.B) {
	for _, kind := range []string{"same", "joined", "plain"} {
		b.Run(kind, func(b *testing.B) {
			dir := b.TempDir()
			var in []*shuffle.Index
			for task := range 4 {
				rec := benchCoded(kind, task)
				in = append(in, commit(b, filepath.Join(dir, fmt.Sprint("task-", task)), rec.Schema(),
					&partition.RoundRobin{Partitions: benchParts}, benchParts, shuffle.PartitionedOptions{}, rec))
			}
			src := &shuffle.Source{Local: []string{dir}}
			var size int64
			b.ReportAllocs()
			for b.Loop() {
				got, err := shuffle.Merge(context.Background(), filepath.Join(dir, "wave"), src, in, shuffle.MergeOptions{})
				if err != nil {
					b.Fatal(err)
				}
				size = got.Size
			}
			report(b, size)
		})
	}
}

// benchCoded is a record of one task of BenchmarkMerge.
func benchCoded(kind string, task int) arrow.Record {
	dt := arrow.DataType(&arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String})
	if kind == "plain" {
		dt = arrow.BinaryTypes.String
	}
	r := array.NewRecordBuilder(memory.DefaultAllocator, blocktest.SchemaOf(dt, arrow.BinaryTypes.String))
	defer r.Release()
	for i := range benchRows {
		word := fmt.Sprintf("word %d", i%1000)
		if kind == "joined" {
			word = fmt.Sprintf("word %d", i*(7+2*task)%1000)
		}
		if d, ok := r.Field(0).(*array.BinaryDictionaryBuilder); ok {
			if err := d.AppendString(word); err != nil {
				panic(err)
			}
		} else {
			r.Field(0).(*array.StringBuilder).Append(word)
		}
		r.Field(1).(*array.StringBuilder).Append(fmt.Sprintf("%016d", i))
	}
	return r.NewRecord()
}

// BenchmarkAnnounced writes 128 MiB in 200 partitions and runs of 4 MiB: with
// nobody told of the runs before the commit, and with four consumers that are,
// whose sides take that in and read nothing.
func BenchmarkAnnounced(b *testing.B) {
	const parts, consumers = 200, 4
	schema := blocktest.SchemaOf(arrow.PrimitiveTypes.Int64, arrow.PrimitiveTypes.Int64, arrow.BinaryTypes.String)
	rec := blocktest.Record(memory.DefaultAllocator, schema, 50_000, 0, 1)
	for _, told := range []int{0, consumers} {
		b.Run(fmt.Sprint(told), func(b *testing.B) {
			dir := b.TempDir()
			for b.Loop() {
				live := shuffle.NewLive(parts, 0)
				var all errgroup.Group
				for c := range told {
					lo, hi := c*parts/consumers, (c+1)*parts/consumers
					a, err := live.Announcer(lo, hi)
					if err != nil {
						b.Fatal(err)
					}
					p, there := make(pipe), shuffle.NewLive(parts, 1<<30)
					for k := lo; k < hi; k++ {
						if _, err := there.Reader(new(shuffle.Source), k); err != nil {
							b.Fatal(err)
						}
					}
					all.Go(func() error { return a.Run(b.Context(), p) })
					all.Go(func() error { return there.Follow(b.Context(), new(shuffle.Source), p, schema) })
				}
				w, err := shuffle.NewPartitionedWriter(filepath.Join(dir, "object"), schema, &partition.RoundRobin{Partitions: parts}, parts,
					shuffle.PartitionedOptions{Budget: 8 << 20, Live: live})
				if err != nil {
					b.Fatal(err)
				}
				for range 128 << 20 / partition.RecordSize(rec) {
					if err := w.Write(rec); err != nil {
						b.Fatal(err)
					}
				}
				if _, err := w.Commit(context.Background()); err != nil {
					b.Fatal(err)
				}
				if err := all.Wait(); err != nil {
					b.Fatal(err)
				}
			}
			b.SetBytes(128 << 20)
		})
	}
}
