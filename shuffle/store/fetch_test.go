package store_test

import (
	"bytes"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/shuffle/store"
	"github.com/capstan-run/capstan/shuffle/store/storetest"
)

// open returns a client of cfg by way of decorate, and one without.
func open(t *testing.T, cfg store.Config, decorate func(http.Handler) http.Handler) (c, plain *store.Client) {
	t.Helper()
	s := storetest.Start(t, storetest.Options(t.TempDir()))
	c, err := cfg.Open(storetest.Proxy(t, s.Access(), decorate))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c, storetest.Open(t, s.Access())
}

// on lets f fall on requests that fit, which it is told the number of, from 1.
func on(fits func(r *http.Request) bool, f func(n int64) storetest.Fault) func(http.Handler) http.Handler {
	var n atomic.Int64
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if fits(r) {
				if fault := f(n.Add(1)); fault != nil {
					fault(next).ServeHTTP(w, r)
					return
				}
			}
			next.ServeHTTP(w, r)
		})
	}
}

func gets(r *http.Request) bool { return r.Method == http.MethodGet && r.URL.RawQuery == "" }

func method(m, query string) func(*http.Request) bool {
	return func(r *http.Request) bool { return r.Method == m && strings.Contains(r.URL.RawQuery, query) }
}

func put(t *testing.T, c *store.Client, path string, b []byte) {
	t.Helper()
	if _, err := c.Put(t.Context(), path, bytes.NewReader(b), int64(len(b)), store.PutOptions{}); err != nil {
		t.Fatal(err)
	}
}

// every splits size bytes into ranges of n bytes.
func every(size, n int) (ranges []store.Range, into [][]byte) {
	for off := 0; off < size; off += n {
		n := min(n, size-off)
		ranges, into = append(ranges, store.Range{Off: int64(off), Len: int64(n)}), append(into, make([]byte, n))
	}
	return ranges, into
}

func TestReadRangesBoundsBytesInFlight(t *testing.T) {
	var now, most atomic.Int64
	hold := make(chan struct{})
	c, plain := open(t, store.Config{InFlight: 32 << 20, Parallel: 8}, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if n := now.Add(1); n > most.Load() {
				most.Store(n)
			}
			if gets(r) { // they go on in pairs: two at once, and a third would be seen
				select {
				case hold <- struct{}{}:
				case <-hold:
				case <-r.Context().Done():
				}
			}
			next.ServeHTTP(w, r)
			now.Add(-1)
		})
	})
	want := storetest.Bytes(96<<20, 1)
	put(t, plain, "test/a", want)
	ranges, into := every(len(want), 100_000)
	if err := c.ReadRanges(t.Context(), "test/a", ranges, into); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(bytes.Join(into, nil), want) {
		t.Error("wrong bytes")
	}
	if n := c.Stats().Gets; n != 6 || most.Load() != 2 {
		t.Errorf("96 MiB in %d GETs, %d at once; want 6 and 2", n, most.Load())
	}
}

func TestReadRangesHedgesWhatHangs(t *testing.T) {
	// A share of all, so that a slow machine's hedges leave some for the hangs.
	c, plain := open(t, store.Config{Hedges: 1}, on(gets, func(n int64) storetest.Fault {
		if n > 60 && n%25 == 0 {
			return storetest.Hang()
		}
		return nil
	}))
	want := storetest.Bytes(1<<20, 1)
	put(t, plain, "test/a", want)
	for i := range 150 {
		ranges, into := []store.Range{{Off: int64(i), Len: 5000}}, [][]byte{make([]byte, 5000)}
		if err := c.ReadRanges(t.Context(), "test/a", ranges, into); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(into[0], want[i:i+5000]) {
			t.Fatalf("read %d is wrong", i)
		}
	}
	if st := c.Stats(); st.HedgesWon < 3 || st.Hedges < st.HedgesWon {
		t.Errorf("%+v", st)
	}
}

func TestSlowDownIsObeyed(t *testing.T) {
	c, plain := open(t, store.Config{}, on(gets, func(n int64) storetest.Fault {
		if n <= 3 {
			return storetest.SlowDown()
		}
		return nil
	}))
	put(t, plain, "test/a", []byte("a"))
	if got := storetest.ReadAll(t, c, "test/a"); string(got) != "a" {
		t.Errorf("%q", got)
	}
	if st := c.Stats(); st.SlowDowns != 3 || st.Retries != 3 {
		t.Errorf("%+v", st)
	}
}

// Answers that always break off before their first byte are a store that is
// away, not an endless loop.
func TestBodiesThatNeverCome(t *testing.T) {
	c, plain := open(t, store.Config{Budget: 300 * time.Millisecond}, on(gets, func(int64) storetest.Fault { return storetest.Truncate(0) }))
	put(t, plain, "test/a", storetest.Bytes(1000, 1))
	into := [][]byte{make([]byte, 10)}
	if err := c.ReadRanges(t.Context(), "test/a", []store.Range{{Off: 5, Len: 10}}, into); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("read ranges: %v", err)
	}
	if _, _, err := c.Get(t.Context(), "test/a", 0, -1); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("get: %v", err)
	}
}

