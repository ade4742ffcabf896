package shuffle_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/capstan-run/capstan/shuffle"
	"github.com/capstan-run/capstan/shuffle/block/blocktest"
	"github.com/capstan-run/capstan/shuffle/partition"
	"github.com/capstan-run/capstan/shuffle/peer"
)

var (
	long = flag.Bool("long", os.Getenv("CAPSTAN_LONG") == "1", "10,000 damages, instead of 500")
	seed = flag.Uint64("seed", 1, "of the damages")
)

// TestChaos damages the copies that an object has in memory, in a file, at a
// peer and in the store, and reads: what is damaged is never read, what has an
// intact copy is, and what has none is lost by one error that says so.
func TestChaos(t *testing.T) {
	least := 500
	if *long {
		least = 10_000
	}
	c := newChaos(t)
	reads := 0
	for ; c.damages < least && !t.Failed(); reads++ {
		c.operate(t)
	}
	t.Logf("seed %d: %d reads, %d healed or intact, %d lost; %d damages %v; %d copies passed over, %d of them by checksum",
		*seed, reads, c.read, c.lost, c.damages, c.kinds, c.src.Metrics.Fallen.Load(), c.src.Metrics.Corrupt.Load())
	for _, kind := range damageKinds {
		if c.kinds[kind.name] == 0 {
			t.Errorf("no %s fell", kind.name)
		}
	}
	for rung, n := range map[shuffle.Rung]int64{
		shuffle.RungMemory: c.src.Metrics.MemoryOpens.Load(), shuffle.RungLocal: c.src.Metrics.LocalOpens.Load(),
		shuffle.RungPeer: c.src.Metrics.PeerOpens.Load(), shuffle.RungStore: c.src.Metrics.StoreOpens.Load(),
	} {
		if n == 0 {
			t.Errorf("nothing was read from %s", rung)
		}
	}
	if c.read == 0 || c.lost == 0 {
		t.Error("everything was read, or everything was lost")
	}
	if n := c.src.Metrics.Held.Load(); n != 0 {
		t.Errorf("%d bytes are still held", n)
	}
}

// specimen is an object as it was written.
type specimen struct {
	idx   *shuffle.Index
	bytes []byte
	want  [][]arrow.Record // by partition
}

// chaos reads specimens whose copies it damages.
type chaos struct {
	rnd           *rand.Rand
	specimens     []specimen
	src           *shuffle.Source
	registry      shuffle.Registry
	local, remote string // where the file is, and where the peer's
	objects       *objects
	damages       int
	kinds         map[string]int
	read, lost    int
}

func newChaos(t *testing.T) *chaos {
	c := &chaos{
		rnd: rand.New(rand.NewPCG(*seed, 1)), kinds: map[string]int{},
		local: t.TempDir(), remote: t.TempDir(), objects: &objects{dir: t.TempDir()},
	}
	c.specimens = specimens(t)
	c.src = &shuffle.Source{
		Registry: &c.registry, Local: []string{t.TempDir(), c.local}, Peers: servePeer(t, c.remote),
		Objects: c.objects, Metrics: new(shuffle.Metrics), InFlight: 8 << 20,
	}
	return c
}

