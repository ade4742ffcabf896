package launchtest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/launch"
)

// A gang of four starts, is listed with its labels, and is gone after Stop.
func testGang(t *testing.T, f *fixture) {
	nodes, err := f.l.Nodes(t.Context())
	if err != nil || len(nodes) == 0 || nodes[0].ID == "" || nodes[0].Capacity.CPU < 1000 || nodes[0].Capacity.Memory < 64<<20 {
		t.Fatalf("Nodes: %+v, %v", nodes, err)
	}
	g := NewGang(t, f.l)
	set := g.Executors("r", 4)
	for i := range set {
		set[i].Node = nodes[0].ID
	}
	start(t, f.l, set...)
	for _, e := range set {
		g.Agent(e.ID)
	}
	list := f.list(t)
	if len(list) != 4 {
		t.Errorf("List shows %d executors", len(list))
	}
	for _, e := range set {
		s := list[e.ID]
		if !s.Running || s.Started.IsZero() {
			t.Errorf("%s: %+v", e.ID, s)
		}
		if diff := cmp.Diff(e.Labels, s.Labels); diff != "" {
			t.Errorf("%s: labels (-want +got):\n%s", e.ID, diff)
		}
	}
	if err := f.l.Start(t.Context(), set[:1]); core.KindOf(err) != core.Conflict {
		t.Errorf("start of an id in use: %v", err)
	}
	stop(t, f.l, set...)
	for _, e := range set {
		g.Agent(e.ID).Gone()
	}
	f.nothing(t)
}

// An executor that cannot start takes those beside it back.
func testAllOrNone(t *testing.T, f *fixture) {
	g := NewGang(t, f.l)
	set := g.Executors("r", 4)
	f.Obstruct(t, f.stateDir, set[2].ID)
	err := f.l.Start(t.Context(), set)
	var known *core.Error
	if !errors.As(err, &known) {
		t.Fatalf("start: %v", err)
	}
	if !strings.Contains(known.Where, "r2") || known.Remedy == "" {
		t.Errorf("the error does not name the executor and the remedy: %v (%s)", known, known.Remedy)
	}
	f.nothing(t)
	// The ids are free again.
	start(t, f.l, set...)
	stop(t, f.l, set...)
	f.nothing(t)
}

// A binary that is no program is a fault of Start or an end at once: engines
// differ in who finds out.
func testNoProgram(t *testing.T, f *fixture) {
	g := NewGang(t, f.l)
	e := g.Executor("r0")
	e.Binary = filepath.Join(t.TempDir(), "init")
	if err := os.WriteFile(e.Binary, []byte("\x00no program"), 0o755); err != nil {
		t.Fatal(err)
	}
	if f.l.Start(t.Context(), []launch.Executor{e}) == nil {
		if x := Await(t, f.l); x.ID != e.ID || x.Code == 0 {
			t.Errorf("end: %+v", x)
		}
	}
	stop(t, f.l, e)
	f.nothing(t)
}

// What could not work is refused before anything is made.
func testRefused(t *testing.T, f *fixture) {
	g := NewGang(t, f.l)
	for name, spoil := range map[string]func(*launch.Executor){
		"missing read-only path":   func(e *launch.Executor) { e.ReadOnly = []string{"/no/such/path"} },
		"relative read-only path":  func(e *launch.Executor) { e.ReadOnly = []string{"data"} },
		"missing file":             func(e *launch.Executor) { e.Files = map[string]string{"a": "/no/such/file"} },
		"file name with separator": func(e *launch.Executor) { e.Files = map[string]string{"../a": g.Shared} },
		"missing shared directory": func(e *launch.Executor) { e.Shared = "/no/such/gang" },
		"bootstrap elsewhere":      func(e *launch.Executor) { e.Bootstrap = "../boot" },
		"id that is a path":        func(e *launch.Executor) { e.ID = "../r1" },
		"empty id":                 func(e *launch.Executor) { e.ID = "" },
		"another node":             func(e *launch.Executor) { e.Node = "elsewhere" },
		"missing binary":           func(e *launch.Executor) { e.Binary = "/no/such/binary" },
		"image of nobody":          func(e *launch.Executor) { e.Image = "capstan.invalid/none:1" },
	} {
		set := []launch.Executor{g.Executor("r0"), g.Executor("r1")}
		spoil(&set[1])
		err := f.l.Start(t.Context(), set)
		var known *core.Error
		if !errors.As(err, &known) {
			t.Errorf("%s: start: %v", name, err)
		}
		f.nothing(t)
	}
	if err := f.l.Stop(t.Context(), "..", "../..", "a/b", "unknown"); err != nil {
		t.Errorf("stop of unknown ids: %v", err)
	}
	if _, err := os.Stat(f.stateDir); err != nil {
		t.Error(err)
	}
}

