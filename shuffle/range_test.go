package shuffle_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/capstan-run/capstan/shuffle"
	"github.com/capstan-run/capstan/shuffle/block"
	"github.com/capstan-run/capstan/shuffle/block/blocktest"
	"github.com/capstan-run/capstan/shuffle/partition"
	"github.com/capstan-run/capstan/shuffle/store/storetest"
)

// hashesOf returns the row hash of what each reader reads, and closes it.
func hashesOf(t failer, readers []*shuffle.PartitionReader) []uint64 {
	t.Helper()
	out := make([]uint64, len(readers))
	for i, r := range readers {
		rows := int64(0)
		for {
			rec, err := r.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			out[i] += block.RowHash(rec)
			rows += rec.NumRows()
		}
		if rows != r.Rows() {
			t.Fatalf("%d rows of %d", rows, r.Rows())
		}
		r.Close()
	}
	return out
}

// someParts is an object of the given partitions: small ones, empty ones, and
// some that are mapped.
func someParts(t *testing.T, path string, parts int) (*shuffle.Index, []uint64) {
	var in []batch
	want := make([]uint64, parts)
	rnd := rand.New(rand.NewPCG(1, 2))
	for p := range parts {
		n := []int{0, 1, 40, 3000}[rnd.IntN(4)]
		if p == 2 || p == 3 {
			n = 60_000
		}
		if n == 0 {
			continue
		}
		rec := blocktest.Record(memory.DefaultAllocator, pairSchema, n, 0.1, uint64(p))
		in = append(in, batch{p, rec})
		want[p] = block.RowHash(rec)
	}
	return write(t, path, pairSchema, parts, in...), want
}

// uploaded is an object of someParts, in a directory of its own and in a store.
func uploaded(t *testing.T, parts int) (path string, o *objects, idx *shuffle.Index, want []uint64) {
	t.Helper()
	path, o = filepath.Join(t.TempDir(), "object"), &objects{dir: t.TempDir()}
	idx, want = someParts(t, path, parts)
	if err := shuffle.Upload(t.Context(), o, path, idx, "bucket/object"); err != nil {
		t.Fatal(err)
	}
	return path, o, idx, want
}

// TestOpenRangeIsOpenOfEach: from every rung, any range has what its
// partitions have.
func TestOpenRangeIsOpenOfEach(t *testing.T) {
	const parts = 30
	path, o, idx, want := uploaded(t, parts)
	dir := filepath.Dir(path)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	reg := new(shuffle.Registry)
	reg.Put("object", memory.NewBufferBytes(b))
	before := mappings(t, dir)
	for rung, src := range map[shuffle.Rung]*shuffle.Source{
		shuffle.RungMemory: {Registry: reg, Local: []string{dir}},
		shuffle.RungLocal:  {Local: []string{dir}},
		shuffle.RungStore:  {Objects: o},
	} {
		for _, x := range [][2]int{{0, parts}, {0, 0}, {2, 4}, {7, 8}, {5, 29}} {
			readers, err := src.OpenRange(t.Context(), idx, x[0], x[1])
			if err != nil {
				t.Fatal(err)
			}
			for i, r := range readers {
				if from := r.Rung(); from != rung && r.Rows() > 0 {
					t.Errorf("partition %d from %s, want %s", x[0]+i, from, rung)
				}
			}
			if got := hashesOf(t, readers); !slices.Equal(got, want[x[0]:x[1]]) {
				t.Errorf("partitions %d to %d from %s differ", x[0], x[1], rung)
			}
		}
	}
	if n := mappings(t, dir); n != before {
		t.Errorf("%d mappings are left", n-before)
	}
}

// TestOpenRangeAsksOnce: one call of the store for adjacent partitions.
func TestOpenRangeAsksOnce(t *testing.T) {
	dir := t.TempDir()
	idx, _ := someParts(t, filepath.Join(dir, "object"), 30)
	idx.Object = "bucket/object"
	o := &objects{dir: dir}
	readers, err := (&shuffle.Source{Objects: o}).OpenRange(t.Context(), idx, 0, 30)
	if err != nil {
		t.Fatal(err)
	}
	hashesOf(t, readers)
	if o.gets != 1 {
		t.Errorf("%d requests, want 1", o.gets)
	}
}

// TestDamageInARangeStaysThere: the next rung is asked for the damaged
// partition alone.
func TestDamageInARangeStaysThere(t *testing.T) {
	const parts = 30
	path, o, idx, want := uploaded(t, parts)
	dir := filepath.Dir(path)
	bad := slices.IndexFunc(idx.Partitions[4:], func(p shuffle.Partition) bool { return p.Rows == 40 }) + 4
	corrupt(t, path, idx.Partitions[bad].Offset+100)
	m := new(shuffle.Metrics)
	src := &shuffle.Source{Local: []string{dir}, Objects: o, Metrics: m}
	readers, err := src.OpenRange(t.Context(), idx, 0, parts)
	if err != nil {
		t.Fatal(err)
	}
	if readers[bad].Rung() != shuffle.RungStore {
		t.Errorf("the damaged partition is from %s", readers[bad].Rung())
	}
	if got := hashesOf(t, readers); !slices.Equal(got, want) {
		t.Error("rows differ")
	}
	if n := m.StoreBytes.Load(); n != idx.Partitions[bad].Length || m.Corrupt.Load() != 1 {
		t.Errorf("%d bytes from the store, %d corrupt; want %d and 1", n, m.Corrupt.Load(), idx.Partitions[bad].Length)
	}
	corrupt(t, filepath.Join(o.dir, "object"), idx.Partitions[bad].Offset)
	before := mappings(t, dir)
	_, err = src.OpenRange(t.Context(), idx, 0, parts)
	if l := lost(t, err); l.Partition != bad || len(l.Rungs) != 2 {
		t.Errorf("lost partition %d, want %d: %v", l.Partition, bad, err)
	}
	if n := mappings(t, dir); n != before {
		t.Errorf("%d mappings are left of a range that is lost", n-before)
	}
}

