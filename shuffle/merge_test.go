package shuffle_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"pgregory.net/rapid"

	"github.com/capstan-run/capstan/shuffle"
	"github.com/capstan-run/capstan/shuffle/arena"
	"github.com/capstan-run/capstan/shuffle/block/blocktest"
	"github.com/capstan-run/capstan/shuffle/partition"
	"github.com/capstan-run/capstan/shuffle/store"
	"github.com/capstan-run/capstan/shuffle/store/storetest"
)

// TestMergeIsConcatenation: whatever the tasks, budgets, codecs and
// partitions, a merged partition has the rows of its inputs one after the
// other, and the sum of their hashes; its footer is its index (law X10).
func TestMergeIsConcatenation(t *testing.T) {
	dir := t.TempDir()
	round := 0
	rapid.Check(t, func(t *rapid.T) {
		round++
		schema := blocktest.DrawSchema(t)
		parts := rapid.IntRange(1, 6).Draw(t, "partitions")
		o := shuffle.PartitionedOptions{Budget: int64(rapid.SampledFrom([]int{1 << 20, 4000}).Draw(t, "budget"))}
		o.Codec = rapid.SampledFrom([]string{"", "lz4", "zstd"}).Draw(t, "codec")
		var by partition.Partitioner = &partition.RoundRobin{Partitions: parts}
		if rapid.Bool().Draw(t, "broadcast") {
			by = partition.Everywhere{}
		}
		src := &shuffle.Source{Local: []string{dir}}
		var in []*shuffle.Index
		for i := range rapid.IntRange(1, 4).Draw(t, "tasks") {
			rec := blocktest.DrawRecord(t, memory.DefaultAllocator, schema, 150)
			in = append(in, commit(t, filepath.Join(dir, fmt.Sprintf("task-%d-%d", round, i)), schema, by, parts, o, rec))
		}
		path := filepath.Join(dir, fmt.Sprintf("wave-%d", round))
		got, err := shuffle.Merge(t.Context(), path, src, in, shuffle.MergeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		checkMerged(t, src, got, in)
		checkFooter(t, path, got)
	})
}

func checkMerged(t failer, src *shuffle.Source, got *shuffle.Index, in []*shuffle.Index) {
	t.Helper()
	for p := range got.Total {
		var want []string
		hash := uint64(0)
		for _, x := range in {
			rows, err := rowsOf(src, x, p)
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, rows...)
			hash += x.Partitions[p].RowHash
		}
		rows, err := rowsOf(src, got, p)
		if err != nil || !slices.Equal(rows, want) {
			t.Fatalf("partition %d: %d rows, %v; want the %d of the inputs in their order", p, len(rows), err, len(want))
		}
		if h := got.Partitions[p].RowHash; h != hash {
			t.Fatalf("partition %d: row hash %x, the inputs' sum is %x", p, h, hash)
		}
	}
}

func checkFooter(t failer, path string, want *shuffle.Index) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := shuffle.ReadFooter(f, want.Size)
	if err != nil {
		t.Fatal(err)
	}
	got.Name = want.Name
	a, err := got.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	b, err := want.MarshalBinary()
	if err != nil || !bytes.Equal(a, b) {
		t.Fatalf("footer %+v\nindex  %+v, %v", got, want, err)
	}
}

// largeTasks writes objects whose partitions are larger than what is joined at
// a time.
func largeTasks(t *testing.T, dir string, tasks, parts int) []*shuffle.Index {
	var in []*shuffle.Index
	schema := blocktest.SchemaOf(arrow.BinaryTypes.String, arrow.PrimitiveTypes.Int64)
	for i := range tasks {
		rec := blocktest.Record(memory.DefaultAllocator, schema, 120_000, 0, uint64(i))
		in = append(in, commit(t, filepath.Join(dir, fmt.Sprintf("large-%d", i)), schema, &partition.RoundRobin{Partitions: parts}, parts,
			shuffle.PartitionedOptions{Budget: 64 << 20}, rec))
	}
	return in
}

// TestWaveIsOnePut: an executor's wave is one PUT, whatever the number of its
// tasks, and above the size of a multipart upload too; its readers need no
// more GETs than for one object.
func TestWaveIsOnePut(t *testing.T) {
	dir := t.TempDir()
	server := storetest.Start(t, storetest.Options(dir))
	access := server.Access()
	access.Root = "" // as from another machine
	in := largeTasks(t, dir, 7, 4)
	total := int64(0)
	for _, x := range in {
		total += x.Size
	}
	for _, c := range []struct {
		part int64
		puts int64
	}{{5 << 30, 1}, {5 << 20, 3}} { // a part of 5 MiB: to see that more is counted
		client, err := store.Config{Part: c.part}.Open(access)
		if err != nil {
			t.Fatal(err)
		}
		before := client.Stats()
		got, err := shuffle.Merge(t.Context(), filepath.Join(dir, "wave"), &shuffle.Source{Local: []string{dir}}, in,
			shuffle.MergeOptions{Durability: shuffle.DurableStore, Objects: client, Object: "test/job/wave"})
		if err != nil {
			t.Fatal(err)
		}
		puts := client.Stats().Sub(before).Requests()
		if c.puts == 1 && puts != 1 || puts < c.puts {
			t.Errorf("parts of %d bytes: %d requests for a wave of %d objects and %d bytes", c.part, puts, len(in), total)
		}
		if err := os.Remove(filepath.Join(dir, "wave")); err != nil {
			t.Fatal(err)
		}
		far := &shuffle.Source{Objects: client}
		before = client.Stats()
		readers, err := far.OpenRange(t.Context(), got, 0, 4)
		if err != nil {
			t.Fatal(err)
		}
		gets := client.Stats().Sub(before).Requests()
		if most := (got.Size + 16<<20 - 1) / (16 << 20); gets > most+1 {
			t.Errorf("%d GETs for %d bytes", gets, got.Size)
		}
		for p, h := range hashesOf(t, readers) {
			if want := got.Partitions[p].RowHash; h != want {
				t.Errorf("partition %d: rows of hash %x, want %x", p, h, want)
			}
		}
		client.Close()
	}
}

