package shuffle_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/capstan-run/capstan/shuffle"
	"github.com/capstan-run/capstan/shuffle/block/blocktest"
	"github.com/capstan-run/capstan/shuffle/partition"
	"github.com/capstan-run/capstan/shuffle/peer"
)

// TestEveryChangedByteIsDetected: whichever byte of a partition changes,
// reading it from a lone file is a loss, and reading the others is not.
func TestEveryChangedByteIsDetected(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "object")
	idx := write(t, path, pairSchema, 3,
		batch{0, pairs("the", "-", "whale")}, batch{1, pairs("a")}, batch{2, pairs("b", "c")})
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	src := &shuffle.Source{Local: []string{dir}}
	for i := range idx.Bytes() {
		b[i] ^= 0x10
		overwrite(t, path, b)
		for p, part := range idx.Partitions {
			inside := i >= part.Offset && i < part.Offset+part.Length
			_, _, err := readAll(src, idx, p)
			if inside && !errors.Is(err, shuffle.ErrCorrupt) {
				t.Errorf("byte %d of partition %d changed: %v", i, p, err)
			}
			if !inside && err != nil {
				t.Errorf("byte %d changed outside partition %d: %v", i, p, err)
			}
		}
		b[i] ^= 0x10
	}
}

// overwrite changes a file in place: unlike a rewrite, it keeps the inode.
func overwrite(t *testing.T, path string, b []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(b, 0); err != nil {
		t.Fatal(err)
	}
}

func TestLadder(t *testing.T) {
	big := blocktest.Record(memory.DefaultAllocator, pairSchema, 80000, 0, 1) // beyond what is read and not mapped
	for _, rec := range []arrow.Record{pairs("call", "me", "ishmael"), big} {
		want := []string{text(rec)}
		first, second, remote := t.TempDir(), t.TempDir(), t.TempDir()
		path := filepath.Join(first, "object")
		idx := write(t, path, pairSchema, 2, batch{0, pairs("x")}, batch{1, rec})
		o := &objects{dir: remote}
		if err := shuffle.Upload(context.Background(), o, path, idx, "bucket/job/object"); err != nil {
			t.Fatal(err)
		}
		m := new(shuffle.Metrics)
		src := &shuffle.Source{Local: []string{second, first}, Objects: o, Metrics: m}
		size := idx.Partitions[1].Length
		expect := func(rung shuffle.Rung) {
			t.Helper()
			got, from, err := readAll(src, idx, 1)
			if err != nil || from != rung || !slices.Equal(got, want) {
				t.Fatalf("want the rows from %s; got %v rows from %s, %v", rung, len(got), from, err)
			}
		}

		expect(shuffle.RungLocal)
		if m.LocalBytes.Load() != size || o.gets != 0 || m.Fallen.Load() != 1 {
			t.Fatalf("local: %d bytes, %d gets, %d fallen", m.LocalBytes.Load(), o.gets, m.Fallen.Load())
		}

		corrupt(t, path, idx.Partitions[1].Offset+size/2)
		expect(shuffle.RungStore)
		if m.StoreBytes.Load() != size || m.Corrupt.Load() != 1 {
			t.Fatalf("store: %d bytes, %d corrupt", m.StoreBytes.Load(), m.Corrupt.Load())
		}

		if err := os.Truncate(path, idx.Size-1); err != nil {
			t.Fatal(err)
		}
		expect(shuffle.RungStore)

		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		expect(shuffle.RungStore)

		corrupt(t, filepath.Join(remote, "object"), idx.Partitions[1].Offset)
		_, _, err := readAll(src, idx, 1)
		l := lost(t, err)
		if len(l.Rungs) != 3 || !errors.Is(err, shuffle.ErrCorrupt) || !errors.Is(err, os.ErrNotExist) {
			t.Fatalf("reasons: %v", err)
		}
		for _, part := range []string{"partition 1", "object", second, first, "bucket/job/object", "checksum"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q does not name %q", err, part)
			}
		}
	}
}

func corrupt(t *testing.T, path string, at int64) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[at] ^= 1
	overwrite(t, path, b)
}

