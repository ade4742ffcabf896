package gate_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/shuffle/store"
	"github.com/capstan-run/capstan/shuffle/store/gate"
	"github.com/capstan-run/capstan/shuffle/store/storetest"
)

// half sends the head and half of the body of a PUT, returns once the gate has
// taken some of it, and leaves the connection open: an executor frozen amid it.
func half(t *testing.T, g *gate.Gate, access core.StoreAccess, path string, sum storetest.Checksum) net.Conn {
	t.Helper()
	r := storetest.Request(t, access, path, "", storetest.Bytes(4<<20, 1), sum)
	before := g.Stats().BytesIn
	c := storetest.Raw(t, access)
	r.Body = io.NopCloser(io.MultiReader(io.LimitReader(r.Body, r.ContentLength/2), stuck{}))
	if err := r.Write(struct{ io.Writer }{c}); err == nil {
		t.Fatal("the body should be stuck")
	}
	for g.Stats().BytesIn == before {
		if t.Context().Err() != nil {
			t.Fatal("the gate takes nothing")
		}
		runtime.Gosched()
	}
	return c
}

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, errors.New("stuck") }

func TestFence(t *testing.T) {
	s := storetest.Start(t, storetest.Options(t.TempDir()))
	admin := storetest.Open(t, s.Access())
	for _, trust := range []bool{false, true} {
		put(t, admin, "test/job/old", "old")
		g, access := serve(t, gate.Options{Upstream: s.Access(), Prefix: "test/job/", Trust: trust})
		c := storetest.Open(t, access)
		put(t, c, "test/job/before", "b")
		conns := []net.Conn{
			half(t, g, access, "test/job/old", storetest.None),
			half(t, g, access, "test/job/new", storetest.None),
			half(t, g, access, "test/job/new", storetest.Trailer),
		}
		if err := g.Fence(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := storetest.ReadAll(t, admin, "test/job/old"); string(got) != "old" {
			t.Errorf("the old object now has %d bytes", len(got))
		}
		if _, err := admin.Stat(t.Context(), "test/job/new"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the cut object is there: %v", err)
		}
		// Thawed, the executor tries to go on, and to commit.
		for _, conn := range conns {
			conn.Write(make([]byte, 4<<20))
			conn.Close()
		}
		_, gerr := c.Stat(t.Context(), "test/job/before")
		perr := c.Commit(t.Context(), "test/job/_MANIFEST", []byte("{}"))
		lerr := c.Delete(t.Context(), "test/job/before")
		for _, err := range []error{gerr, perr, lerr} {
			if !errors.Is(err, store.ErrFenced) || !errors.Is(err, store.ErrDenied) || core.KindOf(err) != core.Denied {
				t.Errorf("after the fence: %v", err)
			}
		}
		if u, err := admin.Usage(t.Context(), "test/job/"); err != nil || u.Objects != 2 {
			t.Errorf("after all: %+v, %v", u, err)
		}
		if _, err := admin.DeletePrefix(t.Context(), "test/job/"); err != nil {
			t.Fatal(err)
		}
	}
}

// A request the store has in full is waited for, though its client is gone.
func TestFenceWaitsForWhatTheStoreHas(t *testing.T) {
	arrived, answer := make(chan struct{}), make(chan struct{})
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		close(arrived)
		<-answer
	}))
	defer up.Close()
	g, access := serve(t, gate.Options{Upstream: core.StoreAccess{Endpoint: up.URL, AccessKey: "a", SecretKey: "s"}, Prefix: "test/job/"})
	ctx, die := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	c := storetest.Open(t, access)
	go func() {
		_, err := c.Put(ctx, "test/job/a", strings.NewReader("x"), 1, store.PutOptions{})
		gone <- err
	}()
	<-arrived
	die()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Fatalf("put: %v", err)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := g.Fence(over); core.KindOf(err) != core.TimedOut {
		t.Errorf("fence while the store works: %v", err)
	}
	close(answer)
	if err := g.Fence(t.Context()); err != nil {
		t.Errorf("fence after its answer: %v", err)
	}
}

// A reader that takes nothing does not hold up the fence.
func TestFenceCutsReads(t *testing.T) {
	s := storetest.Start(t, storetest.Options(t.TempDir()))
	admin := storetest.Open(t, s.Access())
	put(t, admin, "test/job/big", string(storetest.Bytes(64<<20, 1)))
	for _, root := range []string{"", s.Access().Root} {
		up := s.Access()
		up.Root = root
		g, access := serve(t, gate.Options{Upstream: up, Prefix: "test/job/"})
		c := storetest.Open(t, access)
		r, _, err := c.Get(t.Context(), "test/job/big", 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if _, err := io.ReadFull(r, make([]byte, 10)); err != nil {
			t.Fatal(err)
		}
		if err := g.Fence(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, r); !errors.Is(err, store.ErrFenced) {
			t.Errorf("read on after the fence: %v", err)
		}
	}
}
