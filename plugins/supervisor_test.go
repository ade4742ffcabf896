package plugins

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/capstan-run/capstan/core"
)

// patience is how long a test waits for what must come. It is no measure.
const patience = 2 * time.Minute

// hangs is how long a process of the tests that freeze one may be silent. The
// others leave it at the default: on a busy machine a healthy one pauses, too.
const hangs = 1500 * time.Millisecond

func supervise(t *testing.T, c Config) *Supervisor {
	t.Helper()
	if c.BuiltIn == nil {
		c.BuiltIn = []Builtin{{Name: "actor", Args: []string{"plugin"}, Descriptions: []core.Description{actor{}.Describe()}}}
	}
	c.PingEvery = 20 * time.Millisecond
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func expect(t *testing.T, c <-chan string, want string) {
	t.Helper()
	select {
	case got := <-c:
		if got != want {
			t.Fatalf("host heard %q, want %q", got, want)
		}
	case <-time.After(patience):
		t.Fatalf("the host never heard %q", want)
	}
}

func TestPlan(t *testing.T) {
	s := supervise(t, Config{})
	plan, err := s.Plan(t.Context(), jobOf(script{}))
	if err != nil || len(plan.Gangs) != 1 || plan.Gangs[0].Size != 2 {
		t.Fatalf("plan %+v, %v", plan, err)
	}
	_, err = s.Plan(t.Context(), jobOf(script{Plan: "refuse"}))
	want := &core.Error{
		Kind: core.Invalid, What: "the spec is bad", Where: "spec", Remedy: "mend it",
		Diagnostics: []core.Diagnostic{{Path: "spec.plan", Line: 3, Column: 7, Message: "no such act"}},
	}
	var got *core.Error
	if !errors.As(err, &got) {
		t.Fatalf("error is %v", err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Plan(ctx, jobOf(script{Plan: "wait"})); !errors.Is(err, context.Canceled) {
		t.Errorf("a plan that was given up answers %v", err)
	}
	if _, err := s.Plan(t.Context(), &core.Job{Spec: core.Spec{Kind: "Nonesuch"}}); core.KindOf(err) != core.NotFound {
		t.Errorf("an unknown kind answers %v", err)
	}
}

func TestPlanTimeout(t *testing.T) {
	s := supervise(t, Config{PlanTimeout: 50 * time.Millisecond})
	if _, err := s.Plan(t.Context(), jobOf(script{Plan: "wait"})); core.KindOf(err) != core.TimedOut {
		t.Errorf("a plan without end answers %v", err)
	}
	if i := s.List()[0]; i.Crashes != 0 {
		t.Errorf("it counts as a crash: %+v", i)
	}
}

func TestRun(t *testing.T) {
	s := supervise(t, Config{})
	a := attemptOf(script{})
	a.Saved, a.Store.Prefix = []byte("old"), "capstan/jobs/test/3/"
	report, err := s.Run(t.Context(), "Actor", a, newFakeHost())
	if err != nil || !slices.Equal(report.Notes, []string{"3 2 old capstan/jobs/test/3/"}) {
		t.Errorf("report %+v, %v", report, err)
	}
	_, err = s.Run(t.Context(), "Actor", attemptOf(script{Run: "fail"}), newFakeHost())
	if e := core.AsError(err); e == nil || e.Kind != core.Failed || e.What != "record 7 is bad" || e.Where != "file:///a" || e.Remedy != "mend it" {
		t.Errorf("a failing coordinator answers %+v", e)
	}
}

func TestTalk(t *testing.T) {
	s := supervise(t, Config{})
	h := newFakeHost()
	h.saveErr = errors.New("the disk is full")
	var log bytes.Buffer
	a := attemptOf(script{Run: "talk"})
	a.Log = slog.New(slog.NewTextHandler(&log, nil))
	type outcome struct {
		report core.Report
		err    error
	}
	done := make(chan outcome, 1)
	go func() {
		r, err := s.Run(t.Context(), "Actor", a, h)
		done <- outcome{r, err}
	}()
	expect(t, h.calls, "want main 2")
	h.events <- core.GangUp{Gang: "main", Size: 2, Nodes: []core.NodeID{"a", "b"}, Resumed: true, Lost: []int{0}}
	expect(t, h.calls, "send main 1 hello")
	h.events <- core.Message{Gang: "main", Rank: 1, Data: []byte("world")}
	expect(t, h.calls, "save state")
	h.events <- core.ExecutorLost{Gang: "main", Rank: 1, Reason: "out of memory"}
	h.events <- core.ExecutorReplaced{Gang: "main", Rank: 1}
	h.events <- core.GangRefused{Gang: "more", Err: core.Errorf(core.NotFound, "no such image")}
	h.events <- core.Command{Number: 7, Verb: "scale", Args: []byte("3")}
	expect(t, h.calls, "answer 7 3 <nil>")
	h.events <- core.Command{Number: 8, Verb: "dance"}
	expect(t, h.calls, "answer 8  no room")
	h.events <- core.CancelAsked{Reason: "enough"}
	expect(t, h.calls, "end side true")
	expect(t, h.calls, "release main")
	o := <-done
	want := []string{"up 2 [a b] true [0]", "message 1 world", "save: the disk is full", "lost 1 out of memory", "replaced 1", "refused more: no such image", "cancel enough"}
	if diff := cmp.Diff(want, o.report.Notes); diff != "" || o.err != nil {
		t.Errorf("%v\n%s", o.err, diff)
	}
	if got := log.String(); !strings.Contains(got, "level=WARN") || !strings.Contains(got, "begins epoch=3") {
		t.Errorf("log is %q", got)
	}
}

func TestHostRefusesGang(t *testing.T) {
	s := supervise(t, Config{})
	h := newFakeHost()
	h.wantErr = core.Errorf(core.Unplaceable, "no node holds it")
	if _, err := s.Run(t.Context(), "Actor", attemptOf(script{Run: "talk"}), h); core.KindOf(err) != core.Unplaceable {
		t.Errorf("got %v", err)
	}
}

func TestFencedAttemptEnds(t *testing.T) {
	s := supervise(t, Config{})
	h := newFakeHost()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := s.Run(ctx, "Actor", attemptOf(script{Run: "wait"}), h)
		done <- err
	}()
	pid := pidOf(t, h)
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	waitGone(t, pid)
}

// pidOf is the pid of the coordinator, which it reports first.
func pidOf(t *testing.T, h *fakeHost) int {
	t.Helper()
	select {
	case p := <-h.reports:
		pid, err := strconv.Atoi(p.Note)
		if err != nil {
			t.Fatal(err)
		}
		return pid
	case <-time.After(patience):
		t.Fatal("no coordinator")
		return 0
	}
}

// waitGone waits until pid is no running process. The kernel gives no event
// for the death of somebody else's child but the pidfd.
func waitGone(t *testing.T, pid int) {
	t.Helper()
	if !gone(pid, patience) {
		t.Errorf("process %d still runs", pid)
	}
}

func TestCrashes(t *testing.T) {
	tests := []struct {
		name   string
		run    string
		harm   func(pid int) error
		what   string
		detail string
	}{
		{"panic", "panic", nil, "exit status 2", "panic: a bug in Run"},
		{"killed", "wait", func(pid int) error { return syscall.Kill(pid, syscall.SIGKILL) }, "signal: killed", ""},
		{"frozen", "wait", func(pid int) error { return syscall.Kill(pid, syscall.SIGSTOP) }, "did not answer", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := supervise(t, Config{HangAfter: hangs})
			h := newFakeHost()
			done := make(chan error, 1)
			go func() {
				_, err := s.Run(t.Context(), "Actor", attemptOf(script{Run: tt.run}), h)
				done <- err
			}()
			pid := 0
			if tt.harm != nil {
				pid = pidOf(t, h)
				if err := tt.harm(pid); err != nil {
					t.Fatal(err)
				}
			}
			err := <-done
			if !errors.Is(err, core.ErrPluginCrash) || !strings.Contains(err.Error(), tt.what) {
				t.Fatalf("got %v, want a crash with %q", err, tt.what)
			}
			if e := core.AsError(err); !strings.HasPrefix(e.Detail, tt.detail) {
				t.Errorf("detail is %q", e.Detail)
			}
			if pid != 0 {
				waitGone(t, pid)
			}
			if _, err := s.Run(t.Context(), "Actor", attemptOf(script{}), newFakeHost()); err != nil {
				t.Errorf("the next attempt: %v", err)
			}
		})
	}
}

// A signal that reaches the host's whole group ends no coordinator: the host
// may yet want to save its state.
func TestSignalsAreTheHosts(t *testing.T) {
	s := supervise(t, Config{})
	ask := func() int {
		t.Helper()
		plan, err := s.Plan(t.Context(), jobOf(script{Plan: "pid"}))
		if err != nil {
			t.Fatal(err)
		}
		pid, _ := strconv.Atoi(plan.Gangs[0].Name)
		return pid
	}
	pid := ask()
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		if err := syscall.Kill(pid, sig); err != nil {
			t.Fatal(err)
		}
		if again := ask(); again != pid {
			t.Errorf("after %v process %d took the place of %d", sig, again, pid)
		}
	}
}