func TestStoreErrorIsTheReason(t *testing.T) {
	idx := write(t, filepath.Join(t.TempDir(), "object"), pairSchema, 1, batch{0, pairs("x")})
	idx.Object = "bucket/object"
	down := errors.New("store is down")
	_, _, err := readAll(&shuffle.Source{Objects: &objects{fail: down}}, idx, 0)
	lost(t, err)
	if !errors.Is(err, down) {
		t.Fatal(err)
	}
}

// TestCancelIsNoLoss: a reader that was told to stop must not have the
// producer run again.
func TestCancelIsNoLoss(t *testing.T) {
	idx := write(t, filepath.Join(t.TempDir(), "object"), pairSchema, 1, batch{0, pairs("x")})
	idx.Object = "bucket/object"
	ctx, cancel := context.WithCancelCause(context.Background())
	why := errors.New("the task was cancelled")
	cancel(why)
	src := &shuffle.Source{Local: []string{t.TempDir()}, Objects: &objects{fail: ctx.Err()}}
	if _, err := src.Open(ctx, idx, 0); !errors.Is(err, why) || errors.Is(err, shuffle.ErrLost) {
		t.Fatal(err)
	}
}

func TestEmptyPartition(t *testing.T) {
	idx := write(t, filepath.Join(t.TempDir(), "object"), pairSchema, 3, batch{1, pairs("x")})
	r, err := new(shuffle.Source).Open(context.Background(), idx, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.Next(); err != io.EOF {
		t.Fatal(err)
	}
	if !r.Schema().Equal(pairSchema) || r.Rung() != shuffle.RungNone {
		t.Fatalf("schema %s from %s", r.Schema(), r.Rung())
	}
}

// TestNamesStayInTheDirectory: the name comes in a message.
func TestNamesStayInTheDirectory(t *testing.T) {
	dir := t.TempDir()
	inner := filepath.Join(dir, "inner")
	if err := os.Mkdir(inner, 0o700); err != nil {
		t.Fatal(err)
	}
	idx := write(t, filepath.Join(dir, "object"), pairSchema, 1, batch{0, pairs("x")})
	if err := os.Symlink("../object", filepath.Join(inner, "link")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"../object", filepath.Join(dir, "object"), "link", "", ".", ".."} {
		idx.Name = name
		_, _, err := readAll(&shuffle.Source{Local: []string{inner}}, idx, 0)
		lost(t, err)
	}
}

func TestRetainedRecordOutlivesTheReader(t *testing.T) {
	dir := t.TempDir()
	rec := blocktest.Record(memory.DefaultAllocator, pairSchema, 80000, 0.1, 1)
	idx := write(t, filepath.Join(dir, "object"), pairSchema, 1, batch{0, rec}, batch{0, rec})
	before := mappings(t, dir)
	r, err := (&shuffle.Source{Local: []string{dir}}).Open(context.Background(), idx, 0)
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	got.Retain()
	if err := os.Remove(filepath.Join(dir, "object")); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if !array.RecordEqual(rec, got) {
		t.Fatal("a retained record changed after Close")
	}
	if n := mappings(t, dir); n != before+1 {
		t.Fatalf("%d mappings under a retained record, want one", n-before)
	}
	got.Release()
	if n := mappings(t, dir); n != before {
		t.Fatalf("%d mappings left after the last release", n-before)
	}
}

// mappings counts this process's mappings of files under dir.
func mappings(t *testing.T, dir string) int {
	t.Helper()
	b, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Skip("no /proc/self/maps on this system: unmapping goes unchecked")
	}
	return strings.Count(string(b), dir)
}

