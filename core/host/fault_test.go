package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/api/apipb"
	"github.com/capstan-run/capstan/core/executor"
	"github.com/capstan-run/capstan/core/journal"
	"github.com/capstan-run/capstan/core/launch"
)

// nothingLeft checks what a job that ended leaves behind.
func (s *stage) nothingLeft() {
	s.t.Helper()
	s.idle()
	if left := s.l.left(); len(left) > 0 {
		s.t.Errorf("executors left: %v", left)
	}
	if dirs, _ := os.ReadDir(filepath.Join(s.dir, "gangs")); len(dirs) > 0 {
		s.t.Errorf("gang directories left: %v", dirs)
	}
	s.s.mu.Lock()
	defer s.s.mu.Unlock()
	if s.s.fenced < s.s.opened {
		s.t.Errorf("%d doors to the store were opened, %d fenced", s.s.opened, s.s.fenced)
	}
}

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

// What a coordinator asks for beyond the plan is checked as the plan is.
func TestWantBeyondPlan(t *testing.T) {
	s := newStage(t)
	id := s.submit(1, 0)
	s.started()
	c := s.scene()
	side := core.GangAsk{Name: "side", Gang: core.Gang{Size: 1, CPU: 100, Memory: 1 << 20}}
	for what, spoil := range map[string]func(*core.GangAsk){
		"reads the host's keys":   func(g *core.GangAsk) { g.ReadOnly = []string{s.dir} },
		"reads all there is":      func(g *core.GangAsk) { g.ReadOnly = []string{"/"} },
		"names no program":        func(g *core.GangAsk) { g.Program = "../../bin/sh" },
		"has a file nobody sent":  func(g *core.GangAsk) { g.Files = []core.File{{Name: "x", SHA256: strings.Repeat("a", 64)}} },
		"wants more of the store": func(g *core.GangAsk) { g.Store = []core.StoreGrant{{Prefix: "others/"}} },
		"has no name":             func(g *core.GangAsk) { g.Name = "" },
		"has a path for a name":   func(g *core.GangAsk) { g.Name = "a/b" },
	} {
		ask := side
		spoil(&ask)
		if err := c.WantGang(ask); core.KindOf(err) != core.Denied && core.KindOf(err) != core.Invalid {
			t.Errorf("a gang that %s: got %v", what, err)
		}
	}
	if err := c.WantGang(side); err != nil {
		t.Fatal(err)
	}
	if ex := s.started(); !strings.Contains(ex[0], ".side.") {
		t.Errorf("started are %v", ex)
	}
	c.end <- nil
	s.until(id, "the end", ended)
	s.nothingLeft()
}

func TestGrants(t *testing.T) {
	planned := []core.StoreGrant{{Prefix: "in/data/"}, {Prefix: "out/", Write: true}}
	for ask, want := range map[core.StoreGrant]bool{
		{Prefix: "in/data/"}: true, {Prefix: "in/data/x"}: true, {Prefix: "in/"}: false, {Prefix: "in/data/", Write: true}: false,
		{Prefix: "out/x", Write: true}: true, {Prefix: "out/"}: true,
	} {
		if err := checkGrants([]core.StoreGrant{ask}, planned); (err == nil) != want {
			t.Errorf("%+v: %v", ask, err)
		}
	}
}

// A job that is final stays so, whoever joins late.
func TestLateJoinOfCancelledJob(t *testing.T) {
	s := newStage(t)
	for range 10 {
		id := s.submit(2, 0)
		executors := s.started()
		if _, err := s.h.Cancel(string(id), ""); err != nil {
			t.Fatal(err)
		}
		for j, _, _ := s.h.Lookup(string(id)); !ended(j); j, _, _ = s.h.Lookup(string(id)) {
			// No waiting for the news: it is the moment before it that counts.
		}
		s.join(id, false, executors...)
		s.idle()
		if j, _, _ := s.h.Lookup(string(id)); j.State != core.Canceled {
			t.Fatalf("a cancelled job is %s", j.State)
		}
	}
	s.nothingLeft()
}

// The store is slow to open while the job is cancelled: nothing of the start
// may come up after the end, and the host is not held up meanwhile.
func TestCancelWhileDoorOpens(t *testing.T) {
	s := newStage(t)
	entered, open := make(chan struct{}, 2), make(chan struct{})
	s.s.set(func() { s.s.onDoor = func() { entered <- struct{}{}; <-open } })
	id := s.submit(2, 0)
	receive1(t, entered, "the door")
	if _, err := s.h.Cancel(string(id), ""); err != nil {
		t.Fatal(err)
	}
	close(open)
	s.until(id, "the end", ended)
	s.nothingLeft()
}

