package gate_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/shuffle/store"
	"github.com/capstan-run/capstan/shuffle/store/gate"
	"github.com/capstan-run/capstan/shuffle/store/storetest"
)

func TestGrantsExpire(t *testing.T) {
	s := storetest.Start(t, storetest.Options(t.TempDir()))
	var late atomic.Int64 // how far the gate's clock is ahead
	start := time.Now()
	for _, trust := range []bool{false, true} {
		late.Store(0)
		g, access := serve(t, gate.Options{
			Upstream: s.Access(), Prefix: "test/job/", Trust: trust, Expires: start.Add(10 * time.Minute),
			Now: func() time.Time { return start.Add(time.Duration(late.Load())) },
		})
		c := storetest.Open(t, access)
		body := string(storetest.Bytes(8<<20, 1))
		put(t, c, "test/job/a", body)
		r, _, err := c.Get(t.Context(), "test/job/a", 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()

		late.Store(int64(10 * time.Minute))
		tries := map[string]error{}
		_, tries["read"] = c.Stat(t.Context(), "test/job/a")
		_, tries["write"] = c.Put(t.Context(), "test/job/b", strings.NewReader("b"), 1, store.PutOptions{})
		_, tries["list"] = c.Usage(t.Context(), "test/job/")
		tries["delete"] = c.Delete(t.Context(), "test/job/a")
		for name, err := range tries {
			if !errors.Is(err, store.ErrExpired) || !errors.Is(err, store.ErrDenied) || core.KindOf(err) != core.Denied || core.AsError(err).Remedy == "" {
				t.Errorf("trust %v, %s after the end: %v", trust, name, err)
			}
		}

		if got, err := io.ReadAll(r); err != nil || string(got) != body {
			t.Errorf("trust %v: the read that was under way: %d bytes, %v", trust, len(got), err)
		}
		g.Extend(start.Add(11 * time.Minute))
		put(t, c, "test/job/b", "b")
		late.Store(int64(12 * time.Minute))
		if _, err := c.Stat(t.Context(), "test/job/b"); !errors.Is(err, store.ErrExpired) {
			t.Errorf("after the new end: %v", err)
		}
		g.Extend(time.Time{})
		if got := storetest.ReadAll(t, c, "test/job/b"); string(got) != "b" {
			t.Errorf("without an end: %q", got)
		}
		if err := g.Fence(t.Context()); err != nil {
			t.Fatal(err)
		}
		g.Extend(start.Add(time.Hour))
		if _, err := c.Stat(t.Context(), "test/job/b"); !errors.Is(err, store.ErrFenced) {
			t.Errorf("extended after the fence: %v", err)
		}
	}
}

// Vouched for, grants last as long as the one who vouches, and one life more.
func TestVouch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, err := gate.New(gate.Options{Upstream: core.StoreAccess{Endpoint: "http://127.0.0.1:1"}, Prefix: "test/job/", Trust: true, Expires: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		// What lies outside the grants is refused for that only while they last.
		lasts := func() bool {
			w := httptest.NewRecorder()
			g.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://gate/test/elsewhere", http.NoBody))
			switch body := w.Body.String(); {
			case strings.Contains(body, store.CodeExpired):
				return false
			case strings.Contains(body, "AccessDenied"):
				return true
			default:
				t.Fatalf("%d %s", w.Code, body)
				return false
			}
		}
		if lasts() {
			t.Error("expired from the start")
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			g.Vouch(ctx, time.Minute)
			close(done)
		}()
		for range 500 {
			synctest.Wait()
			if !lasts() {
				t.Fatal("expired while vouched for")
			}
			time.Sleep(7 * time.Second)
		}
		stop()
		<-done
		if !lasts() {
			t.Error("requests of the last moment are refused")
		}
		time.Sleep(time.Minute)
		if lasts() {
			t.Error("nobody vouches, and the grants last")
		}
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
}
