package host

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/capstan-run/capstan/core"
)

// cutOff is a job that saved something and was cancelled, whose coordinator did
// not answer in its grace. It answers the scene of the one that is asked.
func cutOff(t *testing.T, s *stage) (core.JobID, *scene) {
	t.Helper()
	id := s.submit(1, 2)
	c := s.scene()
	s.join(id, false, s.started()...)
	s.until(id, "running", running)
	if err := c.Save(t.Context(), []byte("about to commit")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.h.Cancel(string(id), "enough"); err != nil {
		t.Fatal(err)
	}
	return id, s.asked()
}

// asked waits for the coordinator of an inquest and checks what it finds.
func (s *stage) asked() *scene {
	s.t.Helper()
	c := s.scene()
	s.s.mu.Lock()
	if s.s.fenced != s.s.opened-1 {
		s.t.Errorf("%d doors are open beside its own", s.s.opened-1-s.s.fenced)
	}
	s.s.mu.Unlock()
	if c.attempt.Generation < 2 || string(c.attempt.Saved) != "about to commit" {
		s.t.Errorf("generation %d is asked, with %q", c.attempt.Generation, c.attempt.Saved)
	}
	c.want(s.t) // nobody comes
	if e, ok := c.next(s.t).(core.CancelAsked); !ok || !strings.HasSuffix(e.Reason, "enough") {
		s.t.Errorf("its first event is %#v", e)
	}
	return c
}

// A coordinator that was ended without an answer may have committed: what the
// one after it finds is the outcome (law H7).
func TestCancelAgainstCommit(t *testing.T) {
	for name, test := range map[string]struct {
		answer error
		state  core.State
		kind   core.ErrKind
	}{
		"committed":     {nil, core.Succeeded, ""},
		"not committed": {core.Errorf(core.Cancelled, "as asked"), core.Canceled, core.Cancelled},
		"crashed":       {fmt.Errorf("oh: %w", core.ErrPluginCrash), core.FailedJob, core.HostLost},
		"no store":      {core.Errorf(core.HostLost, "the store does not answer"), core.FailedJob, core.HostLost},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStageAt(t, t.TempDir(), func(c *Config) { c.Grace = time.Millisecond })
			id, c := cutOff(t, s)
			c.end <- test.answer
			j := s.until(id, "the end", ended)
			if j.State != test.state || j.Outcome.Kind != test.kind {
				t.Errorf("got %s, %+v", j.State, j.Outcome)
			}
			s.nothingLeft()
		})
	}
}

// What was never saved was never committed: nobody is asked.
func TestCancelBeforeSave(t *testing.T) {
	s := newStageAt(t, t.TempDir(), func(c *Config) { c.Grace = time.Millisecond })
	id := s.submit(1, 0)
	s.scene()
	s.join(id, false, s.started()...)
	s.until(id, "running", running)
	if _, err := s.h.Cancel(string(id), ""); err != nil {
		t.Fatal(err)
	}
	if j := s.until(id, "the end", ended); j.State != core.Canceled {
		t.Errorf("got %s, %+v", j.State, j.Outcome)
	}
	s.nothingLeft()
	if len(s.f.runs) > 0 {
		t.Error("a coordinator was asked what it cannot know")
	}
}

// A cancel that comes while no gang is up ends the coordinator at once, and one
// that comes after a restart finds none: both may have committed.
func TestCancelWithoutGang(t *testing.T) {
	s := newStage(t)
	id := s.submit(1, 0)
	s.started()
	if err := s.scene().Save(t.Context(), []byte("about to commit")); err != nil {
		t.Fatal(err)
	}
	s.close()
	s.l.hook(nil)
	s.open()
	s.started()
	s.scene() // the next generation: it goes on
	if _, err := s.h.Cancel(string(id), "enough"); err != nil {
		t.Fatal(err)
	}
	s.asked()
	s.close()
	s.open() // the host went away before it was answered
	s.asked().end <- nil
	if j := s.until(id, "the end", ended); j.State != core.Succeeded {
		t.Errorf("got %s, %+v", j.State, j.Outcome)
	}
	s.nothingLeft()
}

// An attempt that lost too many executors is not tried again if it had
// committed.
func TestLossesAgainstCommit(t *testing.T) {
	s := newStage(t)
	id := s.submit(1, 2)
	c := s.scene()
	if err := c.Save(t.Context(), []byte("about to commit")); err != nil {
		t.Fatal(err)
	}
	s.h.mu.Lock()
	s.h.jobs[id].attempt.end(core.Errorf(core.Failed, "enough"))
	s.h.mu.Unlock()
	s.asked().end <- nil
	if j := s.until(id, "the end", ended); j.State != core.Succeeded || j.Epoch != 1 {
		t.Errorf("got %s in attempt %d, %+v", j.State, j.Epoch, j.Outcome)
	}
	s.nothingLeft()
}