func TestThirdCrashHolds(t *testing.T) {
	s := supervise(t, Config{})
	bad, good := jobOf(script{Plan: "crash"}), jobOf(script{})
	crash := func() {
		t.Helper()
		if _, err := s.Plan(t.Context(), bad); !errors.Is(err, core.ErrPluginCrash) || !strings.Contains(core.AsError(err).Detail, "a bug in Plan") {
			t.Fatalf("got %v", err)
		}
	}
	crash()
	crash()
	if _, err := s.Plan(t.Context(), good); err != nil {
		t.Fatalf("after two crashes: %v", err)
	}
	crash()
	crash()
	crash() // in a row
	_, err := s.Plan(t.Context(), good)
	e := core.AsError(err)
	if core.KindOf(err) != core.Denied || !strings.Contains(e.What, "plugin actor serves kind Actor but is held") || !strings.HasSuffix(e.Remedy, "capstan plugin verify") {
		t.Fatalf("a held plugin answers %+v", e)
	}
	if n := strings.Count(e.Detail, "panic: a bug in Plan"); n != 3 || !strings.Contains(e.Detail, "crash 3 of 3, at ") || len(e.Detail) > 8<<10 {
		t.Errorf("it shows %d of its 3 stacks:\n%s", n, e.Detail)
	}
	if i := s.List()[0]; i.State != StateHeld || i.Crashes != 3 || i.Pin != PinBuiltIn {
		t.Errorf("list shows %+v", i)
	}
	if info, err := s.Verify(t.Context(), "actor", false); err != nil || info.State != StateReady {
		t.Fatalf("verify: %+v, %v", info, err)
	}
	if _, err := s.Plan(t.Context(), good); err != nil {
		t.Errorf("after verify: %v", err)
	}
}