func TestSourceServesManyReaders(t *testing.T) {
	dir := t.TempDir()
	const parts = 8
	var batches []batch
	for p := range parts {
		batches = append(batches, batch{p, pairs(fmt.Sprint("word", p))})
	}
	idx := write(t, filepath.Join(dir, "object"), pairSchema, parts, batches...)
	src := &shuffle.Source{Local: []string{dir}}
	var wg sync.WaitGroup
	for p := range parts {
		wg.Go(func() {
			for range 50 {
				got, _, err := readAll(src, idx, p)
				if err != nil || !slices.Equal(got, []string{text(batches[p].rec)}) {
					t.Errorf("partition %d: %v, %v", p, got, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// TestForgedIndex: checksums match and the places do not. Reading fails; it
// does not crash, and takes no memory for what is not there.
func TestForgedIndex(t *testing.T) {
	dir := t.TempDir()
	forge := func(change func(*shuffle.Partition)) error {
		idx := overTheWire(t, write(t, filepath.Join(dir, "object"), pairSchema, 1, batch{0, pairs("a", "b")}))
		change(&idx.Partitions[0])
		_, _, err := readAll(&shuffle.Source{Local: []string{dir}}, idx, 0)
		return err
	}
	for name, change := range map[string]func(*shuffle.Partition){
		"length beyond the file": func(p *shuffle.Partition) { p.Length = 1 << 50 },
		"negative offset":        func(p *shuffle.Partition) { p.Offset = -64 },
		"offset overflows":       func(p *shuffle.Partition) { p.Offset = 1<<63 - 64 },
		"unaligned":              func(p *shuffle.Partition) { p.Offset++ },
		"buffer beyond the end":  func(p *shuffle.Partition) { p.Batches[0].Buffers[1].Length = 1 << 40 },
		"rows":                   func(p *shuffle.Partition) { p.Batches[0].Rows = 3 },
		"fewer batches":          func(p *shuffle.Partition) { p.Batches = nil },
		"total rows":             func(p *shuffle.Partition) { p.Rows++ },
	} {
		if err := forge(change); !errors.Is(err, shuffle.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := forge(func(p *shuffle.Partition) { p.Codec = "lz9" }); err == nil || !strings.Contains(err.Error(), "lz9") {
		t.Errorf("unknown codec: %v", err)
	}
}

// TestPeerRung reads from another executor's memory and files, in each
// transport's own way, and verifies.
func TestPeerRung(t *testing.T) {
	dir, reg := t.TempDir(), new(shuffle.Registry)
	held := commit(t, filepath.Join(dir, "held"), pairSchema, partition.First{}, 1,
		shuffle.PartitionedOptions{Durability: shuffle.DurableMemory, Registry: reg}, pairs("call", "me"))
	file := write(t, filepath.Join(dir, "object"), pairSchema, 2, batch{0, pairs("x")}, batch{1, pairs("ishmael")})
	sock := filepath.Join(t.TempDir(), "sock")
	l, err := net.Listen("unix", sock)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- (&peer.Server{Dirs: []string{dir}, Memory: reg.Buffer}).Serve(ctx, l) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	c := &peer.Client{Where: func(string) []string { return []string{"unix://" + sock} }}
	defer c.Close()
	m := new(shuffle.Metrics)
	src := &shuffle.Source{Local: []string{t.TempDir()}, Peers: c, Metrics: m}
	for _, x := range []struct {
		idx  *shuffle.Index
		p    int
		want arrow.Record
	}{{held, 0, pairs("call", "me")}, {file, 1, pairs("ishmael")}} {
		got, rung, err := readAll(src, x.idx, x.p)
		if err != nil || rung != shuffle.RungPeer || !slices.Equal(got, []string{text(x.want)}) {
			t.Fatalf("%s from %s, %v", got, rung, err)
		}
	}
	if m.PeerOpens.Load() != 2 || m.PeerBytes.Load() != held.Partitions[0].Length+file.Partitions[1].Length || m.Fallen.Load() != 2 {
		t.Fatalf("%d opens, %d bytes, %d fallen", m.PeerOpens.Load(), m.PeerBytes.Load(), m.Fallen.Load())
	}
	corrupt(t, filepath.Join(dir, "object"), file.Partitions[1].Offset+80)
	_, _, err = readAll(src, file, 1)
	if lost(t, err); !errors.Is(err, shuffle.ErrCorrupt) {
		t.Fatal(err)
	}
}
