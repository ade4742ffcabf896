package host

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/launch"
)

// stage is a host whose executors, coordinators and store are played by the
// test, so that every step between two others can be stopped at.
type stage struct {
	t   *testing.T
	dir string
	h   *Host
	l   *players
	f   *script
	s   *props

	trouble chan string
	config  []func(*Config)
	early   []string // elements' executors that started before others
}

func newStage(t *testing.T) *stage {
	t.Helper()
	return newStageAt(t, t.TempDir())
}

// newStageAt keeps the host's state in dir, and lets config change what it is
// made of.
func newStageAt(t *testing.T, dir string, config ...func(*Config)) *stage {
	t.Helper()
	before := goleak.IgnoreCurrent()
	s := &stage{t: t, dir: dir, l: newPlayers(), f: &script{runs: make(chan *scene, 20)}, s: new(props), trouble: make(chan string, 1), config: config}
	s.open()
	t.Cleanup(func() {
		s.close()
		goleak.VerifyNone(t, before)
	})
	return s
}

func (s *stage) open() {
	s.t.Helper()
	c := Config{
		StateDir: s.dir, Version: "test", Launcher: s.l, Frameworks: s.f, Store: s.s,
		ExecutorUID: -1, ExecutorGID: -1, Heartbeat: time.Hour, AdoptWithin: time.Hour, Trouble: s.trouble,
	}
	for _, change := range s.config {
		change(&c)
	}
	h, err := Open(s.t.Context(), c)
	if err != nil {
		s.t.Fatal(err)
	}
	s.h = h
}

// close lets the host go as a kill would: it writes nothing.
func (s *stage) close() {
	if s.h == nil {
		return
	}
	if err := s.h.Close(); err != nil {
		s.t.Error(err)
	}
	s.h = nil
}

func (s *stage) submit(size, retries int) core.JobID {
	s.t.Helper()
	return s.submitAt(50, size, retries)
}

// submitAt submits with a priority.
func (s *stage) submitAt(priority, size, retries int) core.JobID {
	s.t.Helper()
	doc := fmt.Sprintf(`
apiVersion: capstan/v1
kind: Play
metadata: {name: play, priority: %d, retries: %d}
gang: {size: %d, cpu: 100m, memory: 1Mi}
spec: {}
`, priority, retries, size)
	id, _, _, err := s.h.Submit(s.t.Context(), []byte(doc), "", "test")
	if err != nil {
		s.t.Fatal(err)
	}
	return id
}

// until waits for a job's document to satisfy ok.
func (s *stage) until(id core.JobID, what string, ok func(core.Job) bool) core.Job {
	s.t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		j, changed, err := s.h.Lookup(string(id))
		if err != nil {
			s.t.Fatal(err)
		}
		if ok(j) {
			return j
		}
		select {
		case <-changed:
		case <-deadline:
			s.t.Fatalf("waited in vain for %s; the job is %s", what, j.State)
		}
	}
}

func ended(j core.Job) bool   { return j.State.Final() }
func running(j core.Job) bool { return j.State == core.Running }

// idle waits until nothing is being cleaned up.
func (s *stage) idle() {
	s.t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); <-tick.C {
		if ok, _ := s.h.Idle(); ok {
			return
		}
	}
	s.t.Fatal("the host does not become idle")
}

// started waits for the next set the launcher is asked to start.
func (s *stage) started() []string {
	s.t.Helper()
	return receive1(s.t, s.l.started, "a start")
}

// scene waits for the next run of a coordinator.
func (s *stage) scene() *scene {
	s.t.Helper()
	return receive1(s.t, s.f.runs, "a coordinator")
}

func receive1[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(20 * time.Second):
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}

// join plays executors that dial in.
func (s *stage) join(id core.JobID, working bool, executors ...string) {
	for rank, ex := range executors {
		(*handler)(s.h).Joined(ex, core.Rank{Job: id, Epoch: 1, Gang: "main", Rank: rank}, working)
	}
}

