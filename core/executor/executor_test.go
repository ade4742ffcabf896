package executor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/capstan-run/capstan/core"
)

// echo sends back what it gets, until it gets "end" or an error to return.
func echo(ctx context.Context, env *core.Env) error {
	for {
		select {
		case msg := <-env.Inbox:
			if string(msg) == "end" {
				return nil
			}
			if err := env.Send(ctx, msg); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func TestLife(t *testing.T) {
	h := newHost(t)
	done := h.launch(t, "a", assignment(1), func(ctx context.Context, env *core.Env) error {
		if env.Size != 2 || env.Spec.Metadata.Name != "wordcount" {
			return fmt.Errorf("env is %+v", env)
		}
		env.Log.Info("rank runs", "rank", env.Rank.Rank)
		return echo(ctx, env)
	})
	if j := h.wait(t, "joined", 1)[0]; j.rank.String() != "wordcount-x7.1.main.1" || j.running {
		t.Fatalf("joined as %+v", j)
	}
	ok(t, h.SetGeneration("a", 1))
	ok(t, h.Start("a"))
	ok(t, h.Send("a", 1, []byte("hello")))
	if m := h.wait(t, "message", 1)[0]; m.text != "hello" || m.generation != 1 {
		t.Fatalf("got %+v", m)
	}
	h.wait(t, "beat", 3)
	ok(t, h.Send("a", 1, []byte("end")))
	if e := h.wait(t, "ended", 1)[0]; e.err != nil {
		t.Fatalf("ended with %v", e.err)
	}
	if err := result(t, done); err != nil {
		t.Fatal(err)
	}
	if l := h.wait(t, "log", 1)[0]; l.text != "rank runs rank=1" {
		t.Errorf("log line is %q", l.text)
	}
}

func TestWorkerErrors(t *testing.T) {
	tests := []struct {
		name string
		work func(context.Context, *core.Env) error
		code int
		want core.Error
	}{
		{"plain error", func(context.Context, *core.Env) error { return errors.New("disk is gone") },
			1, core.Error{Kind: core.Internal, What: "disk is gone"}},
		{"core error", func(context.Context, *core.Env) error {
			return core.Errorf(core.Failed, "record 7 is bad").At("file:///a at byte 12").Do("mend it")
		}, 1, core.Error{Kind: core.Failed, What: "record 7 is bad", Where: "file:///a at byte 12", Remedy: "mend it"}},
		{"panic", func(context.Context, *core.Env) error { panic("boom") },
			2, core.Error{Kind: core.Failed, What: "the worker panicked: boom", Detail: "executor.TestWorkerErrors"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHost(t)
			done := h.launch(t, "a", assignment(0), tt.work)
			ok(t, h.Start("a"))
			got := h.wait(t, "ended", 1)[0].err
			if got == nil || got.Kind != tt.want.Kind || got.What != tt.want.What || got.Where != tt.want.Where || got.Remedy != tt.want.Remedy {
				t.Errorf("ended with %+v, want %+v", got, tt.want)
			}
			if got != nil && !strings.Contains(got.Detail, tt.want.Detail) {
				t.Errorf("detail %q lacks %q", got.Detail, tt.want.Detail)
			}
			if err := result(t, done); ExitCode(err) != tt.code {
				t.Errorf("exit code %d for %v, want %d", ExitCode(err), err, tt.code)
			}
		})
	}
}

func TestUnknownKind(t *testing.T) {
	h := newHost(t)
	a := assignment(0)
	a.Kind = "Nonesuch"
	done := h.launch(t, "a", a, echo)
	ok(t, h.Start("a"))
	if e := h.wait(t, "ended", 1)[0].err; e == nil || e.Kind != core.Invalid {
		t.Errorf("ended with %+v", e)
	}
	if result(t, done) == nil {
		t.Error("run answers nil")
	}
}

func TestStop(t *testing.T) {
	h := newHost(t)
	done := h.launch(t, "a", assignment(0), func(ctx context.Context, env *core.Env) error {
		ok := env.Send(ctx, []byte("up"))
		<-ctx.Done()
		return errors.Join(ok, ctx.Err())
	})
	ok(t, h.Start("a"))
	h.wait(t, "message", 1)
	ok(t, h.Stop("a", "released", patience))
	if e := h.wait(t, "ended", 1)[0]; e.err != nil {
		t.Errorf("a worker that was stopped ended with %v", e.err)
	}
	if err := result(t, done); err != nil {
		t.Error(err)
	}
}

func TestStopBeforeStart(t *testing.T) {
	h := newHost(t)
	done := h.launch(t, "a", assignment(0), echo)
	h.wait(t, "joined", 1)
	ok(t, h.Stop("a", "released", 0))
	if err := result(t, done); err != nil {
		t.Error(err)
	}
}

func TestWarm(t *testing.T) {
	h := newHost(t)
	done := h.launch(t, "w", nil, echo)
	if j := h.wait(t, "joined", 1)[0]; j.rank != (core.Rank{}) {
		t.Fatalf("a warm executor has rank %v", j.rank)
	}
	ok(t, h.Assign("w", assignment(1)))
	ok(t, h.SetGeneration("w", 1))
	ok(t, h.Start("w"))
	if j := h.wait(t, "joined", 2)[1]; j.rank.Rank != 1 {
		t.Fatalf("joined again as %+v", j)
	}
	if core.KindOf(h.Assign("w", assignment(0))) != core.Conflict {
		t.Error("a warm executor was assigned twice")
	}
	ok(t, h.Send("w", 1, []byte("end")))
	h.wait(t, "ended", 1)
	if err := result(t, done); err != nil {
		t.Error(err)
	}
	if c := h.of("closed"); len(c) > 0 && c[0].text == "" {
		t.Error("closed without a reason")
	}
}

func TestGenerations(t *testing.T) {
	h := newHost(t)
	taken := make(chan string, 8)
	gate := make(chan struct{})
	h.launch(t, "a", assignment(0), func(ctx context.Context, env *core.Env) error {
		if err := env.Send(ctx, []byte("ready")); err != nil {
			return err
		}
		<-gate
		for msg := range env.Inbox {
			taken <- string(msg)
		}
		return nil
	})
	ok(t, h.SetGeneration("a", 1))
	ok(t, h.Start("a"))
	h.wait(t, "message", 1)
	ok(t, h.Send("a", 1, []byte("of the first")))
	ok(t, h.SetGeneration("a", 2))
	ok(t, h.Send("a", 2, []byte("of the second")))
	ok(t, h.Send("a", 2, []byte("again of the second")))
	close(gate)
	for _, want := range []string{"of the second", "again of the second"} {
		got := <-taken
		if got == "of the first" {
			// It may have been on the way to the worker when the generation
			// changed, but never after a newer one.
			got = <-taken
		}
		if got != want {
			t.Errorf("worker got %q, want %q", got, want)
		}
	}
}
