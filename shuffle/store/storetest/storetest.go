// Package storetest is the test kit of object stores.
//
// # Model
//
//	Run      the conformance suite: every way to reach a store passes it (the
//	         embedded server, a gate on TCP or a unix socket, a peer)
//	Start    an embedded server of the test's own; StartPeer another one's server
//	Proxy    stands before a store, with a [Fault] or a [Chaos] of them
//	Plain    minio-go without this module's client, to measure against
//
// A store that is weaker than the suite asks names what it lacks, and only that
// is skipped.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/shuffle/store"
)

// Capability is something a store may lack.
type Capability string

const (
	// AtomicOverwrite: who reads an object while it is replaced gets the old
	// bytes or the new ones.
	AtomicOverwrite Capability = "atomic overwrite"
	// CutSafe: a body cut off half-way is never published, whatever protects it.
	CutSafe Capability = "safe from cut bodies"
	// ConditionalMultipart: completing an upload heeds If-None-Match, whoever
	// else completes one at the time.
	ConditionalMultipart Capability = "conditional multipart"
	// Links: URLs that carry their own signature.
	Links Capability = "links"
)

// Run checks the store behind access. prefix ("bucket/folder/") is an empty
// place that access may write to; what the suite leaves there is the caller's.
// A Root in access is set aside, so that every read goes through the server.
func Run(t *testing.T, access core.StoreAccess, prefix string, lacks ...Capability) {
	access.Root = ""
	c, err := store.Open(access)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	s := suite{c: c, prefix: prefix}
	s.small, err = store.Config{Part: 5 << 20}.Open(access)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.small.Close() })
	needs := func(what Capability, test func(*testing.T)) func(*testing.T) {
		return func(t *testing.T) {
			if slices.Contains(lacks, what) {
				t.Skipf("the store lacks: %s", what)
			}
			test(t)
		}
	}
	t.Run("RoundTrip", s.roundTrip)
	t.Run("OddKeys", s.oddKeys)
	t.Run("NotFound", s.notFound)
	t.Run("Ranges", s.ranges)
	t.Run("Unseekable", s.unseekable)
	t.Run("Multipart", s.multipart)
	t.Run("ShortSource", s.shortSource)
	t.Run("FailedUploadLeavesNothing", s.failedUpload)
	t.Run("Uploads", s.uploads)
	t.Run("IfNoneMatchRacers", s.racers)
	t.Run("IfNoneMatchMultipart", needs(ConditionalMultipart, s.racersMultipart))
	t.Run("Commit", s.commit)
	t.Run("OverwriteUnderReaders", needs(AtomicOverwrite, s.overwrite))
	t.Run("CutBodies", needs(CutSafe, func(t *testing.T) { RunCut(t, access, prefix+"cut/") }))
	t.Run("Share", needs(Links, s.share))
	t.Run("ListPaging", s.listPaging)
	t.Run("DeletePrefix", s.deletePrefix)
}

type suite struct {
	c      *store.Client
	small  *store.Client // whose parts are as small as can be
	prefix string
}

// Bytes returns n bytes that look random and depend on n and seed only.
func Bytes(n int, seed uint64) []byte {
	b := make([]byte, n)
	var key [32]byte
	key[0], key[1] = byte(seed), byte(seed>>8)
	rand.NewChaCha8(key).Read(b)
	return b
}

