package plugintest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"go.uber.org/goleak"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/plugins/plugintest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// roll is a framework that calls the roll: every rank says "here".
type roll struct{}

func (roll) Describe() core.Description {
	return core.Description{
		Kind: "Roll", Version: "1", Summary: "calls the roll", Example: "kind: Roll",
		Schema: json.RawMessage(`{"type": "object", "properties": {"fault": {"type": "string"}}, "additionalProperties": false}`),
	}
}

func (roll) Plan(_ context.Context, job *core.Job) (*core.Plan, error) {
	return &core.Plan{Gangs: []core.GangAsk{{Name: "main", Gang: job.Spec.Gang}}}, nil
}

func (roll) Run(ctx context.Context, a *core.Attempt, host core.Host) (core.Report, error) {
	size := a.Job.Spec.Gang.Size
	if err := host.WantGang(core.GangAsk{Name: "main", Gang: a.Job.Spec.Gang}); err != nil {
		return core.Report{}, err
	}
	here := map[int]bool{}
	var report core.Report
	for len(here) < size {
		select {
		case e := <-host.Events():
			switch e := e.(type) {
			case core.GangUp:
				for rank := range size {
					if err := host.Send("main", rank, []byte("who?")); err != nil {
						return report, err
					}
				}
			case core.Message:
				here[e.Rank] = true
				if err := host.Save(ctx, fmt.Append(nil, len(here))); err != nil {
					return report, err
				}
			case core.ExecutorLost:
				report.Notes = append(report.Notes, e.Reason)
				here[e.Rank] = true
			case core.CancelAsked:
				return report, core.Errorf(core.Cancelled, "%s", e.Reason)
			}
		case <-ctx.Done():
			return report, ctx.Err()
		}
	}
	return report, host.ReleaseGang("main")
}

func (roll) Work(ctx context.Context, env *core.Env) error {
	var body struct{ Fault string }
	if err := json.Unmarshal(env.Spec.Body, &body); err != nil {
		return err
	}
	for range env.Inbox {
		switch {
		case env.Rank.Rank == 0 && body.Fault == "error":
			return errors.New("out of paper")
		case env.Rank.Rank == 0 && body.Fault == "panic":
			panic("out of ink")
		}
		if err := env.Send(ctx, []byte("here")); err != nil {
			return err
		}
	}
	return nil
}

func spec(body string) core.Spec {
	return core.Spec{APIVersion: "capstan/v1", Kind: "Roll", Body: json.RawMessage(body)}
}

func TestConform(t *testing.T) {
	plugintest.Conform(t, roll{}, spec(`{}`), plugintest.Options{})
}

func TestWorkerFaults(t *testing.T) {
	for fault, want := range map[string]string{"error": "out of paper", "panic": "the worker panicked: out of ink"} {
		report, err := plugintest.Run(t, roll{}, spec(`{"fault": "`+fault+`"}`), plugintest.Options{})
		if err != nil || len(report.Notes) != 1 || report.Notes[0] != want {
			t.Errorf("%s: %v, notes %q", fault, err, report.Notes)
		}
	}
}

func TestSavedAndProgress(t *testing.T) {
	g := plugintest.NewGang(t, roll{}, spec(`{}`), plugintest.Options{Size: 3})
	if _, err := g.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := string(g.Saved()); got != "3" {
		t.Errorf("saved %q", got)
	}
}
