package shuffle_test

import (
	"context"
	"hash/crc32"
	"io"
	"path/filepath"
	"testing"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/capstan-run/capstan/shuffle"
	"github.com/capstan-run/capstan/shuffle/block"
	"github.com/capstan-run/capstan/shuffle/block/blocktest"
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
