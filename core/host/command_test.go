package host

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/capstan-run/capstan/core"
)

// ask sends a command and returns where its end comes.
func (s *stage) ask(id core.JobID, verb, args string) <-chan error {
	done := make(chan error, 1)
	h := s.h
	go func() {
		_, a, err := h.Command(context.Background(), string(id), verb, []byte(args))
		if err == nil && string(a.Result) != `"done"` {
			err = errors.New("answered " + string(a.Result))
		}
		done <- err
	}()
	return done
}

// A command reaches the coordinator, and its answer who asked.
func TestCommand(t *testing.T) {
	s := newStage(t)
	id := s.submit(1, 0)
	s.started()
	c := s.scene()
	first := s.ask(id, "scale", `{"to": 3}`)
	cmd, ok := c.next(t).(core.Command)
	if !ok || cmd.Number != 1 || cmd.Verb != "scale" || string(cmd.Args) != `{"to": 3}` {
		t.Fatalf("the coordinator got %#v", cmd)
	}
	second := s.ask(id, "scale", `{"to": -1}`)
	if cmd, ok := c.next(t).(core.Command); !ok || cmd.Number != 2 {
		t.Fatalf("the coordinator got %#v", cmd)
	}
	if err := c.Answer(core.Answer{Number: 2, Refused: core.Errorf(core.Invalid, "there is no -1")}); err != nil {
		t.Fatal(err)
	}
	if err := receive1(t, second, "an answer"); core.KindOf(err) != core.Invalid {
		t.Errorf("a refused command answers %v", err)
	}
	if err := c.Answer(core.Answer{Number: 1, Result: []byte(`"done"`)}); err != nil {
		t.Fatal(err)
	}
	if err := receive1(t, first, "an answer"); err != nil {
		t.Error(err)
	}
	for _, verb := range []string{"dance", core.VerbDeploy} {
		if _, _, err := s.h.Command(t.Context(), string(id), verb, nil); core.KindOf(err) != core.Invalid {
			t.Errorf("%s: %v", verb, err)
		}
	}
	third := s.ask(id, "scale", `{}`)
	c.next(t)
	c.end <- nil
	if err := receive1(t, third, "an answer"); core.KindOf(err) != core.Conflict {
		t.Errorf("a job that ended answers %v", err)
	}
	if err := receive1(t, s.ask(id, "scale", `{}`), "an answer"); core.KindOf(err) != core.Conflict {
		t.Errorf("a job that had ended answers %v", err)
	}
	s.until(id, "the end", ended)
	s.nothingLeft()
}

// What was not answered comes again after a restart of the host, in order, and
// what was does not.
func TestCommandOutlivesHost(t *testing.T) {
	s := newStage(t)
	id := s.submit(1, 0)
	executors := s.started()
	s.join(id, false, executors...)
	c := s.scene()
	s.until(id, "the gang", func(core.Job) bool { return s.count(id, "gang-up") == 1 })
	for n := range int64(3) {
		done := s.ask(id, "scale", `{}`)
		c.next(t)
		if n == 1 {
			c.Answer(core.Answer{Number: 2, Result: []byte(`"done"`)})
			if err := receive1(t, done, "an answer"); err != nil {
				t.Fatal(err)
			}
			s.until(id, "the answer's record", func(core.Job) bool { return s.count(id, "answered") == 1 })
		}
	}
	s.close()
	s.open()
	s.join(id, true, executors...)
	c = s.scene()
	for c.attempt.Generation != 2 {
		c = s.scene()
	}
	for _, want := range []int64{1, 3} {
		if cmd, ok := c.next(t).(core.Command); !ok || cmd.Number != want {
			t.Errorf("got %#v, want command %d", cmd, want)
		}
	}
	c.end <- nil
	s.until(id, "the end", ended)
	s.nothingLeft()
}