// events are the kinds of what the journal has of a job.
func (s *stage) events(id core.JobID) []string {
	s.t.Helper()
	list, err := s.h.journal.Events(s.t.Context(), id, 0, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	var kinds []string
	for _, e := range list {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

func (s *stage) count(id core.JobID, kind string) int {
	n := 0
	for _, k := range s.events(id) {
		if k == kind {
			n++
		}
	}
	return n
}

// players is a launcher that starts nothing.
type players struct {
	started chan []string
	exits   chan launch.Exit

	mu      sync.Mutex
	nodes   []core.Node
	running map[string]bool
	places  map[string]core.NodeID // of every executor that was ever started
	onStart func(context.Context) error
}

func newPlayers() *players {
	return &players{
		started: make(chan []string, 50), exits: make(chan launch.Exit), running: map[string]bool{}, places: map[string]core.NodeID{},
		nodes: []core.Node{{ID: "here", Capacity: core.Resources{CPU: 64000, Memory: 1 << 40}}},
	}
}

func (p *players) Name() string { return "players" }

func (p *players) Nodes(context.Context) ([]core.Node, error) {
	return p.nodes, nil
}

func (p *players) Start(ctx context.Context, set []launch.Executor) error {
	var names []string
	p.mu.Lock()
	for _, e := range set {
		p.running[e.ID] = true
		p.places[e.ID] = e.Node
		names = append(names, e.ID)
	}
	hook := p.onStart
	p.mu.Unlock()
	p.started <- names
	if hook == nil {
		return nil
	}
	err := hook(ctx)
	if err != nil {
		p.Stop(ctx, names...)
	}
	return err
}

func (p *players) hook(f func(context.Context) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.onStart = f
}

func (p *players) Stop(_ context.Context, ids ...string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range ids {
		delete(p.running, id)
	}
	return nil
}

func (p *players) List(context.Context) ([]launch.Status, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []launch.Status
	for id := range p.running {
		list = append(list, launch.Status{ID: id, Running: true})
	}
	return list, nil
}

// place is the node on which an executor was started.
func (p *players) place(id string) core.NodeID {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.places[id]
}

// left are the executors nobody stopped.
func (p *players) left() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var ids []string
	for id := range p.running {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

func (p *players) Exits() <-chan launch.Exit           { return p.exits }
func (p *players) Tail(context.Context, string) string { return "" }
func (p *players) Close() error                        { return nil }

// script is a framework whose coordinators do what the test says.
type script struct {
	runs     chan *scene
	onBinary atomic.Pointer[func()]
}

// scene is one run of a coordinator: it lasts until the test, or the host, ends it.
type scene struct {
	core.Host
	attempt *core.Attempt
	end     chan error
}

func (f *script) Kinds() []core.Description {
	return []core.Description{{Kind: "Play", Version: "1", Schema: []byte(`{"type":"object"}`), Commands: []string{"scale", core.VerbDeploy}}}
}

func (f *script) Plan(_ context.Context, j *core.Job) (*core.Plan, error) {
	if strings.Contains(string(j.Spec.Body), "unplannable") {
		return nil, &core.Error{Kind: core.Invalid, What: "no plan", Diagnostics: []core.Diagnostic{{Path: "spec.unplannable", Message: "no plan"}}}
	}
	array := j.Spec.Metadata.Array
	if strings.Contains(string(j.Spec.Body), "deaf") { // as a kind without arrays
		array = ""
	}
	return &core.Plan{Gangs: []core.GangAsk{{Name: "main", Gang: j.Spec.Gang, Array: array}}}, nil
}

func (f *script) Run(ctx context.Context, _ string, a *core.Attempt, h core.Host) (core.Report, error) {
	s := &scene{Host: h, attempt: a, end: make(chan error, 1)}
	f.runs <- s
	select {
	case err := <-s.end:
		return core.Report{}, err
	case <-ctx.Done():
		return core.Report{}, ctx.Err()
	}
}

func (f *script) Binary(string) (string, string, error) {
	if hook := f.onBinary.Load(); hook != nil {
		(*hook)()
	}
	return "", "", nil
}

func (f *script) Plugins(context.Context, bool, string) ([]PluginInfo, error) {
	return nil, nil
}

// want asks for the job's gang.
func (s *scene) want(t *testing.T) {
	t.Helper()
	spec := s.attempt.Job.Spec
	if err := s.WantGang(core.GangAsk{Name: "main", Gang: spec.Gang, Array: spec.Metadata.Array}); err != nil {
		t.Fatal(err)
	}
}

// next waits for the next event.
func (s *scene) next(t *testing.T) core.Event {
	t.Helper()
	return receive1(t, s.Events(), "an event")
}

// props is a store that keeps nothing.
type props struct {
	mu             sync.Mutex
	opened, fenced int
	onDoor         func()
	onSweep        func() error
}

func (p *props) set(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

func (p *props) Door(context.Context, string, []core.StoreGrant) (Door, error) {
	p.mu.Lock()
	p.opened++
	hook := p.onDoor
	p.mu.Unlock()
	if hook != nil {
		hook()
	}
	return &prop{p: p}, nil
}

func (p *props) Sweep(context.Context, string) error {
	p.mu.Lock()
	hook := p.onSweep
	p.mu.Unlock()
	if hook != nil {
		return hook()
	}
	return nil
}

func (p *props) Admin() core.StoreAccess { return core.StoreAccess{} }

// prop is a door; closing one fences it, as the gate's does.
type prop struct {
	p    *props
	once sync.Once
}

func (*prop) Serve(net.Listener)       {}
func (*prop) Access() core.StoreAccess { return core.StoreAccess{} }
func (d *prop) Fence()                 { d.once.Do(func() { d.p.set(func() { d.p.fenced++ }) }) }
func (d *prop) Close()                 { d.Fence() }