// servePeer is a client of a peer that has the files of dir.
func servePeer(t *testing.T, dir string) *peer.Client {
	sock := filepath.Join(t.TempDir(), "sock")
	l, err := net.Listen("unix", sock)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- (&peer.Server{Dirs: []string{dir}}).Serve(t.Context(), l) }()
	c := &peer.Client{Where: func(string) []string { return []string{"unix://" + sock} }}
	t.Cleanup(func() { // after the context's end
		c.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return c
}

// specimens are objects of one run and of several, with dictionaries and
// codecs, small ones that are read and a large one that is mapped.
func specimens(t *testing.T) []specimen {
	dicts := blocktest.SchemaOf(blocktest.Dictionaries()[0], arrow.BinaryTypes.String)
	var out []specimen
	for i, x := range []struct {
		schema *arrow.Schema
		rows   int
		budget int64
		codec  string
	}{{pairSchema, 900, 0, ""}, {pairSchema, 900, 20 << 10, ""}, {dicts, 600, 0, ""}, {pairSchema, 3000, 0, "lz4"}, {dicts, 3000, 40 << 10, "zstd"}, {pairSchema, 90_000, 0, ""}} {
		dir := t.TempDir()
		o := shuffle.PartitionedOptions{Budget: x.budget}
		o.Codec = x.codec
		rec := blocktest.Record(memory.DefaultAllocator, x.schema, x.rows, 0.1, uint64(i))
		by := &partition.RoundRobin{Partitions: 9}
		var parts []arrow.Record
		for at := int64(0); at < rec.NumRows(); at += 300 {
			parts = append(parts, rec.NewSlice(at, min(at+300, rec.NumRows())))
		}
		idx := commit(t, filepath.Join(dir, fmt.Sprintf("object-%d", i)), x.schema, by, 9, o, parts...)
		b, err := os.ReadFile(filepath.Join(dir, idx.Name))
		if err != nil {
			t.Fatal(err)
		}
		idx.Object = "bucket/" + idx.Name
		s := specimen{idx: idx, bytes: b}
		src := &shuffle.Source{Local: []string{dir}}
		for p := range idx.Partitions {
			r, err := src.Open(t.Context(), idx, p)
			if err != nil {
				t.Fatal(err)
			}
			recs, err := records(r)
			if err != nil {
				t.Fatal(err)
			}
			s.want = append(s.want, recs)
		}
		out = append(out, s)
	}
	return out
}

// records returns the records of r, retained, and closes it.
func records(r *shuffle.PartitionReader) ([]arrow.Record, error) {
	defer r.Close()
	var out []arrow.Record
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		rec.Retain()
		out = append(out, rec)
	}
}

// replica is what one rung has of a specimen: nil bytes for nothing.
type replica struct {
	bytes   []byte
	refused bool
}

// sure and may tell whether partition p can be had from the replica: one whose
// length is another may be refused for it.
func (c replica) sure(s *specimen, p int) bool { return len(c.bytes) == len(s.bytes) && c.may(s, p) }

func (c replica) may(s *specimen, p int) bool {
	x := &s.idx.Partitions[p]
	return !c.refused && x.Offset+x.Length <= int64(len(c.bytes)) &&
		bytes.Equal(c.bytes[x.Offset:x.Offset+x.Length], s.bytes[x.Offset:x.Offset+x.Length])
}

// operate gives every rung a replica of a specimen, and reads some partitions.
func (c *chaos) operate(t *testing.T) {
	s := &c.specimens[c.rnd.IntN(len(c.specimens)-1)]
	if c.rnd.IntN(16) == 0 {
		s = &c.specimens[len(c.specimens)-1]
	}
	lo := c.rnd.IntN(len(s.want))
	hi := lo + 1 + c.rnd.IntN(len(s.want)-lo)
	var rungs [4]replica
	for i := range rungs {
		switch k := c.rnd.IntN(8); {
		case k < 2:
		case k < 3:
			rungs[i].bytes = s.bytes
		default:
			rungs[i] = c.damaged(s, lo, hi, i == 3)
		}
	}
	c.place(t, s, rungs)
	sure, may := true, true
	for p := lo; p < hi; p++ {
		var s1, m1 bool
		for _, r := range rungs {
			s1, m1 = s1 || r.sure(s, p), m1 || r.may(s, p)
		}
		sure, may = sure && s1, may && m1
	}
	readers, err := c.src.OpenRange(t.Context(), s.idx, lo, hi)
	switch l := (*shuffle.LostError)(nil); {
	case err != nil && sure:
		t.Errorf("%s %d:%d has intact copies, and is lost: %v", s.idx.Name, lo, hi, err)
	case err == nil && !may:
		t.Errorf("%s %d:%d has no intact copy, and is read", s.idx.Name, lo, hi)
	case err == nil:
		c.read++
	case !errors.As(err, &l) || l.Partition < lo || l.Partition >= hi:
		t.Errorf("%s %d:%d ends with %v", s.idx.Name, lo, hi, err)
	default:
		c.lost++
	}
	for i, r := range readers {
		if got, err := records(r); err != nil || !same(got, s.want[lo+i]) {
			t.Errorf("partition %d of %s from %s: other rows, %v", lo+i, s.idx.Name, r.Rung(), err)
		} else {
			release(got)
		}
	}
}

