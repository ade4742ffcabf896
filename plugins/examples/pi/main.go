// Command pi is a whole Capstan framework in one file: a module of its own,
// with a kind of its own, that Capstan knows nothing about. Built and put into
// a host's plugin folder, it runs jobs such as
//
//	apiVersion: capstan/v1
//	kind: Pi
//	metadata: {name: pi}
//	gang: {size: 4, cpu: 250m, memory: 128Mi}
//	spec: {terms: 100000000}
//
// Every rank adds up its share of Leibniz's series; the coordinator adds up
// the ranks. A lost rank's share is computed again by its replacement.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/plugins"
)

func main() { plugins.Serve(Pi{}) }

// Pi computes π.
type Pi struct{}

// Spec is the body of a Pi job.
type Spec struct {
	Terms int64 `json:"terms"`
}

const schema = `{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "additionalProperties": false,
  "required": ["terms"],
  "properties": {
    "terms": {"type": "integer", "minimum": 1, "description": "terms of the series to add up"}
  }
}`

const example = `apiVersion: capstan/v1
kind: Pi
metadata: {name: pi}
gang: {size: 4, cpu: 250m, memory: 128Mi}
spec:
  terms: 100000000   # more terms, more digits
`

// Describe implements core.Framework.
func (Pi) Describe() core.Description {
	return core.Description{
		Kind: "Pi", Version: "1", Schema: json.RawMessage(schema), Example: example,
		Summary: "computes π by Leibniz's series, the terms shared out among the ranks",
	}
}

// Plan implements core.Framework.
func (Pi) Plan(_ context.Context, job *core.Job) (*core.Plan, error) {
	spec, err := parse(job)
	if err != nil {
		return nil, err
	}
	if spec.Terms < int64(job.Spec.Gang.Size) {
		return nil, &core.Error{Kind: core.Invalid, What: "fewer terms than ranks", Diagnostics: []core.Diagnostic{
			{Path: "spec.terms", Message: fmt.Sprintf("%d terms for a gang of %d", spec.Terms, job.Spec.Gang.Size)},
		}}
	}
	return &core.Plan{
		Gangs:  []core.GangAsk{{Name: "main", Gang: job.Spec.Gang}},
		Stages: []core.PlanStage{{Name: "sum", Tasks: job.Spec.Gang.Size}},
	}, nil
}

func parse(job *core.Job) (Spec, error) {
	var spec Spec
	if err := json.Unmarshal(job.Spec.Body, &spec); err != nil {
		return spec, &core.Error{Kind: core.Invalid, What: "spec", Err: err}
	}
	return spec, nil
}

// Run implements core.Framework.
func (Pi) Run(ctx context.Context, a *core.Attempt, host core.Host) (core.Report, error) {
	spec, err := parse(a.Job)
	if err != nil {
		return core.Report{}, err
	}
	size := a.Job.Spec.Gang.Size
	if err := host.WantGang(core.GangAsk{Name: "main", Gang: a.Job.Spec.Gang}); err != nil {
		return core.Report{}, err
	}
	ask := func(rank int) error {
		share := fmt.Sprintf("%d %d %d", rank, size, spec.Terms)
		return host.Send("main", rank, []byte(share))
	}
	shares := map[int]float64{}
	for len(shares) < size {
		var e core.Event
		select {
		case e = <-host.Events():
		case <-ctx.Done():
			return core.Report{}, ctx.Err()
		}
		switch e := e.(type) {
		case core.GangUp:
			for rank := range size {
				err = firstOf(err, ask(rank))
			}
		case core.ExecutorReplaced:
			if _, have := shares[e.Rank]; !have {
				err = ask(e.Rank)
			}
		case core.Message:
			shares[e.Rank], err = strconv.ParseFloat(string(e.Data), 64)
			host.Report(core.Progress{Stages: []core.Stage{{Name: "sum", Tasks: size, Done: len(shares)}}})
		case core.CancelAsked:
			return core.Report{}, core.Errorf(core.Cancelled, "cancelled: %s", e.Reason)
		}
		if err != nil {
			return core.Report{}, err
		}
	}
	var pi float64
	for rank := range size {
		pi += 4 * shares[rank]
	}
	a.Log.Info("all ranks answered", "pi", pi)
	return core.Report{
		RecordsIn: spec.Terms,
		Preview:   &core.Table{Columns: []string{"pi"}, Rows: [][]string{{strconv.FormatFloat(pi, 'f', 6, 64)}}},
	}, nil
}

func firstOf(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// Work implements core.Framework: every message asks for the sum of one share.
func (Pi) Work(ctx context.Context, env *core.Env) error {
	for msg := range env.Inbox {
		var rank, size, terms int64
		if _, err := fmt.Sscan(string(msg), &rank, &size, &terms); err != nil {
			return fmt.Errorf("share %q: %w", msg, err)
		}
		sum := 0.0
		for n := rank; n < terms; n += size {
			if n%2 == 0 {
				sum += 1 / float64(2*n+1)
			} else {
				sum -= 1 / float64(2*n+1)
			}
		}
		env.Log.Info("share done", "rank", rank, "sum", sum)
		if err := env.Send(ctx, []byte(strconv.FormatFloat(sum, 'g', -1, 64))); err != nil {
			return err
		}
	}
	return nil
}
