package host

import (
	"context"
	"testing"

	"github.com/capstan-run/capstan/core"
)

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
	if j := s.until(id, "the end", ended); j.State != core.Canceled || j.Outcome.What != "cancelled by the user: no need" {
		t.Errorf("got %s, %+v", j.State, j.Outcome)
	}
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
	if e, ok := c.next(t).(core.CancelAsked); !ok || e.Reason != "cancelled by the user: enough" {
		t.Fatalf("got %#v, want to be asked to end", e)
	}
	c.end <- core.Errorf(core.Cancelled, "as asked")
	if j := s.until(id, "the end", ended); j.State != core.Canceled || j.Outcome.What != "cancelled by the user: enough" {
		t.Errorf("got %s, %+v", j.State, j.Outcome)
	}
	s.nothingLeft()
}

// A job that is over has no task that runs, whatever its framework told last.
func TestNothingRunsAfterTheEnd(t *testing.T) {
	s := newStage(t)
	id := s.submit(1, 0)
	c := s.scene()
	s.join(id, false, s.started()...)
	s.until(id, "running", running)
	c.Report(core.Progress{Stages: []core.Stage{{Name: "map", Tasks: 3, Done: 1, Running: 2}}})
	s.until(id, "its progress", func(j core.Job) bool { return len(j.Progress.Stages) == 1 && j.Progress.Stages[0].Running == 2 })
	if _, err := s.h.Cancel(string(id), ""); err != nil {
		t.Fatal(err)
	}
	c.end <- core.Errorf(core.Cancelled, "as asked")
	j := s.until(id, "the end", ended)
	if st := j.Progress.Stages; len(st) != 1 || st[0].Running != 0 || st[0].Done != 1 {
		t.Errorf("the history of a job that ended tells %+v", st)
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