func same(a, b []arrow.Record) bool {
	for i := range a {
		if i >= len(b) || !array.RecordEqual(a[i], b[i]) {
			return false
		}
	}
	return len(a) == len(b)
}

func release(recs []arrow.Record) {
	for _, r := range recs {
		r.Release()
	}
}

// place puts the replicas where the source looks: memory, file, peer, store.
func (c *chaos) place(t *testing.T, s *specimen, rungs [4]replica) {
	if b := rungs[0].bytes; b != nil {
		buf := memory.NewResizableBuffer(memory.DefaultAllocator)
		buf.Resize(len(b))
		copy(buf.Bytes(), b)
		c.registry.Put(s.idx.Name, buf)
		buf.Release()
	} else if err := c.registry.Drop(s.idx.Name); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	for i, dir := range []string{c.local, c.remote, c.objects.dir} {
		path := filepath.Join(dir, s.idx.Name)
		err := os.Remove(path)
		if b := rungs[i+1].bytes; b != nil {
			err = os.WriteFile(path, b, 0o600)
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	c.objects.fail = nil
	if rungs[3].refused {
		c.objects.fail = errors.New("503 SlowDown")
	}
}

// damageKinds change b, of which the bytes from lo to hi are asked for, and
// return what became of it.
var damageKinds = []struct {
	name string
	do   func(r *rand.Rand, b []byte, lo, hi int) []byte
}{
	{"bit", func(r *rand.Rand, b []byte, lo, hi int) []byte {
		b[lo+r.IntN(hi-lo)] ^= 1 << r.IntN(8)
		return b
	}},
	{"burst", func(r *rand.Rand, b []byte, lo, hi int) []byte {
		at := lo + r.IntN(hi-lo)
		for i := range b[at:min(hi, at+1+r.IntN(4096))] {
			b[at+i] = byte(r.Uint32())
		}
		return b
	}},
	{"zeroed page", func(r *rand.Rand, b []byte, lo, hi int) []byte {
		at := (lo + r.IntN(hi-lo)) &^ 4095
		clear(b[at:min(len(b), at+4096)])
		return b
	}},
	{"torn tail", func(r *rand.Rand, b []byte, lo, hi int) []byte {
		clear(b[lo+r.IntN(hi-lo):])
		return b
	}},
	{"lines exchanged", func(r *rand.Rand, b []byte, lo, hi int) []byte {
		var line [64]byte
		x, y := lo+r.IntN((hi-lo)/64)*64, lo+r.IntN((hi-lo)/64)*64
		copy(line[:], b[x:])
		copy(b[x:x+64], b[y:y+64])
		copy(b[y:], line[:])
		return b
	}},
	{"line late", func(r *rand.Rand, b []byte, lo, hi int) []byte {
		at := lo + r.IntN(hi-lo)
		copy(b[min(hi, at+64):hi], bytes.Clone(b[at:hi]))
		return b
	}},
	{"cut", func(r *rand.Rand, b []byte, _, hi int) []byte { return b[:r.IntN(hi)] }},
	{"longer", func(r *rand.Rand, b []byte, lo, hi int) []byte {
		b[lo+r.IntN(hi-lo)] ^= 0x80
		return append(b, b[:1+r.IntN(64)]...)
	}},
	{"another object", func(r *rand.Rand, b []byte, _, _ int) []byte {
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	}},
	{"refusal", nil}, // of the store
}

// damaged returns a damaged replica of s, of which the partitions lo to hi-1
// will be read, and counts it. Only the store refuses.
func (c *chaos) damaged(s *specimen, lo, hi int, store bool) replica {
	from, last := s.idx.Partitions[lo].Offset, &s.idx.Partitions[hi-1]
	for {
		kind := damageKinds[c.rnd.IntN(len(damageKinds))]
		out := replica{bytes: s.bytes, refused: kind.do == nil}
		if kind.do != nil {
			out.bytes = kind.do(c.rnd, bytes.Clone(s.bytes), int(from), int(last.Offset+last.Length))
		}
		if out.refused && !store || !out.refused && bytes.Equal(out.bytes, s.bytes) {
			continue // nothing came of it
		}
		c.damages++
		c.kinds[kind.name]++
		return out
	}
}