// Half of what is left comes each time, until all is there.
func TestBodiesThatBreakOff(t *testing.T) {
	c, plain := open(t, store.Config{}, on(gets, func(n int64) storetest.Fault {
		if n <= 3 {
			return storetest.Truncate(0.5)
		}
		return nil
	}))
	want := storetest.Bytes(1<<20, 1)
	put(t, plain, "test/a", want)
	if got := storetest.ReadAll(t, c, "test/a"); !bytes.Equal(got, want) {
		t.Errorf("%d bytes, or wrong ones", len(got))
	}
}

func TestReplacedWhileRead(t *testing.T) {
	var plain *store.Client
	first, second := storetest.Bytes(40<<20, 1), storetest.Bytes(40<<20, 2)
	c, plain := open(t, store.Config{Parallel: 1}, on(gets, func(n int64) storetest.Fault {
		if n == 2 {
			put(t, plain, "test/a", second)
		}
		return nil
	}))
	put(t, plain, "test/a", first)
	ranges, into := every(len(first), 1<<20)
	if err := c.ReadRanges(t.Context(), "test/a", ranges, into); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("half of one object, half of another: %v", err)
	}
}

// A server that ignores the Range header answers with other bytes than asked for.
func TestRangesThatAreNotHeeded(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Etag", `"x"`)
		w.Header().Set("Last-Modified", "Mon, 02 Jan 2006 15:04:05 GMT")
		w.Write(make([]byte, 1000))
	}))
	defer srv.Close()
	c := storetest.Open(t, core.StoreAccess{Endpoint: srv.URL, AccessKey: "a", SecretKey: "s"})
	for _, r := range []store.Range{{Off: 0, Len: 10}, {Off: 10, Len: 990}, {Off: 10, Len: -1}} {
		if _, _, err := c.Get(t.Context(), "test/a", r.Off, r.Len); core.KindOf(err) != core.Internal || core.AsError(err).Remedy == "" {
			t.Errorf("%v: %v", r, err)
		}
	}
	r, _, err := c.Get(t.Context(), "test/a", 0, 1000)
	if err != nil {
		t.Fatalf("all of it: %v", err)
	}
	r.Close()
}

// A conditional write whose answer was lost finds its own object and says so;
// it takes nobody else's for its own, though the bytes be the same.
func TestConditionalPutWhoseAnswerIsLost(t *testing.T) {
	for _, c := range []struct {
		name string
		fits func(*http.Request) bool
		size int
	}{
		{"single", method(http.MethodPut, ""), 1000},
		{"multipart", method(http.MethodPost, "uploadId"), 6 << 20},
	} {
		t.Run(c.name, func(t *testing.T) {
			lost := func(n int64) storetest.Fault {
				if n == 1 {
					return storetest.LostAnswer()
				}
				return nil
			}
			cl, plain := open(t, store.Config{Part: 5 << 20}, on(c.fits, lost))
			body := storetest.Bytes(c.size, 1)
			_, err := cl.Put(t.Context(), "test/mine", bytes.NewReader(body), int64(len(body)), store.PutOptions{IfNoneMatch: true})
			if err != nil {
				t.Errorf("its own object: %v", err)
			}
			if got := storetest.ReadAll(t, plain, "test/mine"); !bytes.Equal(got, body) {
				t.Errorf("it holds %d bytes", len(got))
			}
			put(t, plain, "test/theirs", body)
			_, err = cl.Put(t.Context(), "test/theirs", bytes.NewReader(body), int64(len(body)), store.PutOptions{IfNoneMatch: true})
			if !errors.Is(err, store.ErrExists) {
				t.Errorf("somebody else's: %v", err)
			}
			for u, err := range plain.Uploads(t.Context(), "test/") {
				t.Errorf("left: %+v, %v", u, err)
			}
		})
	}
}

// Streams of unknown length keep as many buffers as they may, and no more.
func TestStreamsShareBuffers(t *testing.T) {
	for _, buffers := range []int64{-1, 32 << 20} {
		c, plain := open(t, store.Config{Buffers: buffers}, func(next http.Handler) http.Handler { return next })
		want := storetest.Bytes(70<<20, 1)
		done := make(chan error, 2)
		for _, path := range []string{"test/a", "test/b"} {
			go func() {
				_, err := c.Put(t.Context(), path, io.MultiReader(bytes.NewReader(want)), -1, store.PutOptions{})
				done <- err
			}()
		}
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		for _, path := range []string{"test/a", "test/b"} {
			if got := storetest.ReadAll(t, plain, path); !bytes.Equal(got, want) {
				t.Errorf("%s: %d bytes, or wrong ones", path, len(got))
			}
		}
	}
}

// What no second try can mend is told at once.
func TestUntrustedCertificate(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	defer srv.Close()
	c := storetest.Open(t, core.StoreAccess{Endpoint: srv.URL, AccessKey: "a", SecretKey: "s"})
	if _, err := c.Stat(t.Context(), "test/a"); core.KindOf(err) != core.Denied || core.AsError(err).Remedy == "" {
		t.Errorf("%v", err)
	}
	if st := c.Stats(); st.Retries != 0 || st.Requests() != 1 {
		t.Errorf("%+v", st)
	}
}
