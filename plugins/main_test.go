package plugins

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/capstan-run/capstan/core"
)

// TestMain lets the test binary be a plugin and a host, as the real one is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "plugin":
			ServePlugin(actor{})
			return
		case "host":
			hostUntilKilled()
			return
		}
	}
	goleak.VerifyTestMain(m)
}

// actor is a framework that does what its spec says.
type actor struct{}

type script struct {
	Plan string `json:"plan,omitempty"`
	Run  string `json:"run,omitempty"`
}

func (actor) Describe() core.Description {
	return core.Description{Kind: "Actor", Version: "1", Schema: json.RawMessage(`{"type":"object"}`), Summary: "acts"}
}

func scriptOf(job *core.Job) (s script) {
	if err := json.Unmarshal(job.Spec.Body, &s); err != nil {
		panic(err)
	}
	return s
}

func (actor) Plan(ctx context.Context, job *core.Job) (*core.Plan, error) {
	switch act := scriptOf(job).Plan; act {
	case "crash":
		panic("a bug in Plan")
	case "refuse":
		return nil, &core.Error{
			Kind: core.Invalid, What: "the spec is bad", Where: "spec", Remedy: "mend it",
			Diagnostics: []core.Diagnostic{{Path: "spec.plan", Line: 3, Column: 7, Message: "no such act"}},
		}
	case "wait":
		<-ctx.Done()
		return nil, ctx.Err()
	case "pid":
		return &core.Plan{Gangs: []core.GangAsk{{Name: strconv.Itoa(os.Getpid())}}}, nil
	}
	return &core.Plan{Gangs: []core.GangAsk{{Name: "main", Gang: job.Spec.Gang}}}, nil
}

func (actor) Run(ctx context.Context, a *core.Attempt, host core.Host) (core.Report, error) {
	host.Report(core.Progress{Note: strconv.Itoa(os.Getpid())})
	switch act := scriptOf(a.Job).Run; act {
	case "wait":
		<-ctx.Done()
		return core.Report{}, ctx.Err()
	case "panic":
		panic("a bug in Run")
	case "fail":
		return core.Report{}, core.Errorf(core.Failed, "record 7 is bad").At("file:///a").Do("mend it")
	case "talk":
		return talk(ctx, a, host)
	}
	return core.Report{Notes: []string{fmt.Sprintf("%d %d %s %s", a.Epoch, a.Generation, a.Saved, a.Store.Prefix)}}, nil
}

// talk uses all of core.Host.
func talk(ctx context.Context, a *core.Attempt, host core.Host) (core.Report, error) {
	a.Log.Warn("begins", "epoch", a.Epoch)
	var r core.Report
	if err := host.WantGang(core.GangAsk{Name: "main", Gang: core.Gang{Size: 2}}); err != nil {
		return r, err
	}
	for {
		switch e := (<-host.Events()).(type) {
		case core.GangUp:
			r.Notes = append(r.Notes, fmt.Sprintf("up %v %v %v %v", e.Size, e.Nodes, e.Resumed, e.Lost))
			if err := host.Send("main", 1, []byte("hello")); err != nil {
				return r, err
			}
		case core.Message:
			r.Notes = append(r.Notes, fmt.Sprintf("message %d %s", e.Rank, e.Data))
			if err := host.Save(ctx, []byte("state")); err != nil {
				r.Notes = append(r.Notes, "save: "+err.Error())
			}
		case core.ExecutorLost:
			r.Notes = append(r.Notes, fmt.Sprintf("lost %d %s", e.Rank, e.Reason))
		case core.ExecutorReplaced:
			r.Notes = append(r.Notes, fmt.Sprintf("replaced %d", e.Rank))
		case core.GangRefused:
			r.Notes = append(r.Notes, fmt.Sprintf("refused %s: %v", e.Gang, e.Err))
		case core.Command:
			a := core.Answer{Number: e.Number, Result: e.Args}
			if e.Verb == "dance" {
				a.Refused = core.Errorf(core.Invalid, "no room")
			}
			if err := host.Answer(a); err != nil {
				return r, err
			}
		case core.CancelAsked:
			r.Notes = append(r.Notes, "cancel "+e.Reason)
			if err := host.EndGang("side", true); err != nil {
				return r, err
			}
			return r, host.ReleaseGang("main")
		case nil:
			return r, core.Errorf(core.Internal, "events ended")
		}
	}
}

func (actor) Work(context.Context, *core.Env) error { return nil }

// hostUntilKilled is a host that starts plugin processes, names their pids on
// stdout and waits for its end.
func hostUntilKilled() {
	s, err := New(Config{BuiltIn: []Builtin{{Name: "actor", Args: []string{"plugin"}, Descriptions: []core.Description{actor{}.Describe()}}}})
	if err != nil {
		panic(err)
	}
	h := newFakeHost()
	go func() {
		if _, err := s.Run(context.Background(), "Actor", attemptOf(script{Run: "wait"}), h); err != nil {
			panic(err)
		}
	}()
	coordinator := (<-h.reports).Note
	plan, err := s.Plan(context.Background(), jobOf(script{Plan: "pid"}))
	if err != nil {
		panic(err)
	}
	fmt.Println(coordinator, plan.Gangs[0].Name)
	time.Sleep(time.Hour) // until killed
}

func jobOf(s script) *core.Job {
	body, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return &core.Job{ID: "test", Spec: core.Spec{Kind: "Actor", Body: body, Gang: core.Gang{Size: 2}}}
}

func attemptOf(s script) *core.Attempt {
	return &core.Attempt{Job: jobOf(s), Epoch: 3, Generation: 2}
}

// fakeHost is a core.Host that records.
type fakeHost struct {
	events  chan core.Event
	calls   chan string
	reports chan core.Progress
	wantErr error
	saveErr error
}

func newFakeHost() *fakeHost {
	return &fakeHost{events: make(chan core.Event, 16), calls: make(chan string, 64), reports: make(chan core.Progress, 64)}
}

func (h *fakeHost) Events() <-chan core.Event { return h.events }
func (h *fakeHost) WantGang(a core.GangAsk) error {
	h.calls <- fmt.Sprintf("want %s %d", a.Name, a.Size)
	return h.wantErr
}
func (h *fakeHost) ReleaseGang(name string) error { h.calls <- "release " + name; return nil }
func (h *fakeHost) EndGang(name string, ok bool) error {
	h.calls <- fmt.Sprintf("end %s %t", name, ok)
	return nil
}
func (h *fakeHost) Answer(a core.Answer) error {
	h.calls <- fmt.Sprintf("answer %d %s %v", a.Number, a.Result, a.Refused)
	return nil
}
func (h *fakeHost) Send(gang string, rank int, msg []byte) error {
	h.calls <- fmt.Sprintf("send %s %d %s", gang, rank, msg)
	return nil
}
func (h *fakeHost) Report(p core.Progress) { h.reports <- p }
func (h *fakeHost) Save(_ context.Context, state []byte) error {
	h.calls <- "save " + string(state)
	return h.saveErr
}

// nullHost takes everything.
type nullHost struct{ core.Host }

func (nullHost) WantGang(core.GangAsk) error    { return nil }
func (nullHost) ReleaseGang(string) error       { return nil }
func (nullHost) EndGang(string, bool) error     { return nil }
func (nullHost) Answer(core.Answer) error       { return nil }
func (nullHost) Send(string, int, []byte) error { return nil }
func (nullHost) Report(core.Progress)           {}

var discard = slog.New(slog.DiscardHandler)