// A Start whose caller has left leaves nothing.
func testGivenUp(t *testing.T, f *fixture) {
	g := NewGang(t, f.l)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.l.Start(ctx, g.Executors("r", 2)); err == nil {
		t.Error("start with a cancelled context succeeded")
	}
	f.nothing(t)
}

// Stop during Start: whoever is first, nothing is left.
func testStoppedWhileStarting(t *testing.T, f *fixture) {
	g := NewGang(t, f.l)
	for range 5 {
		set := g.Executors("r", 3)
		var starting sync.WaitGroup
		starting.Go(func() {
			if f.l.Start(t.Context(), set) == nil {
				stop(t, f.l, set...) // Stop came too early to see it
			}
		})
		stop(t, f.l, set[1])
		starting.Wait()
		f.nothing(t)
	}
}

func testExitCode(t *testing.T, f *fixture) {
	g := NewGang(t, f.l)
	set := g.Executors("r", 2)
	start(t, f.l, set...)
	g.Agent("r0").Last("exit", "3", "the last words")
	want := launch.Exit{ID: "r0", Code: 3, Reason: "exit status 3"}
	if diff := cmp.Diff(want, Await(t, f.l)); diff != "" {
		t.Errorf("end (-want +got):\n%s", diff)
	}
	if tail := f.l.Tail(t.Context(), "r0"); !strings.Contains(tail, "the last words") {
		t.Errorf("tail: %q", tail)
	}
	list := f.list(t)
	if s := list["r0"]; s.Running || !cmp.Equal(s.Exit, want) {
		t.Errorf("List shows %+v", s)
	}
	if !list["r1"].Running {
		t.Errorf("its neighbour: %+v", list["r1"])
	}
	stop(t, f.l, set...)
	f.nothing(t)
}

// An executor that dies at once is an end, not a fault of Start.
func testDiedAtOnce(t *testing.T, f *fixture) {
	g := NewGang(t, f.l)
	e := g.Executor("r0")
	e.Init = []string{exitArg, "7"}
	start(t, f.l, e)
	if x := Await(t, f.l); x.ID != "r0" || x.Code != 7 {
		t.Errorf("end: %+v", x)
	}
}

// Each of many simultaneous ends is delivered once.
func testManyEnds(t *testing.T, f *fixture) {
	g := NewGang(t, f.l)
	set := g.Executors("r", 6)
	start(t, f.l, set...)
	var ending sync.WaitGroup
	for _, e := range set {
		a := g.Agent(e.ID)
		ending.Go(func() { a.enc.Encode(command{"exit", []string{"0"}}) })
	}
	ending.Wait()
	seen := map[string]bool{}
	for range set {
		x := Await(t, f.l)
		if seen[x.ID] || x.Code != 0 {
			t.Errorf("end: %+v (seen before: %v)", x, seen[x.ID])
		}
		seen[x.ID] = true
	}
	if len(seen) != len(set) {
		t.Errorf("ends of %v", seen)
	}
}

func testKilled(t *testing.T, f *fixture) {
	g := NewGang(t, f.l)
	start(t, f.l, g.Executors("r", 2)...)
	a := g.Agent("r1")
	f.Kill(t, f.instance, a)
	want := launch.Exit{ID: "r1", Code: 137, Reason: "killed by signal 9"}
	if diff := cmp.Diff(want, Await(t, f.l)); diff != "" {
		t.Errorf("end (-want +got):\n%s", diff)
	}
}