// A job has the spec it was given last, through a restart too; its coordinator
// hears of it as a command.
func TestUpdate(t *testing.T) {
	s := newStage(t)
	id := s.submit(1, 0)
	executors := s.started()
	s.join(id, false, executors...)
	c := s.scene()
	s.until(id, "the gang", func(core.Job) bool { return s.count(id, "gang-up") == 1 })
	doc := "apiVersion: capstan/v1\nkind: Play\nmetadata: {name: NAME}\ngang: {size: 5, cpu: 100m, memory: 1Mi}\nspec: {}\n"
	if _, _, err := s.h.Update(t.Context(), string(id), []byte(strings.Replace(doc, "NAME", "other", 1)), "test"); core.KindOf(err) != core.Conflict {
		t.Errorf("another job's spec: %v", err)
	}
	go s.h.Update(context.Background(), string(id), []byte(strings.Replace(doc, "NAME", "play", 1)), "test")
	cmd, ok := c.next(t).(core.Command)
	if !ok || cmd.Verb != core.VerbDeploy || !strings.Contains(string(cmd.Args), `"size":5`) {
		t.Fatalf("got %#v", cmd)
	}
	s.close()
	s.open()
	s.join(id, true, executors...)
	c = s.scene()
	for c.attempt.Generation != 2 {
		c = s.scene()
	}
	if n := c.attempt.Job.Spec.Gang.Size; n != 5 {
		t.Errorf("after the restart the spec has size %d", n)
	}
	if cmd, ok := c.next(t).(core.Command); !ok || cmd.Verb != core.VerbDeploy {
		t.Errorf("after the restart came %#v", cmd)
	}
	c.end <- nil
	s.until(id, "the end", ended)
	s.nothingLeft()
}

// An optional gang that cannot start is told, and ends nothing.
func TestOptionalGang(t *testing.T) {
	s := newStage(t)
	id := s.submit(1, 0)
	s.started()
	c := s.scene()
	s.l.hook(func(context.Context) error { return core.Errorf(core.NotFound, "no such image") })
	ask := core.GangAsk{Name: "extra", Optional: true, Gang: core.Gang{Size: 1, CPU: 100, Memory: 1 << 20}}
	if err := c.WantGang(ask); err != nil {
		t.Fatal(err)
	}
	if e, ok := c.next(t).(core.GangRefused); !ok || e.Gang != "extra" || e.Err.Kind != core.NotFound {
		t.Fatalf("got %#v", e)
	}
	s.l.hook(nil)
	<-s.l.started
	if err := c.WantGang(ask); err != nil {
		t.Fatal(err)
	}
	executors := s.started()
	(*handler)(s.h).Joined(executors[0], core.Rank{Job: id, Epoch: 1, Gang: "extra"}, false)
	if e, ok := c.next(t).(core.GangUp); !ok || e.Gang != "extra" {
		t.Errorf("got %#v", e)
	}
	c.end <- nil
	s.until(id, "the end", ended)
	s.nothingLeft()
}

// What is lost of a gang without restarts is the coordinator's to replace, and
// however often it happens the attempt goes on.
func TestRestartNone(t *testing.T) {
	s := newStage(t)
	id := s.submit(1, 0)
	s.started()
	c := s.scene()
	for range 20 {
		if err := c.WantGang(core.GangAsk{Name: "copy", Gang: core.Gang{Size: 1, CPU: 100, Memory: 1 << 20, Restart: "none"}}); err != nil {
			t.Fatal(err)
		}
		ex := s.started()[0]
		(*handler)(s.h).Joined(ex, core.Rank{Job: id, Epoch: 1, Gang: "copy"}, false)
		if e, ok := c.next(t).(core.GangUp); !ok {
			t.Fatalf("got %#v", e)
		}
		(*handler)(s.h).Ended(ex, core.Errorf(core.Failed, "fell over"), 0)
		if e, ok := c.next(t).(core.ExecutorLost); !ok || e.Gang != "copy" {
			t.Fatalf("got %#v", e)
		}
		if err := c.ReleaseGang("copy"); err != nil {
			t.Fatal(err)
		}
	}
	c.end <- nil
	s.until(id, "the end", ended)
	s.nothingLeft()
}