func TestFrozenSharedProcess(t *testing.T) {
	s := supervise(t, Config{HangAfter: hangs})
	plan, err := s.Plan(t.Context(), jobOf(script{Plan: "pid"}))
	if err != nil {
		t.Fatal(err)
	}
	pid, _ := strconv.Atoi(plan.Gangs[0].Name)
	if err := freeze(pid); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Plan(t.Context(), jobOf(script{})); !errors.Is(err, core.ErrPluginCrash) || !strings.Contains(err.Error(), "did not answer") {
		t.Fatalf("got %v", err)
	}
	waitGone(t, pid)
	if _, err := s.Plan(t.Context(), jobOf(script{})); err != nil {
		t.Errorf("the next call: %v", err)
	}
}

func TestHostKilledLeavesNoPlugin(t *testing.T) {
	tmp, err := os.MkdirTemp("/tmp", "") // short enough for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(tmp) })
	t.Setenv("TMPDIR", tmp)
	cmd := exec.Command("/proc/self/exe", "host")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 64)
	n, err := out.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(line[:n]))
	coordinator, err1 := strconv.Atoi(fields[0])
	shared, err2 := strconv.Atoi(fields[1])
	if err1 != nil || err2 != nil {
		t.Fatalf("host says %q", line[:n])
	}
	// A stopped process would not notice a closed pipe.
	if err := syscall.Kill(coordinator, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	waitGone(t, coordinator)
	waitGone(t, shared)
	dirs := filepath.Join(tmp, socketDirs+"*")
	if left, err := filepath.Glob(dirs); err != nil || len(left) != 1 {
		t.Fatalf("the killed host's sockets: %v %v", left, err)
	}
	supervise(t, Config{}).Close()
	if left, err := filepath.Glob(dirs); err != nil || len(left) > 0 {
		t.Errorf("the next host left %v %v", left, err)
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	s := supervise(t, Config{})
	plan, err := s.Plan(t.Context(), jobOf(script{Plan: "pid"}))
	if err != nil {
		t.Fatal(err)
	}
	pid, _ := strconv.Atoi(plan.Gangs[0].Name)
	s.Close()
	waitGone(t, pid)
	if left, err := filepath.Glob(s.pad.dir + "/*"); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	if _, err := s.Plan(t.Context(), jobOf(script{})); err == nil {
		t.Error("a closed supervisor plans")
	}
}

// TestSpare: a prepared attempt starts no process of its own, and the process
// taken is not used twice.
func TestSpare(t *testing.T) {
	s := supervise(t, Config{})
	if err := s.Prepare("Actor"); err != nil {
		t.Fatal(err)
	}
	spare := s.plugins[0].spare.runner.ID()
	var pids []int
	for range 2 {
		h := newFakeHost()
		if _, err := s.Run(t.Context(), "Actor", attemptOf(script{}), h); err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pidOf(t, h))
	}
	if strconv.Itoa(pids[0]) != spare || pids[0] == pids[1] {
		t.Errorf("the spare was %s; attempts ran in %v", spare, pids)
	}
}
