package shuffle_test

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"pgregory.net/rapid"

	"github.com/capstan-run/capstan/shuffle"
	"github.com/capstan-run/capstan/shuffle/arena"
	"github.com/capstan-run/capstan/shuffle/block"
	"github.com/capstan-run/capstan/shuffle/block/blocktest"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files")

func TestRoundTripThroughFiles(t *testing.T) {
	dir, memDir := t.TempDir(), t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		a, err := arena.Open(memDir, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		a.Bound = rapid.SampledFrom([]int64{1, 1000, 4000, 1 << 20}).Draw(t, "bound")
		var o shuffle.WriterOptions
		if rapid.Bool().Draw(t, "arena") {
			o.Arena = a
		}
		mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
		schema := blocktest.DrawPlainSchema(t)
		partitions := rapid.IntRange(1, 5).Draw(t, "partitions")
		var batches []batch
		want, hashes := make([][]string, partitions), make([]uint64, partitions)
		for p := range partitions {
			for range rapid.IntRange(0, 3).Draw(t, "batches") {
				rec := blocktest.DrawRecord(t, mem, schema, 30)
				batches = append(batches, batch{p, rec})
				if rec.NumRows() > 0 {
					want[p] = append(want[p], text(rec))
				}
				hashes[p] += block.RowHash(rec)
			}
		}
		idx := writeWith(t, o, filepath.Join(dir, "object"), schema, partitions, batches...)
		_, inMemory := os.Stat(filepath.Join(memDir, "object"))
		if fits := o.Arena != nil && idx.Size <= a.Bound; fits != (inMemory == nil) {
			t.Fatalf("an object of %d bytes, an arena of %d: in memory: %v", idx.Size, a.Bound, inMemory)
		}
		for _, b := range batches {
			b.rec.Release()
		}
		mem.AssertSize(noHelper{t}, 0)
		defer a.Recycle("object")
		src := &shuffle.Source{Local: []string{memDir, dir}}
		for p := range partitions {
			sliced, err := idx.Slice(p)
			if err != nil {
				t.Fatal(err)
			}
			got, _, err := readAll(src, overTheWire(t, sliced), p)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, want[p]) {
				t.Fatalf("partition %d: wrote %s\nread %s", p, want[p], got)
			}
			if h := idx.Partitions[p].RowHash; h != hashes[p] {
				t.Fatalf("partition %d: row hash %x, want %x", p, h, hashes[p])
			}
		}
	})
}

type noHelper struct{ *rapid.T }

func overTheWire(t failer, idx *shuffle.Index) *shuffle.Index {
	b, err := idx.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	out := new(shuffle.Index)
	if err := out.UnmarshalBinary(b); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestGolden holds the format: these bytes are what version 2 looks like.
func TestGolden(t *testing.T) {
	dir := t.TempDir()
	idx := write(t, filepath.Join(dir, "object"), pairSchema, 4,
		batch{0, pairs("the", "-", "whale")},
		batch{2, pairs("ishmael")},
		batch{2, pairs("", "queequeg")})
	got, err := os.ReadFile(filepath.Join(dir, "object"))
	if err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/v2.exchange"
	if *rewrite {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("%d bytes written differ from the %d of %s: the format changed", len(got), len(want), golden)
	}
	footer, err := shuffle.ReadFooter(bytes.NewReader(want), int64(len(want)))
	if err != nil {
		t.Fatal(err)
	}
	footer.Name = idx.Name
	a, _ := footer.MarshalBinary()
	b, _ := idx.MarshalBinary()
	if !bytes.Equal(a, b) {
		t.Fatalf("the footer says %+v, Commit said %+v", footer, idx)
	}
	if p := idx.Partitions[1]; p.Length != 0 || p.Rows != 0 {
		t.Fatalf("an empty partition takes %+v", p)
	}
}

// TestVersion1IsRead opens what the first version wrote: the same rows.
func TestVersion1IsRead(t *testing.T) {
	b, err := os.ReadFile("testdata/v1.exchange")
	if err != nil {
		t.Fatal(err)
	}
	idx, err := shuffle.ReadFooter(bytes.NewReader(b), int64(len(b)))
	if err != nil || idx.Version != 1 {
		t.Fatalf("version %d, %v", idx.Version, err)
	}
	idx.Name = "v1.exchange"
	src := &shuffle.Source{Local: []string{"testdata"}}
	for p, want := range [][]string{
		{text(pairs("the", "-", "whale"))}, nil, {text(pairs("ishmael")), text(pairs("", "queequeg"))}, nil,
	} {
		got, _, err := readAll(src, overTheWire(t, idx), p)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("partition %d: %s, %v; want %s", p, got, err, want)
		}
	}
}

