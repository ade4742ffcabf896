package shuffle_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"pgregory.net/rapid"

	"github.com/capstan-run/capstan/shuffle"
	"github.com/capstan-run/capstan/shuffle/arena"
	"github.com/capstan-run/capstan/shuffle/block"
	"github.com/capstan-run/capstan/shuffle/block/blocktest"
	"github.com/capstan-run/capstan/shuffle/partition"
)

// rowsOf returns the rows of partition p, one text each, in order.
func rowsOf(s *shuffle.Source, idx *shuffle.Index, p int) ([]string, error) {
	r, err := s.Open(context.Background(), idx, p)
	if err != nil {
		return nil, err
	}
	return drain(r)
}

// drain returns the rows of r, one text each, in order, and closes it.
func drain(r *shuffle.PartitionReader) ([]string, error) {
	defer r.Close()
	var out []string
	for {
		rec, err := r.Next()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		out = append(out, split(rec)...)
	}
}

func split(rec arrow.Record) []string {
	var out []string
	for i := range rec.NumRows() {
		row := rec.NewSlice(i, i+1)
		out = append(out, text(row))
		row.Release()
	}
	return out
}

// TestPartitionedWriterMetamorphic: whatever the budget, the codec and the
// durability, each partition has the same rows in the same order, and the same
// row hash.
func TestPartitionedWriterMetamorphic(t *testing.T) {
	dir, memDir := t.TempDir(), t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
		schema := blocktest.DrawSchema(t)
		parts := rapid.IntRange(1, 7).Draw(t, "partitions")
		var recs []arrow.Record
		for range rapid.IntRange(0, 4).Draw(t, "records") {
			recs = append(recs, blocktest.DrawRecord(t, mem, schema, 80))
		}
		want, hashes := make([][]string, parts), make([]uint64, parts)
		at := 0
		for _, rec := range recs {
			for i, row := range split(rec) {
				p := at % parts
				want[p] = append(want[p], row)
				one := rec.NewSlice(int64(i), int64(i+1))
				hashes[p] += block.RowHash(one)
				one.Release()
				at++
			}
		}
		o := shuffle.PartitionedOptions{Budget: rapid.SampledFrom([]int64{1, 2000, 8000, 1 << 20}).Draw(t, "budget")}
		o.Codec = rapid.SampledFrom([]string{"", "lz4", "zstd"}).Draw(t, "codec")
		src := &shuffle.Source{Local: []string{memDir, dir}}
		if o.Codec == "" && rapid.Bool().Draw(t, "memory") {
			o.Durability = shuffle.DurableMemory
			if rapid.Bool().Draw(t, "arena") {
				a, err := arena.Open(memDir, 0)
				if err != nil {
					t.Fatal(err)
				}
				defer a.Close()
				a.Bound = rapid.SampledFrom([]int64{0, 1, 4000}).Draw(t, "bound") // past it: on disk
				o.Arena = a
			} else {
				o.Registry = new(shuffle.Registry)
				src.Registry = o.Registry
				defer o.Registry.Drop("object")
			}
		}
		if rapid.Bool().Draw(t, "hook") {
			o.Sort = func(_ int, rec arrow.Record) (arrow.Record, error) {
				rec.Retain()
				return rec, nil
			}
		}
		os.Remove(filepath.Join(dir, "object"))
		os.Remove(filepath.Join(memDir, "object"))
		idx := commit(t, filepath.Join(dir, "object"), schema, &partition.RoundRobin{Partitions: parts}, parts, o, recs...)
		for _, r := range recs {
			r.Release()
		}
		mem.AssertSize(noHelper{t}, 0)
		idx = overTheWire(t, idx)
		for p := range parts {
			got, err := rowsOf(src, idx, p)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, want[p]) {
				t.Fatalf("partition %d: wrote %s\nread %s", p, want[p], got)
			}
			if idx.Partitions[p].RowHash != hashes[p] || idx.Partitions[p].Rows != int64(len(want[p])) {
				t.Fatalf("partition %d: %d rows with hash %x, want %d with %x",
					p, idx.Partitions[p].Rows, idx.Partitions[p].RowHash, len(want[p]), hashes[p])
			}
		}
	})
}

