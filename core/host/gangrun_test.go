package host

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/executor"
)

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
