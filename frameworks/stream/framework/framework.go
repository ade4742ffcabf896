// Package framework makes Stream a core.Framework: what the host, the plugin
// process and every executor of a topology call.
//
// # Model
//
//	Describe  the schema, an example
//	Plan      check ─ one gang
//	Run       package coordinate
//	Work      package work
//
// # Laws
//
//	F1  A document needs a place of its own for its epochs (spec.state): what a
//	    topology holds outlives the job that runs it, and another job that is given
//	    the same place goes on from there.
//
// # Left out
//
// Commands to a topology that runs.
package framework

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/dataset/input"
	"github.com/capstan-run/capstan/frameworks/stream/coordinate"
	"github.com/capstan-run/capstan/frameworks/stream/engine"
	"github.com/capstan-run/capstan/frameworks/stream/operator"
	"github.com/capstan-run/capstan/frameworks/stream/snapshot"
	"github.com/capstan-run/capstan/frameworks/stream/spec"
	"github.com/capstan-run/capstan/frameworks/stream/topology"
	"github.com/capstan-run/capstan/frameworks/stream/work"
	"github.com/capstan-run/capstan/shuffle/store"
)

// Kind is the kind of job this framework understands.
const Kind = "Stream"

// Version is the framework's own.
const Version = "1"

// Framework is a core.Framework. Its methods may be called from any goroutine.
type Framework struct{}

var _ core.Framework = Framework{}

// New makes the framework.
func New() Framework { return Framework{} }

// Describe is core.Framework's.
func (Framework) Describe() core.Description {
	return core.Description{Kind: Kind, Version: Version, Schema: spec.Schema(), Example: spec.Example(), Ships: spec.Ships(),
		Summary: "topologies of sources, operators and sinks: exactly once, from epoch to epoch"}
}

// Check finds the faults of a document that its schema lets pass.
func (Framework) Check(s *core.Spec) []core.Diagnostic {
	_, _, found := check(s)
	return found
}

func check(s *core.Spec) (*topology.Topology, *spec.Body, []core.Diagnostic) {
	t, found := spec.Topology(s, operator.Catalog())
	b, err := spec.Parse(s.Body)
	if err != nil {
		return nil, nil, found
	}
	if b.State == "" {
		found = append(found, core.Diagnostic{Path: "spec.state", Message: "a topology on a gang has no place for its epochs",
			Remedy: `give it one that is its own, such as "s3://streams/` + s.Metadata.Name + `"`})
	}
	found = append(found, b.Shipped().Clashes()...)
	for _, c := range t.Components {
		if path := told(c); c.Use == "files" && strings.HasPrefix(path, "file:") {
			found = append(found, core.Diagnostic{Path: c.At + ".with.path", Message: "executors cannot write to " + path, Remedy: "write to s3://"})
		}
	}
	return t, b, found
}

func isFault(d core.Diagnostic) bool { return !d.Warning }

// Plan is core.Framework's.
func (Framework) Plan(_ context.Context, job *core.Job) (*core.Plan, error) {
	t, b, found := check(&job.Spec)
	if slices.ContainsFunc(found, isFault) {
		return nil, &core.Error{Kind: core.Invalid, What: "the spec is not valid", Diagnostics: found}
	}
	plan := &core.Plan{Gangs: []core.GangAsk{ask(job, t, b)}, Diagnostics: found}
	for _, c := range t.Components {
		plan.Stages = append(plan.Stages, core.PlanStage{Name: c.ID, Tasks: c.Tasks})
	}
	return plan, nil
}

// Run is core.Framework's.
func (Framework) Run(ctx context.Context, a *core.Attempt, host core.Host) (core.Report, error) {
	t, b, found := check(&a.Job.Spec)
	if slices.ContainsFunc(found, isFault) {
		return core.Report{}, &core.Error{Kind: core.Invalid, What: "the spec is not valid", Diagnostics: found}
	}
	client, err := store.Tell(a.Log).Open(a.Store)
	if err != nil {
		return core.Report{}, err
	}
	defer client.Close()
	return coordinate.Run(ctx, coordinate.Attempt{
		Topology: t, Gang: ask(a.Job, t, b), Log: a.Log, Store: objects(client, b),
		Owner: fmt.Sprintf("%s-%d-%d", a.Job.ID, a.Epoch, a.Generation),
	}, host)
}

// Work is core.Framework's.
func (Framework) Work(ctx context.Context, env *core.Env) error {
	t, b, _ := check(&env.Spec)
	if t == nil {
		return errors.New("the executor's spec is no topology")
	}
	client, err := store.Tell(env.Log).Open(env.Store)
	if err != nil {
		return err
	}
	defer client.Close()
	w := &work.Worker{Env: env, Config: engine.Config{
		Topology: inFiles(t, env.Files), Store: objects(client, b), Results: operator.Results{Client: client},
		Dir: env.Files, Env: environ(env), Scratch: env.Scratch, Logger: env.Log,
	}}
	return w.Serve(ctx)
}

// objects are those of the place that a document names.
func objects(client *store.Client, b *spec.Body) snapshot.Objects {
	return snapshot.Objects{Client: client, Prefix: prefix(b.State)}
}

func prefix(url string) string { return strings.TrimRight(strings.TrimPrefix(url, "s3://"), "/") + "/" }

// ask is the gang that a topology wants.
func ask(job *core.Job, t *topology.Topology, b *spec.Body) core.GangAsk {
	a := core.GangAsk{Name: "main", Gang: job.Spec.Gang, Store: []core.StoreGrant{{Prefix: prefix(b.State), Write: true}}}
	if a.Size == 0 {
		a.Size = 2
	}
	if a.CPU == 0 {
		a.CPU = 1000
	}
	if a.Memory == 0 {
		a.Memory = 512 << 20
	}
	shipped := b.Shipped()
	a.Files = shipped.Files()
	for _, c := range t.Components {
		a.Userland = a.Userland || len(c.Exec) > 0 && a.Image == ""
		switch path := told(c); {
		case c.Use == "lines":
			a.ReadOnly = append(a.ReadOnly, input.Base([]string{path})...)
		case c.Use == "files":
			a.Store = append(a.Store, core.StoreGrant{Prefix: prefix(path), Write: true})
		}
	}
	return a
}