func commit(t failer, path string, schema *arrow.Schema, by partition.Partitioner, parts int, o shuffle.PartitionedOptions, recs ...arrow.Record) *shuffle.Index {
	t.Helper()
	w, err := shuffle.NewPartitionedWriter(path, schema, by, parts, o)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	for _, r := range recs {
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	idx, err := w.Commit(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return idx
}

// TestPartitionedFileIsWhole: the footer in the file is the index, and what
// lies before it is under the checksums, without gaps.
func TestPartitionedFileIsWhole(t *testing.T) {
	for _, budget := range []int64{1 << 20, 3000} {
		dir := t.TempDir()
		path := filepath.Join(dir, "object")
		rec := blocktest.Record(memory.DefaultAllocator, pairSchema, 500, 0.1, 1)
		idx := commit(t, path, pairSchema, partition.Hash{Columns: []int{0}, Partitions: 5}, 7, shuffle.PartitionedOptions{Budget: budget, WriterOptions: shuffle.WriterOptions{Sync: true}}, rec, rec)
		checkFooter(t, path, idx)
		end := int64(0)
		for p, x := range idx.Partitions {
			if x.Length > 0 && x.Offset != end {
				t.Errorf("partition %d from %d, the one before ends at %d", p, x.Offset, end)
			}
			end += x.Length
		}
		if got := names(t, dir); !slices.Equal(got, []string{"object"}) {
			t.Errorf("left behind: %v", got)
		}
	}
}

// TestSpillIsBoundedAndJoined: many times the budget, one batch per run, and
// the writer's memory stays within what it was given.
func TestSpillIsBoundedAndJoined(t *testing.T) {
	dir := t.TempDir()
	rec := blocktest.Record(memory.DefaultAllocator, pairSchema, 1000, 0, 1)
	pool := &arena.Pool{MaxIdle: -1}
	w, err := shuffle.NewPartitionedWriter(filepath.Join(dir, "object"), pairSchema,
		partition.Hash{Columns: []int{0}, Partitions: 3}, 3, shuffle.PartitionedOptions{Budget: 200 << 10, Memory: pool})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	for range 100 {
		if err := w.Write(rec); err != nil {
			t.Fatal(err)
		}
		if n := pool.Live(); n != 0 {
			t.Fatalf("%d images are held between writes", n)
		}
		if n := w.Held(); n > 100<<10 {
			t.Fatalf("%d bytes of records held, half the budget is %d", n, 100<<10)
		}
	}
	idx, err := w.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if pool.Live() != 0 {
		t.Fatal("an image is held after Commit")
	}
	if idx.Rows() != 100*1000 || len(idx.Partitions[0].Batches) < 10 {
		t.Fatalf("%d rows, %d batches", idx.Rows(), len(idx.Partitions[0].Batches))
	}
	n := 0
	for p := range 3 {
		got, err := rowsOf(&shuffle.Source{Local: []string{dir}}, idx, p)
		if err != nil {
			t.Fatal(err)
		}
		n += len(got)
	}
	if n != 100*1000 {
		t.Fatalf("%d rows read", n)
	}
}

// TestASpoiltSpillFileIsFound before its bytes get a checksum of their own.
func TestASpoiltSpillFileIsFound(t *testing.T) {
	dir := t.TempDir()
	w, err := shuffle.NewPartitionedWriter(filepath.Join(dir, "object"), pairSchema, partition.First{}, 1, shuffle.PartitionedOptions{Budget: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	for range 2 {
		if err := w.Write(pairs("call", "me", "ishmael")); err != nil {
			t.Fatal(err)
		}
	}
	spoil(t, dir)
	if _, err := w.Commit(t.Context()); !errors.Is(err, shuffle.ErrCorrupt) {
		t.Fatalf("Commit: %v", err)
	}
	if got := names(t, dir); len(got) != 0 {
		t.Fatalf("left behind: %v", got)
	}
}

// spoil changes a byte of the spill file under dir, which has no name any more.
func spoil(t *testing.T, dir string) {
	t.Helper()
	links, err := filepath.Glob("/proc/self/fd/*")
	if err != nil || len(links) == 0 {
		t.Skip("no /proc/self/fd on this system: a spill file cannot be spoilt")
	}
	for _, link := range links {
		if to, err := os.Readlink(link); err == nil && strings.HasPrefix(to, filepath.Join(dir, ".spill-")) {
			f, err := os.OpenFile(link, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			b := make([]byte, 1)
			if _, err := f.ReadAt(b, 70); err != nil {
				t.Fatal(err)
			}
			if _, err := f.WriteAt([]byte{b[0] ^ 4}, 70); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatal("no spill file is open")
}

func TestBroadcastIsWrittenOnce(t *testing.T) {
	dir := t.TempDir()
	one := commit(t, filepath.Join(dir, "one"), pairSchema, partition.Everywhere{}, 1, shuffle.PartitionedOptions{}, pairs("a", "b"))
	idx := commit(t, filepath.Join(dir, "object"), pairSchema, partition.Everywhere{}, 50, shuffle.PartitionedOptions{}, pairs("a", "b"))
	want := split(pairs("a", "b"))
	for p := range 50 {
		got, err := rowsOf(&shuffle.Source{Local: []string{dir}}, overTheWire(t, idx), p)
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("partition %d: %v, %v", p, got, err)
		}
	}
	if more := idx.Size - one.Size; more > 50*64 {
		t.Fatalf("50 partitions take %d bytes more than one", more)
	}
}

// sortWords sorts the rows of a partition by their word.
func sortWords(_ int, rec arrow.Record) (arrow.Record, error) {
	words := rec.Column(0).(*array.String)
	order := make([]int, rec.NumRows())
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(i, j int) bool { return words.Value(order[i]) < words.Value(order[j]) })
	b := array.NewRecordBuilder(memory.DefaultAllocator, pairSchema)
	defer b.Release()
	for _, i := range order {
		b.Field(0).(*array.StringBuilder).Append(words.Value(i))
		b.Field(1).(*array.Int64Builder).Append(rec.Column(1).(*array.Int64).Value(i))
	}
	return b.NewRecord(), nil
}

// sumWords adds up the numbers of neighbours with the same word.
func sumWords(_ int, rec arrow.Record) (arrow.Record, error) {
	words, ns := rec.Column(0).(*array.String), rec.Column(1).(*array.Int64)
	b := array.NewRecordBuilder(memory.DefaultAllocator, pairSchema)
	defer b.Release()
	for i := 0; i < words.Len(); {
		sum, w := int64(0), words.Value(i)
		for ; i < words.Len() && words.Value(i) == w; i++ {
			sum += ns.Value(i)
		}
		b.Field(0).(*array.StringBuilder).Append(w)
		b.Field(1).(*array.Int64Builder).Append(sum)
	}
	return b.NewRecord(), nil
}

func TestSortAndCombine(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		budget int64
		want   []string
	}{
		{0, []string{`[{"n":5,"word":"a"}`, `[{"n":4,"word":"b"}`, `[{"n":3,"word":"c"}`}},
		{1, []string{`[{"n":2,"word":"a"}`, `[{"n":1,"word":"b"}`, `[{"n":3,"word":"c"}`, `[{"n":3,"word":"a"}`, `[{"n":3,"word":"b"}`}},
	} {
		for _, codec := range []string{"", "zstd"} {
			o := shuffle.PartitionedOptions{Budget: c.budget, Sort: sortWords, Combine: sumWords}
			o.Codec = codec
			idx := commit(t, filepath.Join(dir, "object"), pairSchema, partition.First{}, 1, o, pairs("b", "a", "c"), pairs("a", "a", "b"))
			got, err := rowsOf(&shuffle.Source{Local: []string{dir}}, idx, 0)
			if err != nil {
				t.Fatal(err)
			}
			for i := range got {
				got[i] = strings.TrimRight(got[i], "\n]")
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("budget %d, codec %q: %q, want %q", c.budget, codec, got, c.want)
			}
			if idx.Rows() != int64(len(c.want)) {
				t.Errorf("index says %d rows", idx.Rows())
			}
		}
	}
}

func TestTransformErrorsEndTheObject(t *testing.T) {
	dir := t.TempDir()
	broken := errors.New("broken")
	w, err := shuffle.NewPartitionedWriter(filepath.Join(dir, "object"), pairSchema, partition.First{}, 1,
		shuffle.PartitionedOptions{Sort: func(int, arrow.Record) (arrow.Record, error) { return nil, broken }})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(pairs("a")); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(t.Context()); !errors.Is(err, broken) {
		t.Fatalf("Commit: %v", err)
	}
	if got := names(t, dir); len(got) != 0 {
		t.Fatalf("left behind: %v", got)
	}
	if err := w.Write(pairs("a")); !errors.Is(err, shuffle.ErrClosed) {
		t.Fatalf("write after Commit: %v", err)
	}
	if _, err := w.Commit(t.Context()); !errors.Is(err, shuffle.ErrClosed) {
		t.Fatalf("second Commit: %v", err)
	}
}

func TestPartitionedAbortLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	w, err := shuffle.NewPartitionedWriter(filepath.Join(dir, "object"), pairSchema, partition.First{}, 1, shuffle.PartitionedOptions{Budget: 1})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := w.Write(pairs("a")); err != nil {
			t.Fatal(err)
		}
	}
	w.Abort()
	w.Abort()
	if got := names(t, dir); len(got) != 0 {
		t.Fatalf("left behind: %v", got)
	}
}

func TestPartitionedRefusals(t *testing.T) {
	path := filepath.Join(t.TempDir(), "object")
	for name, o := range map[string]shuffle.PartitionedOptions{
		"unknown codec":      {WriterOptions: shuffle.WriterOptions{Codec: "lz9"}},
		"unknown durability": {Durability: "eternal"},
		"memory nowhere":     {Durability: shuffle.DurableMemory},
		"packed in memory":   {Durability: shuffle.DurableMemory, Registry: new(shuffle.Registry), WriterOptions: shuffle.WriterOptions{Codec: "lz4"}},
		"no store":           {Durability: shuffle.DurableStore},
		"no uploads":         {Durability: shuffle.DurableStoreAsync, Objects: &objects{}, Object: "b/k"},
		"negative budget":    {Budget: -1},
	} {
		if _, err := shuffle.NewPartitionedWriter(path, pairSchema, partition.First{}, 1, o); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	w, err := shuffle.NewPartitionedWriter(path, pairSchema, partition.Func(func(_ arrow.Record, ids []int32) error {
		for i := range ids {
			ids[i] = 9
		}
		return nil
	}), 3, shuffle.PartitionedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	if err := w.Write(pairs("a")); err == nil {
		t.Error("partition 9 of 3 is accepted")
	}
	if _, err := w.Commit(t.Context()); err == nil {
		t.Error("committed after a failed write")
	}
}

func TestDurabilities(t *testing.T) {
	dir, remote := t.TempDir(), t.TempDir()
	o := &objects{dir: remote}
	uploads := shuffle.NewUploads(t.Context(), 2)
	for _, d := range []shuffle.Durability{shuffle.DurableStore, shuffle.DurableStoreAsync} {
		path := filepath.Join(dir, string(d))
		idx := commit(t, path, pairSchema, partition.First{}, 1, shuffle.PartitionedOptions{
			Durability: d, Objects: o, Object: "bucket/" + string(d), Uploads: uploads}, pairs("a"))
		if err := uploads.Wait(); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		_, rung, err := readAll(&shuffle.Source{Local: []string{dir}, Objects: o}, idx, 0)
		if err != nil || rung != shuffle.RungStore {
			t.Errorf("%s: from %s, %v", d, rung, err)
		}
	}
	o.fail = errors.New("store is down")
	w, err := shuffle.NewPartitionedWriter(filepath.Join(dir, "lost"), pairSchema, partition.First{}, 1,
		shuffle.PartitionedOptions{Durability: shuffle.DurableStore, Objects: o, Object: "bucket/lost"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(t.Context()); err == nil {
		t.Error("committed to a store that is down")
	}
	commit(t, filepath.Join(dir, "later"), pairSchema, partition.First{}, 1, shuffle.PartitionedOptions{
		Durability: shuffle.DurableStoreAsync, Objects: o, Object: "bucket/later", Uploads: uploads}, pairs("a"))
	if err := uploads.Wait(); err == nil {
		t.Error("a failed upload is not told")
	}
	if got := names(t, dir); !slices.Equal(got, []string{"later"}) {
		t.Errorf("left: %v", got)
	}
}

// TestRegistryRung: the reader gets the writer's own memory, and it is given
// back with the last of both.
func TestRegistryRung(t *testing.T) {
	pool, reg, m := &arena.Pool{MaxIdle: -1}, new(shuffle.Registry), new(shuffle.Metrics)
	idx := commit(t, filepath.Join(t.TempDir(), "object"), pairSchema, partition.First{}, 1,
		shuffle.PartitionedOptions{Durability: shuffle.DurableMemory, Memory: pool, Registry: reg}, pairs("call", "me"))
	src := &shuffle.Source{Registry: reg, Metrics: m}
	r, err := src.Open(t.Context(), idx, 0)
	if err != nil || r.Rung() != shuffle.RungMemory {
		t.Fatalf("%v, %v", r, err)
	}
	rec, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	if err := reg.Drop("object"); err != nil {
		t.Fatal(err)
	}
	if pool.Live() != 1 || text(rec) != text(pairs("call", "me")) {
		t.Fatalf("%d blocks live, record %s", pool.Live(), text(rec))
	}
	r.Close()
	if pool.Live() != 0 || reg.Len() != 0 {
		t.Fatalf("%d blocks live, %d objects", pool.Live(), reg.Len())
	}
	if m.MemoryOpens.Load() != 1 || m.MemoryBytes.Load() != idx.Partitions[0].Length {
		t.Fatalf("%d opens, %d bytes", m.MemoryOpens.Load(), m.MemoryBytes.Load())
	}
	if err := reg.Drop("object"); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("second Drop: %v", err)
	}
	_, _, err = readAll(src, idx, 0)
	lost(t, err)
}

// TestArenaRung: an object of the arena is read like a file, stays readable
// for who has it when it is taken back, and is lost for others.
func TestArenaRung(t *testing.T) {
	dir := t.TempDir()
	a, err := arena.Open(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	rec := blocktest.Record(memory.DefaultAllocator, pairSchema, 80000, 0, 1) // mapped, not copied
	write := func() *shuffle.Index {
		return commit(t, filepath.Join(dir, "object"), pairSchema, partition.First{}, 1,
			shuffle.PartitionedOptions{Durability: shuffle.DurableMemory, WriterOptions: shuffle.WriterOptions{Arena: a}}, rec)
	}
	idx := write()
	src := &shuffle.Source{Local: []string{dir}}
	r, err := src.Open(t.Context(), idx, 0)
	if err != nil || r.Rung() != shuffle.RungLocal {
		t.Fatalf("%v, %v", r, err)
	}
	defer r.Close()
	got, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Recycle("object"); err != nil {
		t.Fatal(err)
	}
	_, _, err = readAll(src, idx, 0)
	lost(t, err)
	write()
	if text(got) != text(rec) {
		t.Fatal("the memory of a reader was written to")
	}
}

func ExamplePartitionedWriter() {
	dir, err := os.MkdirTemp("", "exchange")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	w, err := shuffle.NewPartitionedWriter(filepath.Join(dir, "map-0"), pairSchema,
		partition.Hash{Columns: []int{0}, Partitions: 4}, 4, shuffle.PartitionedOptions{})
	if err != nil {
		panic(err)
	}
	defer w.Abort()
	rec := pairs("call", "me", "ishmael")
	defer rec.Release()
	if err := w.Write(rec); err != nil {
		panic(err)
	}
	idx, err := w.Commit(context.Background())
	if err != nil {
		panic(err)
	}
	src := &shuffle.Source{Local: []string{dir}}
	rows := int64(0)
	for p := range idx.Total {
		r, err := src.Open(context.Background(), idx, p)
		if err != nil {
			panic(err)
		}
		rows += r.Rows()
		r.Close()
	}
	fmt.Println(rows, "rows")
	// Output: 3 rows
}

// TestGoldenOfScatteredRows holds the bytes of a PartitionedWriter: two runs
// with a dictionary column, joined.
func TestGoldenOfScatteredRows(t *testing.T) {
	dir := t.TempDir()
	schema := blocktest.SchemaOf(
		&arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String},
		arrow.ListOf(arrow.PrimitiveTypes.Int32))
	idx := commit(t, filepath.Join(dir, "object"), schema, &partition.RoundRobin{Partitions: 2}, 3, shuffle.PartitionedOptions{Budget: 1},
		blocktest.Record(memory.DefaultAllocator, schema, 7, 0.2, 1), blocktest.Record(memory.DefaultAllocator, schema, 4, 0.2, 2))
	got, err := os.ReadFile(filepath.Join(dir, "object"))
	if err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/v2-dictionary.exchange"
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
	if len(idx.Partitions[0].Batches) != 2 || len(idx.Partitions[0].Dictionaries) != 1 || idx.Partitions[2].Length != 0 {
		t.Fatalf("index %+v", idx)
	}
}