// ReadAll reads the whole object.
func ReadAll(t testing.TB, c *store.Client, path string) []byte {
	t.Helper()
	r, _, err := c.Get(t.Context(), path, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (s suite) put(t *testing.T, name string, b []byte) string {
	t.Helper()
	if _, err := s.c.Put(t.Context(), s.prefix+name, bytes.NewReader(b), int64(len(b)), store.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	return s.prefix + name
}

func (s suite) roundTrip(t *testing.T) {
	for _, n := range []int{0, 1, 4095, 1 << 20, 5<<20 + 3} {
		want := Bytes(n, 1)
		path := s.prefix + fmt.Sprintf("round/%d", n)
		put, err := s.c.Put(t.Context(), path, bytes.NewReader(want), int64(n), store.PutOptions{ContentType: "text/x-test"})
		if err != nil {
			t.Fatal(err)
		}
		info, err := s.c.Stat(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Size != int64(n) || info.ETag == "" || info.ETag != put.ETag || info.ContentType != "text/x-test" || info.Modified.IsZero() || info.Path != path {
			t.Errorf("stat %+v after put %+v", info, put)
		}
		if got := ReadAll(t, s.c, path); !bytes.Equal(got, want) {
			t.Errorf("%d bytes came back as %d", n, len(got))
		}
	}
	file := filepath.Join(t.TempDir(), "f")
	want := Bytes(100_000, 2)
	if err := os.WriteFile(file, want, 0o600); err != nil {
		t.Fatal(err)
	}
	path := s.prefix + "round/file"
	if _, err := s.c.PutFile(t.Context(), path, file, store.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := ReadAll(t, s.c, path); !bytes.Equal(got, want) {
		t.Error("the file came back different")
	}
}

func (s suite) oddKeys(t *testing.T) {
	for _, name := range []string{"a b", "a+b", "ä/ö ü", "100%", "q?x=y&z", "h#a", "~tilde", "{}[]", "semi;colon", "a=b,c@d!$'()*", "日本"} {
		path := s.put(t, "odd/"+name, []byte(name))
		if got := ReadAll(t, s.c, path); string(got) != name {
			t.Errorf("%q holds %q", path, got)
		}
		if err := s.c.Delete(t.Context(), path); err != nil {
			t.Errorf("delete %q: %v", path, err)
		}
		if _, err := s.c.Stat(t.Context(), path); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%q after its deletion: %v", path, err)
		}
	}
}

func (s suite) notFound(t *testing.T) {
	path := s.prefix + "nothing/here"
	_, _, gerr := s.c.Get(t.Context(), path, 0, -1)
	_, serr := s.c.Stat(t.Context(), path)
	for _, err := range []error{gerr, serr} {
		var e *core.Error
		if !errors.Is(err, store.ErrNotFound) || !errors.As(err, &e) || e.Kind != core.NotFound || e.Where != path || e.Remedy == "" {
			t.Errorf("absent object: %#v", err)
		}
	}
	if err := s.c.Delete(t.Context(), path); err != nil {
		t.Errorf("delete of an absent object: %v", err)
	}
}

func (s suite) ranges(t *testing.T) {
	want := Bytes(3<<20, 3)
	path := s.put(t, "ranges", want)
	for _, r := range [][2]int64{{0, 1}, {0, 3 << 20}, {5, 1000}, {1 << 20, -1}, {3<<20 - 1, 1}, {3<<20 - 1, 100}, {7, 0}} {
		r := store.Range{Off: r[0], Len: r[1]}
		rd, info, err := s.c.Get(t.Context(), path, r.Off, r.Len)
		if err != nil {
			t.Fatalf("%v: %v", r, err)
		}
		got, err := io.ReadAll(rd)
		rd.Close()
		end := int64(len(want))
		if r.Len >= 0 {
			end = min(end, r.Off+r.Len)
		}
		if err != nil || !bytes.Equal(got, want[r.Off:end]) || info.Size != int64(len(want)) {
			t.Errorf("%v: %d bytes, size %d, %v", r, len(got), info.Size, err)
		}
	}
	if _, _, err := s.c.Get(t.Context(), path, 3<<20+1, 10); core.KindOf(err) != core.Invalid {
		t.Errorf("range beyond the end: %v", err)
	}
	s.manyRanges(t, path, want)
}

func (s suite) manyRanges(t *testing.T, path string, want []byte) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		var ranges []store.Range
		var into [][]byte
		for range rnd.IntN(30) {
			off := rnd.Int64N(int64(len(want)))
			n := rnd.Int64N(min(100_000, int64(len(want))-off) + 1)
			ranges, into = append(ranges, store.Range{Off: off, Len: n}), append(into, make([]byte, n))
		}
		if err := s.c.ReadRanges(t.Context(), path, ranges, into); err != nil {
			t.Fatal(err)
		}
		for i, r := range ranges {
			if !bytes.Equal(into[i], want[r.Off:r.Off+r.Len]) {
				t.Fatalf("range %v of %v is wrong", r, ranges)
			}
		}
	}
	err := s.c.ReadRanges(t.Context(), path, []store.Range{{Off: 0, Len: 5}, {Off: int64(len(want)) - 1, Len: 5}}, [][]byte{make([]byte, 5), make([]byte, 5)})
	if core.KindOf(err) != core.Invalid {
		t.Errorf("range over the end: %v", err)
	}
}

// plain hides everything of a reader but Read.
type plain struct{ io.Reader }

func (s suite) unseekable(t *testing.T) {
	for _, n := range []int{0, 10, 5 << 20, 20 << 20} {
		want := Bytes(n, 4)
		for _, size := range []int64{int64(n), -1} {
			path := s.prefix + "unseekable"
			info, err := s.c.Put(t.Context(), path, plain{bytes.NewReader(want)}, size, store.PutOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if got := ReadAll(t, s.c, path); !bytes.Equal(got, want) || info.Size != int64(n) {
				t.Errorf("%d bytes announced as %d came back as %d, size %d", n, size, len(got), info.Size)
			}
		}
	}
}

// sparse is a big body that costs no memory.
type sparse struct{ block []byte }

func (z sparse) ReadAt(p []byte, off int64) (int, error) {
	for n := 0; n < len(p); {
		n += copy(p[n:], z.block[(off+int64(n))%int64(len(z.block)):])
	}
	return len(p), nil
}

func (s suite) multipart(t *testing.T) {
	const size = 130<<20 + 17
	src := sparse{Bytes(1<<20+1, 5)}
	path := s.prefix + "multipart"
	info, err := s.c.Put(t.Context(), path, io.NewSectionReader(src, 0, size), size, store.PutOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if info.Size != size {
		t.Errorf("size %d", info.Size)
	}
	want, got := crc32.NewIEEE(), crc32.NewIEEE()
	io.Copy(want, io.NewSectionReader(src, 0, size))
	r, _, err := s.c.Get(t.Context(), path, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if n, err := io.Copy(got, r); n != size || err != nil || got.Sum32() != want.Sum32() {
		t.Errorf("%d of %d bytes, sum %x for %x, %v", n, size, got.Sum32(), want.Sum32(), err)
	}
	if err := s.c.Delete(t.Context(), path); err != nil {
		t.Error(err)
	}
}

func (s suite) shortSource(t *testing.T) {
	old := s.put(t, "short", []byte("the good old object"))
	for _, size := range []int64{100, 5 << 20} {
		for _, path := range []string{old, s.prefix + "short-new"} {
			_, err := s.c.Put(t.Context(), path, plain{bytes.NewReader(make([]byte, size-1))}, size, store.PutOptions{})
			if core.KindOf(err) != core.Invalid {
				t.Errorf("source of %d for %d bytes: %v", size-1, size, err)
			}
		}
	}
	if got := ReadAll(t, s.c, old); string(got) != "the good old object" {
		t.Errorf("the old object is now %d bytes", len(got))
	}
	if _, err := s.c.Stat(t.Context(), s.prefix+"short-new"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a stump was published: %v", err)
	}
}

// failedUpload breaks uploads off after some of their parts are there.
func (s suite) failedUpload(t *testing.T) {
	for name, body := range map[string]io.Reader{
		"stream": io.MultiReader(bytes.NewReader(Bytes(12<<20, 1)), dying{bytes.NewReader(nil)}),
		"file":   io.NewSectionReader(broken{sparse{Bytes(1000, 1)}, 17 << 20}, 0, 20<<20),
	} {
		size := int64(-1)
		if name == "file" {
			size = 20 << 20
		}
		path := s.prefix + "failed/" + name
		if _, err := s.small.Put(t.Context(), path, body, size, store.PutOptions{}); !errors.Is(err, errDies) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := s.c.Stat(t.Context(), path); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: an object is there: %v", name, err)
		}
	}
	s.noUploads(t, s.prefix+"failed/")
}

// broken cannot be read from byte at on.
type broken struct {
	io.ReaderAt
	at int64
}

func (b broken) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > b.at {
		return 0, errDies
	}
	return b.ReaderAt.ReadAt(p, off)
}

func (s suite) noUploads(t *testing.T, prefix string) {
	t.Helper()
	for u, err := range s.c.Uploads(t.Context(), prefix) {
		t.Errorf("upload %+v, %v", u, err)
	}
}

func (s suite) uploads(t *testing.T) {
	mc := Core(t, s.c.Access())
	prefix, err := store.ParsePrefix(s.prefix + "uploads/")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	for _, key := range []string{"a", "b/c", "b/d"} {
		id, err := mc.NewMultipartUpload(t.Context(), prefix.Bucket, prefix.Key+key, minio.PutObjectOptions{})
		if err != nil {
			t.Fatal(err)
		}
		want[id] = true
	}
	for u, err := range s.c.Uploads(t.Context(), prefix.String()) {
		if err != nil || !want[u.ID] || u.Started.IsZero() {
			t.Errorf("upload %+v, %v", u, err)
		}
		for range 2 { // what is gone already is no error
			if err := s.c.AbortUpload(t.Context(), u); err != nil {
				t.Error(err)
			}
		}
		delete(want, u.ID)
	}
	if len(want) > 0 {
		t.Errorf("%d uploads are not listed", len(want))
	}
	s.noUploads(t, prefix.String())
}

func (s suite) share(t *testing.T) {
	path := s.put(t, "shared object", []byte("for you"))
	link, err := s.c.Share(t.Context(), path, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	get := func(link string) (int, string) {
		resp, err := client.Get(link)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(b)
	}
	if status, body := get(link); status != http.StatusOK || body != "for you" {
		t.Errorf("the link gives %d, %s", status, body)
	}
	if _, err := s.c.Share(t.Context(), s.prefix+"nothing", time.Hour); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a link to nothing: %v", err)
	}
	for _, life := range []time.Duration{0, 8 * 24 * time.Hour} {
		if _, err := s.c.Share(t.Context(), path, life); core.KindOf(err) != core.Invalid {
			t.Errorf("a link for %v: %v", life, err)
		}
	}
}

func (s suite) race(t *testing.T, path string, n, size int) {
	var wins atomic.Int32
	var winner atomic.Int64
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			b := Bytes(size, uint64(i))
			_, err := s.c.Put(t.Context(), path, bytes.NewReader(b), int64(size), store.PutOptions{IfNoneMatch: true})
			switch {
			case err == nil:
				wins.Add(1)
				winner.Store(int64(i))
			case !errors.Is(err, store.ErrExists) || core.KindOf(err) != core.Conflict:
				t.Errorf("racer %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if wins.Load() != 1 {
		t.Fatalf("%d of %d racers won", wins.Load(), n)
	}
	if !bytes.Equal(ReadAll(t, s.c, path), Bytes(size, uint64(winner.Load()))) {
		t.Error("the object is not the winner's")
	}
}

func (s suite) racers(t *testing.T) { s.race(t, s.prefix+"race/single", 32, 10_000) }

func (s suite) racersMultipart(t *testing.T) {
	const size = 6 << 20
	path := s.prefix + "race/multipart"
	var wins atomic.Int32
	var wg sync.WaitGroup
	for i := range 3 {
		wg.Go(func() {
			_, err := s.small.Put(t.Context(), path, plain{bytes.NewReader(Bytes(size, uint64(i)))}, -1, store.PutOptions{IfNoneMatch: true})
			if err == nil {
				wins.Add(1)
			} else if !errors.Is(err, store.ErrExists) {
				t.Errorf("racer %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if wins.Load() != 1 {
		t.Errorf("%d racers won", wins.Load())
	}
}

func (s suite) commit(t *testing.T) {
	path := s.prefix + "commit/_MANIFEST"
	for range 2 {
		if err := s.c.Commit(t.Context(), path, []byte(`{"epoch":1}`)); err != nil {
			t.Fatal(err)
		}
	}
	for _, other := range []string{`{"epoch":2}`, `{"epoch":10}`} {
		if err := s.c.Commit(t.Context(), path, []byte(other)); !errors.Is(err, store.ErrExists) {
			t.Errorf("commit of %s: %v", other, err)
		}
	}
	if got := ReadAll(t, s.c, path); string(got) != `{"epoch":1}` {
		t.Errorf("the manifest is %s", got)
	}
}

func (s suite) overwrite(t *testing.T) {
	const size = 300_000
	versions := map[uint32]bool{}
	for i := range uint64(8) {
		versions[crc32.ChecksumIEEE(Bytes(size, i))] = true
	}
	path := s.put(t, "overwritten", Bytes(size, 0))
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var reads atomic.Int32
	for range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				r, _, err := s.c.Get(t.Context(), path, 0, -1)
				if err != nil {
					t.Error(err)
					return
				}
				b, err := io.ReadAll(r)
				r.Close()
				if err != nil || !versions[crc32.ChecksumIEEE(b)] {
					t.Errorf("torn read: %d bytes, %v", len(b), err)
					return
				}
				reads.Add(1)
			}
		})
	}
	for i := range uint64(40) {
		s.put(t, "overwritten", Bytes(size, i%8))
	}
	stop()
	wg.Wait()
	if reads.Load() == 0 {
		t.Error("nothing was read meanwhile")
	}
}

func (s suite) listPaging(t *testing.T) {
	var want []string
	for i := range 1105 {
		want = append(want, fmt.Sprintf("%slist/%02d/%04d", s.prefix, i/100, i))
	}
	var wg sync.WaitGroup
	next := make(chan string)
	for range 16 {
		wg.Go(func() {
			for path := range next {
				if _, err := s.c.Put(t.Context(), path, bytes.NewReader([]byte("x")), 1, store.PutOptions{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for _, path := range want {
		next <- path
	}
	close(next)
	wg.Wait()
	for _, from := range []int{0, 1, 999, 1000, 1001, 1105} {
		after := ""
		if from > 0 {
			after = want[from-1]
		}
		i := from
		for o, err := range s.c.List(t.Context(), s.prefix+"list/", after) {
			if err != nil {
				t.Fatal(err)
			}
			if i >= len(want) || o.Path != want[i] || o.Size != 1 {
				t.Fatalf("after %q: object %d is %+v", after, i, o)
			}
			i++
		}
		if i != len(want) {
			t.Errorf("after %q: %d objects, want %d", after, i-from, len(want)-from)
		}
	}
	if u, err := s.c.Usage(t.Context(), s.prefix+"list/"); err != nil || u != (store.Usage{Objects: 1105, Bytes: 1105}) {
		t.Errorf("usage %+v, %v", u, err)
	}
}

func (s suite) deletePrefix(t *testing.T) {
	keep := s.put(t, "list-not", []byte("x"))
	n, err := s.c.DeletePrefix(t.Context(), s.prefix+"list/")
	if n != 1105 || err != nil {
		t.Errorf("deleted %d, %v", n, err)
	}
	for o, err := range s.c.List(t.Context(), s.prefix+"list", "") {
		if err != nil || o.Path != keep {
			t.Errorf("left %+v, %v", o, err)
		}
	}
	if n, err := s.c.DeletePrefix(t.Context(), s.prefix+"list/"); n != 0 || err != nil {
		t.Errorf("deleted again: %d, %v", n, err)
	}
}
