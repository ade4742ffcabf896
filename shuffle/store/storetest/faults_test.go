package storetest_test

import (
	"bytes"
	"errors"
	"io"
	"math/bits"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"go.uber.org/goleak"

	"github.com/capstan-run/capstan/shuffle/store"
	"github.com/capstan-run/capstan/shuffle/store/storetest"
)

func TestMain(m *testing.M) {
	storetest.ServeIfChild()
	goleak.VerifyTestMain(m)
}

// once returns a client that tries everything once, behind f, and one beside it.
func once(t *testing.T, f storetest.Fault) (faulty, plain *store.Client) {
	t.Helper()
	s := storetest.Start(t, storetest.Options(t.TempDir()))
	faulty, err := store.Config{Budget: -1}.Open(storetest.Proxy(t, s.Access(), f))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { faulty.Close() })
	return faulty, storetest.Open(t, s.Access())
}

func put(t *testing.T, c *store.Client, path string, b []byte) error {
	t.Helper()
	_, err := c.Put(t.Context(), path, bytes.NewReader(b), int64(len(b)), store.PutOptions{})
	return err
}

func get(t *testing.T, c *store.Client, path string) ([]byte, error) {
	t.Helper()
	r, _, err := c.Get(t.Context(), path, 0, -1)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// TestFaults holds every fault to what it says: what a reader meets, what a
// writer meets, and whether the write happened.
func TestFaults(t *testing.T) {
	body, next := storetest.Bytes(100_000, 1), storetest.Bytes(100_000, 2)
	for _, c := range []struct {
		name    string
		fault   storetest.Fault
		read    error
		write   error
		written bool
		flipped int // bits of what is read
	}{
		{"latency", storetest.Latency(time.Millisecond), nil, nil, true, 0},
		{"slow down", storetest.SlowDown(), store.ErrUnavailable, store.ErrUnavailable, false, 0},
		{"disk full", storetest.DiskFull(), store.ErrFull, store.ErrFull, false, 0},
		{"reset", storetest.Reset(), store.ErrUnavailable, store.ErrUnavailable, false, 0},
		{"lost answer", storetest.LostAnswer(), store.ErrUnavailable, store.ErrUnavailable, true, 0},
		{"flip", storetest.FlipBit(0.5), nil, nil, true, 1},
		{"flip at the end", storetest.FlipBit(1), nil, nil, true, 1},
		{"cut body", storetest.CutBody(0.9), nil, store.ErrUnavailable, false, 0},
		{"flip up", storetest.FlipBodyBit(0.5), nil, store.ErrUnavailable, false, 0},
		{"truncation at once", storetest.Truncate(0), store.ErrUnavailable, nil, true, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			faulty, plain := once(t, c.fault)
			if err := put(t, plain, "test/a", body); err != nil {
				t.Fatal(err)
			}
			got, err := get(t, faulty, "test/a")
			if !errors.Is(err, c.read) {
				t.Errorf("read: %v, want %v", err, c.read)
			}
			if err == nil {
				if n := differ(got, body); n != c.flipped {
					t.Errorf("%d bits differ, want %d", n, c.flipped)
				}
			}
			if err := put(t, faulty, "test/a", next); !errors.Is(err, c.write) {
				t.Errorf("write: %v, want %v", err, c.write)
			}
			want := body
			if c.written {
				want = next
			}
			if !bytes.Equal(storetest.ReadAll(t, plain, "test/a"), want) {
				t.Errorf("written should be %v", c.written)
			}
		})
	}
}

func differ(a, b []byte) (n int) {
	if len(a) != len(b) {
		return -1
	}
	for i := range a {
		n += bits.OnesCount8(a[i] ^ b[i])
	}
	return n
}

// A truncated body is as long as was announced, until it ends.
func TestTruncate(t *testing.T) {
	s := storetest.Start(t, storetest.Options(t.TempDir()))
	if err := put(t, storetest.Open(t, s.Access()), "test/a", storetest.Bytes(100_000, 1)); err != nil {
		t.Fatal(err)
	}
	access := storetest.Proxy(t, s.Access(), storetest.Truncate(0.25))
	mc := storetest.Core(t, access)
	r, info, _, err := mc.GetObject(t.Context(), "test", "a", minio.GetObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if info.Size != 100_000 || len(b) != 25_000 || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%d of %d bytes, %v", len(b), info.Size, err)
	}
}

func TestStaleList(t *testing.T) {
	var lists storetest.Lists
	stale := false
	faulty, plain := once(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			f := lists.Remember()
			if stale {
				f = lists.StaleList()
			}
			f(next).ServeHTTP(w, r)
		})
	})
	count := func() int64 {
		u, err := faulty.Usage(t.Context(), "test/")
		if err != nil {
			t.Fatal(err)
		}
		return u.Objects
	}
	for i, c := range []struct {
		stale bool
		want  int64
	}{{false, 1}, {true, 1}, {false, 3}, {true, 3}} {
		if err := put(t, plain, "test/"+string(rune('a'+i)), []byte("x")); err != nil {
			t.Fatal(err)
		}
		stale = c.stale
		if n := count(); n != c.want {
			t.Errorf("listing %d shows %d objects, want %d", i, n, c.want)
		}
	}
}

// A seed tells what falls on which request, whatever happens beside it.
func TestChaosIsOfItsSeed(t *testing.T) {
	draw := func(seed uint64, order []int) map[string]string {
		fell := map[string]string{}
		var at string
		c := &storetest.Chaos{Seed: seed, Rate: 0.5, Met: func(name string, _ *http.Request) { fell[at] += name + " " }}
		h := c.Decorate(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		for _, i := range order {
			at = "/test/" + string(rune('a'+i))
			r, err := http.NewRequestWithContext(t.Context(), http.MethodHead, "http://x"+at, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			func() {
				defer func() { _ = recover() }() // a reset has no connection here
				h.ServeHTTP(discard{http.Header{}}, r)
			}()
		}
		return fell
	}
	var order []int
	for i := range 100 {
		order = append(order, i%10)
	}
	one := draw(1, order)
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	other, same := draw(2, order), draw(1, order)
	differs := false
	for path, fell := range one {
		if same[path] != fell {
			t.Errorf("%s: %q and %q", path, fell, same[path])
		}
		differs = differs || other[path] != fell
	}
	if len(one) != 10 || !differs {
		t.Errorf("%d paths met faults; another seed differs: %v", len(one), differs)
	}
}

type discard struct{ h http.Header }

func (d discard) Header() http.Header         { return d.h }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}
