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
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/shuffle/store"
)

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

func (s suite) ifNoneMatch(t *testing.T) { s.onlyOnce(t, s.prefix+"once/single", 10_000) }

func (s suite) ifNoneMatchMultipart(t *testing.T) { s.onlyOnce(t, s.prefix+"once/multipart", 6<<20) }

func (s suite) onlyOnce(t *testing.T, path string, size int) {
	first := Bytes(size, 1)
	for i, b := range [][]byte{first, first, Bytes(size, 2)} {
		_, err := s.small.Put(t.Context(), path, bytes.NewReader(b), int64(size), store.PutOptions{IfNoneMatch: true})
		if i == 0 && err != nil || i > 0 && !errors.Is(err, store.ErrExists) {
			t.Errorf("conditional put %d: %v", i, err)
		}
	}
	if !bytes.Equal(ReadAll(t, s.c, path), first) {
		t.Error("the object is not the first one's")
	}
	s.noUploads(t, path)
	if err := s.c.Delete(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	if _, err := s.small.Put(t.Context(), path, bytes.NewReader(first), int64(size), store.PutOptions{IfNoneMatch: true}); err != nil {
		t.Errorf("after its deletion: %v", err)
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
