package host

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/launch"
)

// Every executor of a gang dies before it is up: the first death revokes the
// lease, and the others must not be counted against the next one.
func TestAllDieWhileStarting(t *testing.T) {
	s := newStage(t)
	id := s.submit(16, 0)
	for range 3 {
		for _, ex := range s.started() {
			(*handler)(s.h).Ended(ex, core.Errorf(core.Failed, "no such luck"), 0)
		}
	}
	j := s.until(id, "the end", ended)
	if j.State != core.FailedJob {
		t.Errorf("got %s, %+v", j.State, j.Outcome)
	}
	s.nothingLeft()
	// The journal tells it in the order in which it was; only the losses of one
	// lease have none among themselves.
	story := slices.DeleteFunc(s.events(id), func(kind string) bool { return kind == "executor-lost" })
	want := []string{"submitted", "granted", "revoked", "granted", "revoked", "granted", "revoked", "ended", "swept"}
	if i := slices.Index(story, "ended"); i > 0 && story[i-1] == "granted" {
		want[6], want[7] = want[7], want[6] // the last is the end's own
	}
	if !slices.Equal(story, want) {
		t.Errorf("the story is %v, want %v", story, want)
	}
}

// The host goes away in the middle of a start, and comes back.
func TestRestartWhileLaunching(t *testing.T) {
	s := newStage(t)
	s.l.hook(func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
	id := s.submit(2, 0)
	first := s.started()
	s.close()
	s.l.hook(nil)
	s.open()
	second := s.started()
	if slices.Equal(first, second) {
		t.Errorf("a new lease has the old one's names: %v", second)
	}
	s.join(id, false, second...)
	s.until(id, "running", running)
	c := s.scene()
	for c.attempt.Generation < 2 {
		c = s.scene()
	}
	c.end <- nil
	s.until(id, "the end", ended)
	s.nothingLeft()
}

// An executor that ends between the pool and its gang is noticed by one of them:
// the job starts cold. Were it by none, the gang would wait for a dead member.
func TestWarmExecutorEndsOnItsWay(t *testing.T) {
	s := newStageAt(t, t.TempDir(), func(c *Config) { c.Warm = 1 })
	// startedBoth waits for a gang to start cold, and for the pool's next.
	startedBoth := func() (warm string) {
		t.Helper()
		ids := []string{s.started()[0], s.started()[0]}
		slices.Sort(ids)
		if strings.HasPrefix(ids[0], "warm.") || !strings.HasPrefix(ids[1], "warm.") {
			t.Fatalf("started are %v", ids)
		}
		return ids[1]
	}
	first := s.submit(1, 0)
	warm := startedBoth()
	s.scene().end <- nil
	s.until(first, "the end", ended)
	for range 3 {
		s.h.server.Forget(warm)
		s.h.server.Restore(warm, core.Rank{}) // as if it had dialled in
		(*handler)(s.h).Joined(warm, core.Rank{}, false)
		gone, x := make(chan struct{}), launch.Exit{ID: warm, Reason: "killed"}
		s.f.onBinary.Store(new(sync.OnceFunc(func() { // just before the pool is asked
			go func() { s.h.executorExited(x); close(gone) }()
		})))
		id := s.submit(1, 0)
		warm = startedBoth()
		receive1(t, gone, "the end of the warm one")
		s.scene().end <- nil
		s.until(id, "the end", ended)
		s.idle()
	}
	s.h.pool.close()
	s.nothingLeft()
}

// What went wrong on a node is tried on another, whether the launcher says so
// or an executor ends.
func TestStartElsewhere(t *testing.T) {
	s := newStage(t)
	s.close()
	s.l.nodes = nil
	for _, name := range []core.NodeID{"a", "b", "c", "d"} {
		s.l.nodes = append(s.l.nodes, core.Node{ID: name, Capacity: core.Resources{CPU: 64000, Memory: 1 << 40}})
	}
	s.open()
	broken := func(names []string) error {
		return core.Errorf(core.Internal, "the engine did not create").At("executor " + names[1] + " on node " + string(s.l.place(names[1])))
	}
	tried := map[core.NodeID]bool{}
	elsewhere := func(names []string) {
		t.Helper()
		for _, id := range names {
			tried[s.l.place(id)] = true
		}
	}
	starting := make(chan []string, 1)
	s.l.hook(func(context.Context) error { return broken(<-starting) })
	id := s.submit(2, 0)
	first := s.started()
	elsewhere(first)
	s.l.hook(nil)
	starting <- first
	second := s.started()
	elsewhere(second)
	s.l.exits <- launch.Exit{ID: second[0], Code: 3, Reason: "exit status 3"}
	third := s.started()
	elsewhere(third)
	if len(tried) != 3 {
		t.Errorf("three starts were tried on %v", tried)
	}
	s.join(id, false, third...)
	s.until(id, "running", running)
	s.scene().end <- nil
	s.until(id, "the end", ended)
	s.nothingLeft()
}

// A member that ends while its gang starts is noticed when the engine says so.
func TestMemberEndsWhileStarting(t *testing.T) {
	s := newStage(t)
	id := s.submit(3, 0)
	first := s.started()
	s.l.exits <- launch.Exit{ID: first[1], Code: 3, Reason: "exit status 3"}
	second := s.started()
	s.join(id, false, second...)
	s.until(id, "running", running)
	s.scene().end <- nil
	s.until(id, "the end", ended)
	s.nothingLeft()
	if n := s.count(id, "revoked"); n != 1 {
		t.Errorf("%d starts were revoked: %v", n, s.events(id))
	}
}