// What an executor started dies with it: by its end and by Stop, also in a
// session of its own.
func testChildren(t *testing.T, f *fixture) {
	g := NewGang(t, f.l)
	set := g.Executors("r", 2)
	start(t, f.l, set...)
	for i, session := range []string{"", "own session"} {
		if _, err := g.Agent(set[i].ID).Do("child", session); err != nil {
			t.Fatal(err)
		}
	}
	first, second := g.Agent("child of r0"), g.Agent("child of r1")
	g.Agent("r0").Last("exit", "0")
	first.Gone()
	Await(t, f.l)
	stop(t, f.l, set...)
	second.Gone()
	f.nothing(t)
}

// A launcher that comes back finds its own, running and ended, and hears of
// later ends.
func testReopened(t *testing.T, f *fixture) {
	g := NewGang(t, f.l)
	set := g.Executors("r", 4)
	if err := f.l.Start(t.Context(), set); err != nil {
		t.Fatal(err)
	}
	g.Agent("r0").Last("exit", "4")
	Await(t, f.l)
	closeOnce(t, f.l)
	if _, open := <-f.l.Exits(); open {
		t.Error("Exits delivers after Close")
	}
	g.Agent("r1").Last("exit", "5") // nobody watches
	f.reopen(t)

	list := f.list(t)
	if len(list) != 4 {
		t.Errorf("List shows %v", list)
	}
	if list["r1"].Running { // the engine had not noticed: then it is heard of
		if x := Await(t, f.l); x.ID != "r1" || x.Code != 5 {
			t.Errorf("end while nobody watched: %+v", x)
		}
	}
	for i := range set {
		s := list[set[i].ID]
		if want := i >= 2; s.Running != want && i != 1 {
			t.Errorf("%s running: %v", set[i].ID, s.Running)
		}
		if diff := cmp.Diff(set[i].Labels, s.Labels); diff != "" {
			t.Errorf("%s: labels (-want +got):\n%s", set[i].ID, diff)
		}
	}
	if x := list["r0"].Exit; x.Code != 4 {
		t.Errorf("the end before Close: %+v", x)
	}
	if _, err := g.Agent("r2").Do("stat", "/"); err != nil { // alive and well
		t.Error(err)
	}
	g.Agent("r2").Last("exit", "6")
	x := Await(t, f.l)
	if x.ID == "r1" { // noticed between the adoption and the list
		x = Await(t, f.l)
	}
	if x.ID != "r2" || x.Code != 6 && x.Code != -1 {
		t.Errorf("end of an adopted executor: %+v", x)
	}
	stop(t, f.l, set...)
	g.Agent("r3").Gone()
	f.nothing(t)
}

// Tail is the end of the output, bounded, however much there was.
func testTail(t *testing.T, f *fixture) {
	g := NewGang(t, f.l)
	start(t, f.l, g.Executor("r0"))
	a := g.Agent("r0")
	if _, err := a.Do("print", "3000", "after 3 MB"); err != nil {
		t.Fatal(err)
	}
	a.Last("exit", "1", "gone")
	Await(t, f.l)
	tail := f.l.Tail(t.Context(), "r0")
	if len(tail) > 16<<10 || !strings.HasSuffix(tail, "after 3 MB\ngone\n") {
		t.Errorf("tail of %d bytes ends in %q", len(tail), tail[max(0, len(tail)-40):])
	}
	if tail := f.l.Tail(t.Context(), "unknown"); tail != "" {
		t.Errorf("tail of nobody: %q", tail)
	}
}

// Stop may be called again and is not reported as an end.
func testStopSilent(t *testing.T, f *fixture) {
	g := NewGang(t, f.l)
	set := g.Executors("r", 3)
	start(t, f.l, set...)
	var stopping sync.WaitGroup
	for range 3 {
		stopping.Go(func() { stop(t, f.l, set[:2]...) })
	}
	stopping.Wait()
	g.Agent("r2").Last("exit", "9")
	if x := Await(t, f.l); x.ID != "r2" {
		t.Errorf("the first end is %+v", x)
	}
	stop(t, f.l, set...)
	f.nothing(t)
}