func TestPartitionIsAnArrowStream(t *testing.T) {
	b, err := os.ReadFile("testdata/v2.exchange")
	if err != nil {
		t.Fatal(err)
	}
	idx, err := shuffle.ReadFooter(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	p := idx.Partitions[2]
	r, err := ipc.NewReader(bytes.NewReader(b[p.Offset : p.Offset+p.Length]))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	var got []string
	for r.Next() {
		got = append(got, text(r.Record()))
	}
	want := []string{text(pairs("ishmael")), text(pairs("", "queequeg"))}
	if r.Err() != nil || !slices.Equal(got, want) {
		t.Fatalf("arrow reads %s, %v; want %s", got, r.Err(), want)
	}
}

func TestNothingIsVisibleBeforeCommit(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "object")
	w, err := shuffle.Create(path, pairSchema, 1, shuffle.WriterOptions{Sync: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(0, pairs("a")); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("file is there before Commit: %v", err)
	}
	if _, err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	w.Abort()
	if got := names(t, dir); !slices.Equal(got, []string{"object"}) {
		t.Fatalf("after Commit and Abort: %v", got)
	}
	if err := w.Write(0, pairs("b")); !errors.Is(err, shuffle.ErrClosed) {
		t.Fatalf("write after Commit: %v", err)
	}
	if _, err := w.Commit(); !errors.Is(err, shuffle.ErrClosed) {
		t.Fatalf("second Commit: %v", err)
	}
}

func TestAbortLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	w, err := shuffle.Create(filepath.Join(dir, "object"), pairSchema, 1, shuffle.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(0, pairs("a")); err != nil {
		t.Fatal(err)
	}
	w.Abort()
	if got := names(t, dir); len(got) != 0 {
		t.Fatalf("left behind: %v", got)
	}
}

func TestCommitOntoADirectoryLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "object", "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	w, err := shuffle.Create(filepath.Join(dir, "object"), pairSchema, 1, shuffle.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(); err == nil {
		t.Fatal("committed onto a directory")
	}
	if got := names(t, dir); !slices.Equal(got, []string{"object"}) {
		t.Fatalf("left behind: %v", got)
	}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func TestWriterRefusals(t *testing.T) {
	path := filepath.Join(t.TempDir(), "object")
	if _, err := shuffle.Create(path, pairSchema, 1, shuffle.WriterOptions{Codec: "lz9"}); err == nil {
		t.Error("an unknown codec is accepted")
	}
	if _, err := shuffle.Create(path, pairSchema, 0, shuffle.WriterOptions{}); err == nil {
		t.Error("no partitions are accepted")
	}
	runs := arrow.RunEndEncodedOf(arrow.PrimitiveTypes.Int32, arrow.BinaryTypes.String)
	if _, err := shuffle.Create(path, blocktest.SchemaOf(runs), 1, shuffle.WriterOptions{}); err == nil || !strings.Contains(err.Error(), "run_end") {
		t.Errorf("run-end-encoded values: %v", err)
	}
	w, err := shuffle.Create(path, pairSchema, 3, shuffle.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	if err := w.Write(3, pairs("a")); err == nil {
		t.Error("partition 3 of 3 is accepted")
	}
	if err := w.Write(2, pairs("a")); err != nil {
		t.Error(err)
	}
	if err := w.Write(1, pairs("a")); err == nil {
		t.Error("partition 1 after 2 is accepted")
	}
	if err := w.Write(2, pairs("b")); err != nil {
		t.Errorf("after refused calls: %v", err)
	}
	other := blocktest.Record(memory.DefaultAllocator, blocktest.SchemaOf(arrow.PrimitiveTypes.Int8), 2, 0, 1)
	if err := w.Write(2, other); err == nil {
		t.Error("another schema is accepted")
	}
	if _, err := w.Commit(); err == nil {
		t.Error("committed after a failed write")
	}
}

func TestReadFooterDetectsEveryChange(t *testing.T) {
	for _, file := range []string{"testdata/v1.exchange", "testdata/v2.exchange"} {
		t.Run(filepath.Base(file), func(t *testing.T) { detectEveryChange(t, file) })
	}
}

func detectEveryChange(t *testing.T, file string) {
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	idx, err := shuffle.ReadFooter(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	for i := int(idx.Bytes()); i < len(b); i++ {
		b[i] ^= 1
		if _, err := shuffle.ReadFooter(bytes.NewReader(b), int64(len(b))); !errors.Is(err, shuffle.ErrCorrupt) {
			t.Errorf("byte %d changed: %v", i, err)
		}
		b[i] ^= 1
	}
	for n := range len(b) {
		if _, err := shuffle.ReadFooter(bytes.NewReader(b[:n]), int64(n)); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("cut to %d bytes: %v", n, err)
		}
	}
}
