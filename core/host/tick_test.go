package host

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/gang"
)

// The scheduler hears of the time when something is due, not before and not
// later, and when what is due has changed.
func TestTick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &Host{sched: gang.New(gang.Config{}), due: make(chan struct{}, 1)}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go h.tick(ctx)
		h.mu.Lock()
		h.step(gang.NodeUp{Now: now().UnixMilli(), Node: core.Node{ID: "a", Capacity: core.Resources{CPU: 8000, Memory: 1 << 30}}})
		for id, wall := range map[gang.ID]time.Duration{"long/main": 90 * time.Minute, "short/main": 10 * time.Millisecond} {
			h.step(gang.Submit{Now: now().UnixMilli(), Request: gang.Request{Gang: id, Size: 1, Walltime: wall.Milliseconds()}})
			g, _ := h.sched.Gang(id)
			h.step(gang.Started{Now: now().UnixMilli(), Gang: id, Lease: g.Lease})
		}
		h.mu.Unlock()
		expect := func(id gang.ID, want string) {
			t.Helper()
			synctest.Wait()
			h.mu.Lock()
			defer h.mu.Unlock()
			if g, _ := h.sched.Gang(id); g.State != want {
				t.Errorf("%s is %s, not %s", id, g.State, want)
			}
		}
		time.Sleep(9 * time.Millisecond) // of the bubble's time
		expect("short/main", "running")
		time.Sleep(time.Millisecond)
		expect("short/main", "expired")
		time.Sleep(90*time.Minute - 11*time.Millisecond)
		expect("long/main", "running")
		time.Sleep(time.Millisecond)
		expect("long/main", "expired")
	})
}

// A host that ends waits until what ended is cleared away.
func TestDrain(t *testing.T) {
	s := newStage(t)
	sweeping, sweep := make(chan struct{}, 2), make(chan struct{})
	s.s.set(func() { s.s.onSweep = func() error { sweeping <- struct{}{}; <-sweep; return nil } })
	other := s.submit(1, 0) // goes on: nobody waits for it
	s.started()
	s.scene()
	id := s.submit(1, 0)
	s.started()
	s.scene().end <- nil
	receive1(t, sweeping, "the sweep")
	s.until(id, "the end", ended)
	if s.h.unswept() == nil {
		t.Error("nothing is left to wait for while a job is being cleared away")
	}
	drained := make(chan struct{})
	go func() { s.h.drain(); close(drained) }()
	close(sweep)
	receive1(t, drained, "the drain")
	if j, _, _ := s.h.Lookup(string(other)); ended(j) || s.count(id, "swept") != 1 {
		t.Errorf("the other job is %s; the swept one has %v", j.State, s.events(id))
	}
}