func TestOpenRangeRefusesWhatIsNotThere(t *testing.T) {
	dir := t.TempDir()
	idx := write(t, filepath.Join(dir, "object"), pairSchema, 3, batch{0, pairs("x")})
	for _, x := range [][2]int{{-1, 1}, {0, 4}, {2, 1}} {
		if _, err := (&shuffle.Source{Local: []string{dir}}).OpenRange(t.Context(), idx, x[0], x[1]); err == nil {
			t.Errorf("partitions %d to %d of 3 are opened", x[0], x[1])
		}
	}
}

func TestBroadcastIsReadOnce(t *testing.T) {
	dir := t.TempDir()
	idx := commit(t, filepath.Join(dir, "object"), pairSchema, partition.Everywhere{}, 5, shuffle.PartitionedOptions{}, pairs("a", "b"))
	idx.Object = "bucket/object"
	var asked int64
	src := &shuffle.Source{Objects: &objects{dir: dir, read: func(n int64) { asked += n }}}
	readers, err := src.OpenRange(t.Context(), idx, 0, 5)
	if err != nil {
		t.Fatal(err)
	}
	for p, got := range hashesOf(t, readers) {
		if got != block.RowHash(pairs("a", "b")) {
			t.Errorf("partition %d has other rows", p)
		}
	}
	if asked != idx.Partitions[0].Length {
		t.Errorf("%d bytes were asked for, want %d", asked, idx.Partitions[0].Length)
	}
}

// TestOpenAllTellsOfEveryLoss, and leaves nothing open.
func TestOpenAllTellsOfEveryLoss(t *testing.T) {
	dir := t.TempDir()
	var spans []shuffle.Span
	want := make([][]uint64, 5)
	for i := range want {
		idx, rows := someParts(t, filepath.Join(dir, fmt.Sprint("object-", i)), 6)
		spans = append(spans, shuffle.Span{Index: idx, Lo: 1, Hi: 5})
		want[i] = rows[1:5]
	}
	src := &shuffle.Source{Local: []string{dir}}
	before := mappings(t, dir)
	all, err := src.OpenAll(t.Context(), spans)
	if err != nil {
		t.Fatal(err)
	}
	for i, readers := range all {
		if got := hashesOf(t, readers); !slices.Equal(got, want[i]) {
			t.Errorf("object %d: rows differ", i)
		}
	}
	for _, i := range []int{1, 3} {
		if err := os.Remove(filepath.Join(dir, spans[i].Index.Name)); err != nil {
			t.Fatal(err)
		}
	}
	_, err = src.OpenAll(t.Context(), spans)
	lost(t, err)
	if s := err.Error(); !strings.Contains(s, "object-1 is lost") || !strings.Contains(s, "object-3 is lost") {
		t.Errorf("not every loss is told: %v", err)
	}
	if n := mappings(t, dir); n != before {
		t.Errorf("%d mappings are left", n-before)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("told to stop")
	cancel(why)
	if _, err = src.OpenAll(ctx, spans); !errors.Is(err, why) || errors.Is(err, shuffle.ErrLost) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestRequestsOverS3: E executors write one object a wave, and each reads its
// neighbouring partitions of all of them.
func TestRequestsOverS3(t *testing.T) {
	const executors, waves, parts = 3, 2, 24
	dir := t.TempDir()
	server := storetest.Start(t, storetest.Options(dir))
	client := storetest.Open(t, server.Access())
	rec := blocktest.Record(memory.DefaultAllocator, pairSchema, 5000, 0, 1)
	before := client.Stats()
	var indexes []*shuffle.Index
	for i := range executors * waves {
		name := fmt.Sprint("object-", i)
		indexes = append(indexes, commit(t, filepath.Join(dir, name), pairSchema, partition.Hash{Columns: []int{0}, Partitions: parts}, parts,
			shuffle.PartitionedOptions{Durability: shuffle.DurableStore, Objects: client, Object: "test/job/" + name}, rec))
	}
	wrote := client.Stats()
	src := &shuffle.Source{Objects: client}
	rows, bytes := int64(0), int64(0)
	for e := range executors {
		var spans []shuffle.Span
		for _, x := range indexes {
			spans = append(spans, shuffle.Span{Index: x, Lo: e * parts / executors, Hi: (e + 1) * parts / executors})
		}
		all, err := src.OpenAll(t.Context(), spans)
		if err != nil {
			t.Fatal(err)
		}
		for _, readers := range all {
			for _, r := range readers {
				rows += r.Rows()
				bytes += r.Bytes()
				r.Close()
			}
		}
	}
	if rows != int64(len(indexes))*rec.NumRows() {
		t.Fatalf("%d rows", rows)
	}
	if puts := wrote.Sub(before).Puts; puts > executors*waves {
		t.Errorf("%d PUTs, want at most E·W = %d", puts, executors*waves)
	}
	limit := 1.2 * max(float64(executors*executors*waves), float64(bytes)/(16<<20))
	if s := client.Stats().Sub(wrote); s.Gets == 0 || float64(s.Requests()) > limit {
		t.Errorf("%d requests to read, want some, at most 1.2·max(E²·W, bytes/16 MiB) = %.1f", s.Requests(), limit)
	}
}
