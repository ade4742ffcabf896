package pool_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/launch"
	"github.com/capstan-run/capstan/core/launch/docker"
	"github.com/capstan-run/capstan/core/launch/launchtest"
	"github.com/capstan-run/capstan/core/launch/pool"
	"github.com/capstan-run/capstan/core/launch/process"
)

func TestMain(m *testing.M) {
	launchtest.Main()
	goleak.VerifyTestMain(m)
}

// engine is a launcher in memory and the host of its executors: each joins at
// once.
type engine struct {
	launch.Launcher // the methods a pool does not use
	pool            *pool.Pool

	mu      sync.Mutex
	made    int
	running map[string]bool
	dirs    map[string]bool
	fail    error
	silent  bool          // executors do not join
	hold    chan struct{} // Start waits for it
}

func newEngine() *engine {
	return &engine{running: map[string]bool{}, dirs: map[string]bool{}}
}

func (e *engine) Furnish(_ context.Context, s pool.Shape, n int) (pool.Set, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.made++
	set := pool.Set{Dir: fmt.Sprintf("dir%d", e.made)}
	e.dirs[set.Dir] = true
	for i := range n {
		set.Executors = append(set.Executors, launch.Executor{ID: fmt.Sprintf("%s%d.%d", s.Image, e.made, i)})
	}
	return set, nil
}

func (e *engine) Discard(s pool.Set) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.dirs, s.Dir)
}

func (e *engine) Start(ctx context.Context, set []launch.Executor) error {
	if e.hold != nil {
		<-e.hold
	}
	e.mu.Lock()
	if e.fail != nil {
		defer e.mu.Unlock()
		return e.fail
	}
	for i := range set {
		e.running[set[i].ID] = true
	}
	e.mu.Unlock()
	if !e.silent {
		for i := range set {
			e.pool.Joined(set[i].ID)
		}
	}
	return nil
}

func (e *engine) Stop(_ context.Context, ids ...string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, id := range ids {
		delete(e.running, id)
	}
	return nil
}

// state is how much runs and how many directories there are.
func (e *engine) state() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return fmt.Sprintf("%d running in %d", len(e.running), len(e.dirs))
}

// open makes a pool on e within a synctest bubble.
func open(t *testing.T, e *engine, cfg pool.Config) *pool.Pool {
	t.Helper()
	cfg.Launcher, cfg.Host = e, e
	p, err := pool.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	e.pool = p
	return p
}

func expect(t *testing.T, e *engine, want string) {
	t.Helper()
	synctest.Wait()
	if got := e.state(); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestTakeAndRefill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine()
		p := open(t, e, pool.Config{RefillAfter: time.Second})
		a := pool.Shape{Image: "a"}
		if _, ok := p.Take(a, 3); ok {
			t.Error("took from an empty pool")
		}
		expect(t, e, "0 running in 0")
		time.Sleep(time.Second) // in the bubble: the pause before the refill
		expect(t, e, "3 running in 1")
		if got := p.Standing()[""]; got != (pool.Stand{Ready: 3, Wanted: 3}) {
			t.Errorf("standing %+v", got)
		}

		set, ok := p.Take(a, 2)
		if !ok || len(set.Executors) != 2 || set.Dir == "" {
			t.Fatalf("took %+v, %v", set, ok)
		}
		if got := p.Standing()[""]; got != (pool.Stand{Ready: 0, Wanted: 2}) {
			t.Errorf("standing %+v once they are taken", got)
		}
		expect(t, e, "2 running in 1") // the surplus is stopped, the directory stays
		time.Sleep(time.Second)
		expect(t, e, "4 running in 2")
		again, ok := p.Take(a, 2)
		if !ok || again.Executors[0].ID == set.Executors[0].ID {
			t.Errorf("took %+v, %v", again, ok)
		}
		p.Close()
		expect(t, e, "4 running in 2") // what was taken is not the pool's
		if _, ok := p.Take(a, 2); ok {
			t.Error("took from a closed pool")
		}
	})
}

func TestUnusedShapeGoesCold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine()
		p := open(t, e, pool.Config{TTL: time.Minute})
		defer p.Close()
		p.Warm(pool.Shape{Image: "a"}, 4)
		expect(t, e, "4 running in 1")
		time.Sleep(time.Minute)
		expect(t, e, "0 running in 0")
	})
}

func TestLostMemberCostsItsSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine()
		p := open(t, e, pool.Config{})
		defer p.Close()
		p.Warm(pool.Shape{Image: "a"}, 2)
		expect(t, e, "2 running in 1")
		p.Lost("a1.1")
		p.Lost("somebody else's")
		expect(t, e, "0 running in 0")
		if _, ok := p.Take(pool.Shape{Image: "a"}, 2); ok {
			t.Error("took a set with a lost member")
		}
		time.Sleep(2 * time.Second)
		expect(t, e, "2 running in 1")
	})
}

func TestStartsThatFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine()
		e.fail = core.Errorf(core.Internal, "no")
		p := open(t, e, pool.Config{TTL: 24 * time.Hour})
		defer p.Close()
		p.Warm(pool.Shape{Image: "a"}, 2)
		time.Sleep(time.Hour)
		expect(t, e, "0 running in 0")
		if e.made != 5 {
			t.Errorf("%d tries", e.made)
		}
	})
}

func TestSilentSetIsDiscarded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine()
		e.silent = true
		p := open(t, e, pool.Config{JoinWithin: 10 * time.Second})
		defer p.Close()
		p.Warm(pool.Shape{Image: "a"}, 2)
		expect(t, e, "2 running in 1")
		if _, ok := p.Take(pool.Shape{Image: "a"}, 2); ok {
			t.Error("took a set that has not joined")
		}
		time.Sleep(10 * time.Second)
		expect(t, e, "0 running in 0")
	})
}

// Close during a start waits for it and takes it back.
func TestCloseWhileStarting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine()
		e.hold = make(chan struct{})
		p := open(t, e, pool.Config{})
		p.Warm(pool.Shape{Image: "a"}, 2)
		synctest.Wait()
		closed := make(chan struct{})
		go func() { p.Close(); close(closed) }()
		synctest.Wait()
		select {
		case <-closed:
			t.Error("Close did not wait")
		default:
		}
		close(e.hold)
		<-closed
		expect(t, e, "0 running in 0")
	})
}

// agents is a host whose executors are real.
type agents struct {
	t    *testing.T
	l    launch.Launcher
	pool *pool.Pool

	mu    sync.Mutex
	made  int
	gangs map[string]*launchtest.Gang
	work  sync.WaitGroup
	ready chan string // the directory of each set whose members have all joined
}

func (a *agents) Furnish(context.Context, pool.Shape, int) (pool.Set, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.made++
	g := launchtest.NewGang(a.t, a.l)
	a.gangs[g.Shared] = g
	set := pool.Set{Dir: g.Shared, Executors: g.Executors(fmt.Sprintf("warm%d.", a.made), 3)}
	a.work.Go(func() {
		for _, e := range set.Executors {
			g.Agent(e.ID)
			a.pool.Joined(e.ID)
		}
		a.ready <- set.Dir
	})
	return set, nil
}

func (a *agents) Discard(s pool.Set) {
	if s.Dir != "" {
		os.RemoveAll(s.Dir)
	}
}

// The pool with real executors: warm, taken, answering, refilled, gone.
func TestProcesses(t *testing.T) {
	l, err := process.New(t.Context(), process.Config{StateDir: t.TempDir(), Instance: launchtest.Instance()})
	if err != nil {
		t.Fatal(err)
	}
	testReal(t, l)
}

func TestContainers(t *testing.T) {
	l, err := docker.New(t.Context(), docker.Config{StateDir: t.TempDir(), Instance: launchtest.Instance()})
	if errors.Is(err, launch.ErrNoEngine) && os.Getenv("CAPSTAN_REQUIRE_DOCKER") != "1" {
		t.Skipf("NOT TESTED: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	testReal(t, l)
}

func testReal(t *testing.T, l launch.Launcher) {
	defer l.Close()
	a := &agents{t: t, l: l, gangs: map[string]*launchtest.Gang{}, ready: make(chan string, 4)}
	p, err := pool.New(t.Context(), pool.Config{Launcher: l, Host: a, RefillAfter: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	a.pool = p
	shape := pool.Shape{Image: ""}
	p.Warm(shape, 3)
	<-a.ready
	var set pool.Set
	for ok := false; !ok; runtime.Gosched() { // its start may return after the last has joined
		set, ok = p.Take(shape, 3)
	}
	<-a.ready // the refill
	for _, e := range set.Executors {
		if _, err := a.gangs[set.Dir].Agent(e.ID).Do("stat", "/"); err != nil {
			t.Error(err)
		}
	}
	p.Close()
	a.work.Wait()
	list, err := l.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var running, taken []string
	for _, s := range list {
		running = append(running, s.ID)
	}
	for _, e := range set.Executors {
		taken = append(taken, e.ID)
	}
	slices.Sort(running)
	if !slices.Equal(running, taken) {
		t.Errorf("after Close %v run, taken were %v", running, taken)
	}
	if err := l.Stop(t.Context(), taken...); err != nil {
		t.Error(err)
	}
}