// TestMergeReadsEveryRung: an object in memory, one in an arena, one damaged on
// disk and whole in the store; then one that is damaged everywhere.
func TestMergeReadsEveryRung(t *testing.T) {
	dir := t.TempDir()
	a, err := arena.Open(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	var reg shuffle.Registry
	remote := &objects{dir: t.TempDir()}
	by := partition.Hash{Columns: []int{0}, Partitions: 3}
	rec := pairs(strings.Fields("it was the best of times it was the worst of times")...)
	in := []*shuffle.Index{
		commit(t, filepath.Join(dir, "memory"), pairSchema, by, 3, shuffle.PartitionedOptions{Durability: shuffle.DurableMemory, Registry: &reg}, rec),
		commit(t, filepath.Join(dir, "arena"), pairSchema, by, 3, shuffle.PartitionedOptions{Durability: shuffle.DurableMemory, WriterOptions: shuffle.WriterOptions{Arena: a}}, rec),
		commit(t, filepath.Join(dir, "file"), pairSchema, by, 3, shuffle.PartitionedOptions{Durability: shuffle.DurableStore, Objects: remote, Object: "bucket/file"}, rec),
		commit(t, filepath.Join(dir, "empty"), pairSchema, by, 3, shuffle.PartitionedOptions{}),
	}
	whole := slices.IndexFunc(in[2].Partitions, func(p shuffle.Partition) bool { return p.Length > 0 })
	corrupt(t, filepath.Join(dir, "file"), in[2].Partitions[whole].Offset+70)
	var m shuffle.Metrics
	src := &shuffle.Source{Registry: &reg, Local: []string{dir}, Objects: remote, Metrics: &m}
	got, err := shuffle.Merge(t.Context(), filepath.Join(dir, "wave"), src, in, shuffle.MergeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got.Rows() != 3*rec.NumRows() || m.Corrupt.Load() != 1 {
		t.Errorf("%d rows, %d corrupt", got.Rows(), m.Corrupt.Load())
	}
	checkMerged(t, src, got, in)

	before := names(t, dir)
	src.Objects = nil
	if _, err = shuffle.Merge(t.Context(), filepath.Join(dir, "wave-2"), src, in, shuffle.MergeOptions{}); lost(t, err).Name != "file" {
		t.Errorf("%v, want the loss of file", err)
	}
	if after := names(t, dir); !slices.Equal(before, after) {
		t.Errorf("left behind: %v, were %v", after, before)
	}
	if err := reg.Drop("memory"); err != nil {
		t.Fatal(err)
	}
}

// TestMergeRefuses what copying cannot merge, in words.
func TestMergeRefuses(t *testing.T) {
	dir := t.TempDir()
	src := &shuffle.Source{Local: []string{dir}}
	by, one := partition.First{}, pairs("a", "b")
	object := func(name string, o shuffle.PartitionedOptions, by partition.Partitioner, parts int) *shuffle.Index {
		return commit(t, filepath.Join(dir, name), pairSchema, by, parts, o, one)
	}
	plain := object("plain", shuffle.PartitionedOptions{}, by, 2)
	slice, err := plain.Slice(0)
	if err != nil {
		t.Fatal(err)
	}
	old := *plain
	old.Version = 1
	other := write(t, filepath.Join(dir, "other"), blocktest.SchemaOf(arrow.PrimitiveTypes.Int64), 2)
	for _, c := range []struct {
		in   []*shuffle.Index
		o    shuffle.MergeOptions
		want string
	}{
		{nil, shuffle.MergeOptions{}, "no objects"},
		{[]*shuffle.Index{plain, slice}, shuffle.MergeOptions{}, "want all of 2"},
		{[]*shuffle.Index{plain, object("wide", shuffle.PartitionedOptions{}, by, 3)}, shuffle.MergeOptions{}, "want all of 2"},
		{[]*shuffle.Index{plain, &old}, shuffle.MergeOptions{}, "version 1"},
		{[]*shuffle.Index{plain, other}, shuffle.MergeOptions{}, "another schema"},
		{[]*shuffle.Index{plain, object("packed", shuffle.PartitionedOptions{WriterOptions: shuffle.WriterOptions{Codec: "lz4"}}, by, 2)}, shuffle.MergeOptions{}, "another codec"},
		{[]*shuffle.Index{plain, object("all", shuffle.PartitionedOptions{}, partition.Everywhere{}, 2)}, shuffle.MergeOptions{}, "broadcast"},
		{[]*shuffle.Index{plain}, shuffle.MergeOptions{Durability: shuffle.DurableMemory}, "memory"},
		{[]*shuffle.Index{plain}, shuffle.MergeOptions{Durability: shuffle.DurableStore}, "needs a store"},
	} {
		_, err := shuffle.Merge(t.Context(), filepath.Join(dir, "wave"), src, c.in, c.o)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "wave")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a refused merge is visible: %v", err)
	}
}
