package host

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/api/apipb"
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

func TestEscape(t *testing.T) {
	for in, want := range map[string]string{
		"plain\ttext": "plain\ttext", "a\x1b[31m": `a\x1b[31m`, "a\u009b31m": `a\x9b31m`, "é": "é",
	} {
		if got := escape(in); got != want {
			t.Errorf("escape(%q) = %q, want %q", in, got, want)
		}
	}
}