// The launcher is still starting when the job is cancelled.
func TestCancelWhileLaunching(t *testing.T) {
	s := newStage(t)
	s.l.hook(func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
	id := s.submit(2, 0)
	s.started()
	if _, err := s.h.Cancel(string(id), "no need"); err != nil {
		t.Fatal(err)
	}
	if j := s.until(id, "the end", ended); j.State != core.Canceled || j.Outcome.What != "no need" {
		t.Errorf("got %s, %+v", j.State, j.Outcome)
	}
	s.nothingLeft()
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

// A message to a rank whose replacement has not come up vanishes, as one to a
// lost rank does, and does not end the attempt.
func TestMessageToReplacement(t *testing.T) {
	s := newStage(t)
	id := s.submit(2, 0)
	executors := s.started()
	c := s.scene()
	c.want(t)
	s.join(id, false, executors...)
	if _, ok := c.next(t).(core.GangUp); !ok {
		t.Fatal("the gang did not come up")
	}
	hold := make(chan struct{})
	s.l.hook(func(context.Context) error { <-hold; return nil })
	(*handler)(s.h).Ended(executors[0], nil, 0)
	if e, ok := c.next(t).(core.ExecutorLost); !ok || e.Rank != 0 {
		t.Fatalf("got %#v", e)
	}
	if err := c.Send("main", 0, []byte("hello")); err != nil {
		t.Errorf("send to a lost rank: %v", err)
	}
	close(hold)
	c.end <- nil
	s.until(id, "the end", ended)
	s.nothingLeft()
}

// A message reaches the executor that its sender meant, or nobody: one that was
// sent before the coordinator took the news of a loss is not for the
// replacement (law H8).
func TestMessageAcrossReplacement(t *testing.T) {
	s := newStage(t)
	id := s.submit(2, 0)
	executors := s.started()
	c := s.scene()
	c.want(t)
	s.join(id, false, executors...)
	c.next(t)
	// A message that is too large is refused where it would go out, and there
	// only.
	msg := make([]byte, executor.MaxMessage+1)
	goes := func(what string, rank int, want bool) {
		t.Helper()
		if went := c.Send("main", rank, msg) != nil; went != want {
			t.Errorf("%s: a message to rank %d goes out: %t", what, rank, went)
		}
	}
	goes("the gang is up", 0, true)
	(*handler)(s.h).Ended(executors[0], nil, 0)
	again := s.started()
	s.join(id, false, again...)
	(*handler)(s.h).Message(executors[0], 1, []byte("from the dead"))
	(*handler)(s.h).Message(again[0], 1, []byte("hello"))
	goes("nothing was heard of the loss", 0, false)
	goes("nothing was heard of the loss", 1, true)
	if e, ok := c.next(t).(core.ExecutorLost); !ok || e.Rank != 0 {
		t.Errorf("got %#v", e)
	}
	goes("the loss was heard of", 0, false)
	if e, ok := c.next(t).(core.ExecutorReplaced); !ok || e.Rank != 0 {
		t.Errorf("got %#v", e)
	}
	goes("the replacement was heard of", 0, true)
	if m, ok := c.next(t).(core.Message); !ok || string(m.Data) != "hello" {
		t.Errorf("got %#v", m)
	}
	// A relay's coordinator may be behind.
	for events, want := range []bool{true, false, false, true} {
		if went := c.Host.(core.Relay).SendAfter(int64(events), "main", 0, msg) != nil; went != want {
			t.Errorf("after %d events a message goes out: %t", events, went)
		}
	}
	c.end <- nil
	s.until(id, "the end", ended)
	s.nothingLeft()
}

// After a restart a replacement gets a name of its own, not that of the
// executor it replaces.
func TestReplacementNamesAcrossRestart(t *testing.T) {
	s := newStage(t)
	id := s.submit(1, 0)
	first := s.started()
	s.join(id, false, first...)
	s.until(id, "running", running)
	(*handler)(s.h).Ended(first[0], nil, 0)
	second := s.started()
	s.join(id, false, second...)
	for c := s.scene(); ; {
		c.want(t)
		if up := c.next(t).(core.GangUp); len(up.Lost) == 0 {
			break
		}
		c.next(t)
		break
	}
	s.close()
	s.open()
	s.join(id, true, second...)
	s.until(id, "adoption", func(core.Job) bool { return s.count(id, "adopted") == 1 })
	(*handler)(s.h).Ended(second[0], nil, 0)
	third := s.started()
	if third[0] == second[0] {
		t.Errorf("the replacement of %s has its name", second[0])
	}
	s.until(id, "news", func(core.Job) bool { return s.count(id, "executor-lost") >= 2 })
	if n := s.count(id, "executor-lost"); n != 2 {
		t.Errorf("%d executors were lost, want 2", n)
	}
	if _, err := s.h.Cancel(string(id), ""); err != nil {
		t.Fatal(err)
	}
	c := s.scene()
	c.end <- core.Errorf(core.Cancelled, "as asked")
	s.until(id, "the end", ended)
	s.nothingLeft()
}

// A cancel that was acknowledged is carried out by the next host.
func TestCancelSurvivesRestart(t *testing.T) {
	s := newStage(t)
	id := s.submit(1, 0)
	executors := s.started()
	s.scene() // it does not care about being cancelled
	s.join(id, false, executors...)
	s.until(id, "the gang", func(core.Job) bool { return s.count(id, "gang-up") == 1 })
	if _, err := s.h.Cancel(string(id), "enough"); err != nil {
		t.Fatal(err)
	}
	s.close()
	s.open()
	s.join(id, true, executors...)
	c := s.scene()
	if e, ok := c.next(t).(core.CancelAsked); !ok || e.Reason != "enough" {
		t.Fatalf("got %#v, want to be asked to end", e)
	}
	c.end <- core.Errorf(core.Cancelled, "as asked")
	if j := s.until(id, "the end", ended); j.State != core.Canceled || j.Outcome.What != "enough" {
		t.Errorf("got %s, %+v", j.State, j.Outcome)
	}
	s.nothingLeft()
}

// A result that was committed wins over a cancel.
func TestCommitBeatsCancel(t *testing.T) {
	s := newStage(t)
	id := s.submit(1, 0)
	c := s.scene()
	s.join(id, false, s.started()...)
	s.until(id, "running", running)
	if _, err := s.h.Cancel(string(id), ""); err != nil {
		t.Fatal(err)
	}
	c.end <- nil
	if j := s.until(id, "the end", ended); j.State != core.Succeeded {
		t.Errorf("got %s, %+v", j.State, j.Outcome)
	}
	s.nothingLeft()
}

// What ails the store is what a job that runs has to say, for as long as it
// lasts.
func TestTrouble(t *testing.T) {
	s := newStage(t)
	id := s.submit(1, 0)
	c := s.scene()
	s.join(id, false, s.started()...)
	s.until(id, "running", running)
	c.Report(core.Progress{Note: "all is well"})
	noted := func(note string) func(core.Job) bool {
		return func(j core.Job) bool { return j.Progress.Note == note }
	}
	s.until(id, "its own note", noted("all is well"))
	s.trouble <- "the store is silent"
	s.until(id, "the trouble", noted("the store is silent"))
	s.trouble <- ""
	s.until(id, "its own note again", noted("all is well"))
	s.trouble <- "the store is silent again"
	s.until(id, "the trouble", noted("the store is silent again"))
	c.end <- nil
	if j := s.until(id, "the end", ended); j.Progress.Note != "all is well" {
		t.Errorf("the history of a job that ended tells %q", j.Progress.Note)
	}
	s.nothingLeft()
}

// A cancel between two attempts is not lost: the second never starts.
func TestCancelBetweenAttempts(t *testing.T) {
	s := newStage(t)
	sweeping, sweep := make(chan struct{}, 2), make(chan struct{})
	s.s.set(func() { s.s.onSweep = func() error { sweeping <- struct{}{}; <-sweep; return nil } })
	id := s.submit(1, 3)
	s.started()
	s.scene().end <- core.Errorf(core.Failed, "first try")
	receive1(t, sweeping, "the sweep")
	if _, err := s.h.Cancel(string(id), ""); err != nil {
		t.Fatal(err)
	}
	close(sweep)
	if j := s.until(id, "the end", ended); j.State != core.Canceled {
		t.Errorf("got %s, %+v", j.State, j.Outcome)
	}
	s.nothingLeft()
	select {
	case again := <-s.l.started:
		t.Errorf("a cancelled job started %v", again)
	default:
	}
}

// An attempt that failed is tried again under the next number.
func TestRetries(t *testing.T) {
	s := newStage(t)
	id := s.submit(1, 1)
	for epoch := core.Epoch(1); epoch <= 2; epoch++ {
		s.started()
		c := s.scene()
		if c.attempt.Epoch != epoch || c.attempt.Generation != 1 {
			t.Errorf("epoch %d, generation %d; want %d, 1", c.attempt.Epoch, c.attempt.Generation, epoch)
		}
		c.end <- core.Errorf(core.Failed, "try %d", epoch)
	}
	if j := s.until(id, "the end", ended); j.State != core.FailedJob || j.Outcome.What != "try 2" {
		t.Errorf("got %s, %+v", j.State, j.Outcome)
	}
	s.nothingLeft()
}

// A coordinator that comes after a crash hears of the gang once, when it asks.
func TestGangUpOnceAfterCrash(t *testing.T) {
	s := newStage(t)
	id := s.submit(2, 0)
	executors := s.started()
	first := s.scene()
	first.want(t)
	if err := first.Save(t.Context(), []byte("so far")); err != nil {
		t.Fatal(err)
	}
	first.end <- fmt.Errorf("oh: %w", core.ErrPluginCrash)
	second := s.scene()
	s.join(id, false, executors...)
	s.until(id, "running", running)
	second.want(t)
	if _, ok := second.next(t).(core.GangUp); !ok {
		t.Fatal("no gang")
	}
	if second.attempt.Generation != 2 || string(second.attempt.Saved) != "so far" {
		t.Errorf("generation %d with %q", second.attempt.Generation, second.attempt.Saved)
	}
	if _, err := s.h.Cancel(string(id), ""); err != nil {
		t.Fatal(err)
	}
	if e, ok := second.next(t).(core.CancelAsked); !ok {
		t.Errorf("got %#v after the gang came up once", e)
	}
	second.end <- core.Errorf(core.Cancelled, "as asked")
	s.until(id, "the end", ended)
	s.nothingLeft()
}

// A gang that was released can be had again, and is not brought up again by a
// host that restarts.
func TestReleaseGang(t *testing.T) {
	s := newStage(t)
	id := s.submit(2, 0)
	first := s.started()
	c := s.scene()
	c.want(t)
	s.join(id, false, first...)
	c.next(t)
	if err := c.ReleaseGang("main"); err != nil {
		t.Fatal(err)
	}
	c.want(t)
	second := s.started()
	if left := s.l.left(); !slices.Equal(left, second) {
		t.Errorf("%v run, want %v", left, second)
	}
	s.join(id, false, second...)
	if _, ok := c.next(t).(core.GangUp); !ok {
		t.Error("the gang did not come up again")
	}
	if err := c.ReleaseGang("main"); err != nil {
		t.Fatal(err)
	}
	s.until(id, "the release", func(core.Job) bool { return s.count(id, "released") == 2 })
	s.close()
	s.open()
	c = s.scene()
	third := s.started() // the plan's gang, anew
	if slices.Equal(third, second) {
		t.Errorf("the released executors %v came back", second)
	}
	c.end <- nil
	s.until(id, "the end", ended)
	s.nothingLeft()
}

// What waited before a restart is not granted what runs: a job that is older
// than a running one queues behind it.
func TestAdoptBeforeQueue(t *testing.T) {
	s := newStage(t)
	all := s.submit(640, 0) // the whole machine
	s.started()
	low, high := s.submitAt(10, 400, 0), s.submitAt(90, 400, 0)
	s.scene().end <- nil
	s.until(all, "the end", ended)
	executors := s.started()
	s.join(high, false, executors...)
	s.until(high, "the gang", func(core.Job) bool { return s.count(high, "gang-up") == 1 })
	s.scene()
	s.close()
	s.open()
	if j, _, _ := s.h.Lookup(string(low)); j.State != core.Queued {
		t.Errorf("the waiting job is %s, beside one that needs its room", j.State)
	}
	s.join(high, true, executors...)
	s.scene().end <- nil
	s.until(high, "the end", ended)
	s.started()
	s.scene().end <- nil
	s.until(low, "the end", ended)
	s.nothingLeft()
}

// An adopted executor has AdoptWithin to dial in; its silence before does not
// count (law H3).
func TestAdoptedMayBeSilent(t *testing.T) {
	s := newStage(t)
	id := s.submit(1, 0)
	executors := s.started()
	s.join(id, false, executors...)
	s.until(id, "the gang", func(core.Job) bool { return s.count(id, "gang-up") == 1 })
	s.close()
	s.open()
	(*handler)(s.h).Silent(executors[0], time.Minute)
	s.join(id, true, executors...)
	s.until(id, "adoption", func(core.Job) bool { return s.count(id, "adopted") == 1 })
	if n := s.count(id, "executor-lost"); n != 0 {
		t.Errorf("a healthy executor was lost: %v", s.events(id))
	}
	for c := s.scene(); ; c = s.scene() {
		if c.attempt.Generation == 2 {
			c.end <- nil
			break
		}
	}
	s.until(id, "the end", ended)
	s.nothingLeft()
}

// What the journal has last is what the host knew last, whoever wrote when.
func TestCommitsKeepTheirOrder(t *testing.T) {
	s := newStage(t)
	s.l.hook(func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
	id := s.submit(1, 0)
	s.started()
	j := s.h.jobs[id]
	for range 20 {
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				s.h.mu.Lock()
				j.rec.Crashes++
				s.h.mu.Unlock()
				if err := s.h.persist(j); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		var saved record
		b, err := s.h.journal.Saved(t.Context(), id, 0)
		if err != nil || json.Unmarshal(b, &saved) != nil {
			t.Fatal(err, string(b))
		}
		if saved.Crashes != j.rec.Crashes {
			t.Fatalf("the journal has %d, the host %d", saved.Crashes, j.rec.Crashes)
		}
	}
}

// A job that the journal did not take is not there, for nobody, and takes
// nobody's place.
func TestRefusedSubmit(t *testing.T) {
	s := newStage(t)
	kept := s.submit(1, 0)
	s.started()
	broken := errors.New("no space")
	j := &job{changed: make(chan struct{}), accepted: make(chan struct{}), rec: record{Job: core.Job{ID: "lost"}, SpecHash: "x"}}
	var err error
	if j.log, err = openLog(s.h.logPath("lost")); err != nil {
		t.Fatal(err)
	}
	s.h.mu.Lock()
	s.h.jobs["lost"] = j
	s.h.order = []core.JobID{"lost", kept}
	s.h.mu.Unlock()
	attached := make(chan error, 1)
	go func() {
		_, _, _, err := s.h.attach(t.Context(), j)
		attached <- err
	}()
	s.h.refuse(j, broken)
	if err := receive1(t, attached, "the answer"); !errors.Is(err, broken) {
		t.Errorf("who attached got %v", err)
	}
	if !slices.Equal(s.h.order, []core.JobID{kept}) {
		t.Errorf("left are %v", s.h.order)
	}
}

// A host that is ending takes no job that it would leave behind.
func TestSubmitAfterShutdown(t *testing.T) {
	s := newStage(t)
	if s.h.shutdown(&apipb.ShutdownRequest{}) == nil {
		t.Fatal("the host stays")
	}
	doc := []byte("apiVersion: capstan/v1\nkind: Play\nmetadata: {name: late}\ngang: {size: 1, cpu: 1, memory: 1Mi}\nspec: {}\n")
	if _, _, _, err := s.h.Submit(t.Context(), doc, "", "test"); core.KindOf(err) != core.HostLost {
		t.Errorf("got %v", err)
	}
}

// What could not be swept is swept by the next host.
func TestSweepAgain(t *testing.T) {
	s := newStage(t)
	s.s.set(func() { s.s.onSweep = func() error { return errors.New("the store is away") } })
	id := s.submit(1, 0)
	s.started()
	s.scene().end <- nil
	s.until(id, "the end", ended)
	s.nothingLeft()
	if s.count(id, "swept") != 0 {
		t.Error("it was not swept, and says so")
	}
	s.close()
	s.s.set(func() { s.s.onSweep = nil })
	s.open()
	s.idle()
	if s.count(id, "swept") != 1 {
		t.Errorf("it was not swept: %v", s.events(id))
	}
}

// smallDisk is a directory on a file system of four megabytes, of which ballast
// holds one; ok is false where none can be made.
func smallDisk(t *testing.T) (dir, ballast string, ok bool) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
		t.Logf("cannot mount a small file system: %v", err)
		return "", "", false
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	ballast = filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir, ballast, true
}

// fill writes the disk full.
func (s *stage) fill() {
	for _, size := range []int{64 << 10, 1 << 10, 1} {
		for err := error(nil); !errors.Is(err, journal.ErrFull); {
			err = s.h.journal.Commit(s.t.Context(), journal.Tx{Records: []journal.Record{{Time: now(), Kind: "ballast", Text: strings.Repeat("x", size)}}})
		}
	}
}

// A full disk refuses submits, and holds up what runs until there is room.
func TestFullDisk(t *testing.T) {
	dir, ballast, ok := smallDisk(t)
	if !ok {
		return
	}
	s := newStageAt(t, dir)
	defer s.close() // before the unmount
	id := s.submit(1, 0)
	s.join(id, false, s.started()...)
	s.until(id, "the gang", func(core.Job) bool { return s.count(id, "gang-up") == 1 })
	s.fill()
	doc := []byte("apiVersion: capstan/v1\nkind: Play\nmetadata: {name: late}\ngang: {size: 1, cpu: 1, memory: 1Mi}\nspec: {}\n")
	if _, _, _, err := s.h.Submit(t.Context(), doc, "late", "test"); !errors.Is(err, journal.ErrFull) {
		t.Errorf("submit: got %v", err)
	}
	if _, _, err := s.h.Lookup("late"); core.KindOf(err) != core.NotFound {
		t.Errorf("a refused job is there: %v", err)
	}
	c := s.scene()
	c.end <- fmt.Errorf("oh: %w", core.ErrPluginCrash)
	s.until(id, "what it waits for", heldUp)
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	s.scene().end <- nil // the next generation
	if j := s.until(id, "the end", ended); j.State != core.Succeeded || heldUp(j) {
		t.Errorf("got %s, %+v", j.State, j)
	}
	s.nothingLeft()
}

// heldUp reports whether a job says what it waits for, where, and what to do.
func heldUp(j core.Job) bool {
	for _, part := range []string{"held up", "journal.db", "free some space"} {
		if !strings.Contains(j.Progress.Note, part) {
			return false
		}
	}
	return true
}

// A gang whose grant cannot be written down says so at once, and starts when
// there is room.
func TestFullDiskAtGrant(t *testing.T) {
	dir, ballast, ok := smallDisk(t)
	if !ok {
		return
	}
	s := newStageAt(t, dir)
	defer s.close()
	s.s.set(func() { s.s.onDoor = sync.OnceFunc(s.fill) })
	id := s.submit(1, 0)
	s.until(id, "what it waits for", heldUp)
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	s.started()
	s.scene().end <- nil
	if j := s.until(id, "the end", ended); j.State != core.Succeeded || j.Progress.Note != "" {
		t.Errorf("got %s, %+v", j.State, j)
	}
	s.nothingLeft()
}

// A launcher without room on its disk fails the job at once, with what to do:
// another try on the same disk would end the same way.
func TestFullDiskOfLauncher(t *testing.T) {
	for _, cause := range []error{
		fmt.Errorf("write: %w", syscall.ENOSPC),
		errors.New("Error response from daemon: mkdir /var/lib/docker/overlay2/x: no space left on device"),
	} {
		s := newStage(t)
		s.l.hook(func(context.Context) error {
			return &core.Error{Kind: core.Internal, What: "the engine did not create", Where: "executor x on node here", Remedy: "free space", Err: cause}
		})
		id := s.submit(2, 0)
		j := s.until(id, "the end", ended)
		if j.State != core.FailedJob || j.Outcome.Where != "executor x on node here" || j.Outcome.Remedy != "free space" {
			t.Errorf("got %s, %+v", j.State, j.Outcome)
		}
		s.nothingLeft()
		if n := s.count(id, "granted"); n != 1 {
			t.Errorf("it was tried %d times", n)
		}
	}
}

// A gang's directory that cannot be made is an error with a place and a remedy.
func TestFullDiskOfGangs(t *testing.T) {
	err := fileError("make the gang's directory", "/state/gangs/x", &os.PathError{Op: "mkdir", Path: "/state/gangs/x", Err: syscall.ENOSPC})
	if err.Where != "/state/gangs/x" || !strings.Contains(err.Remedy, "free space") || !diskFull(err) {
		t.Errorf("got %+v", err)
	}
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

// Hosts that start at once agree on one name.
func TestInstanceOnce(t *testing.T) {
	dir := t.TempDir()
	names := make([]string, 20)
	var wg sync.WaitGroup
	for i := range names {
		wg.Go(func() {
			var err error
			if names[i], err = Instance(dir); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if slices.Sort(names); len(slices.Compact(names)) != 1 {
		t.Errorf("names %v", names)
	}
}

func TestEscape(t *testing.T) {
	for in, want := range map[string]string{
		"plain\ttext": "plain\ttext", "a\x1b[31m": `a\x1b[31m`, "a\u009b31m": `a\x9b31m`, "é": "é",
	} {
		if got := escape(in); got != want {
			t.Errorf("escape(%q) = %q, want %q", in, got, want)
		}
	}
}
