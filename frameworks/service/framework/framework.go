// Package framework makes Service a core.Framework: what the host, the plugin
// process and every executor of a service call.
//
// # Model
//
//	Describe  the schema, an example, the commands
//	Plan      check ─ ask for the first copies, each a gang of one executor
//	Run       package coordinate
//	Work      package work
//
// # Laws
//
//	F1  The plan's gangs are those the coordinator would ask for first, under the
//	    names it would give them: the host starts them before it runs.
//
// # Left out
//
// An end: a service runs until it is cancelled.
package framework

import (
	"context"
	"errors"
	"fmt"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/service/coordinate"
	"github.com/capstan-run/capstan/frameworks/service/spec"
	"github.com/capstan-run/capstan/frameworks/service/work"
)

// Kind is the kind of job this framework understands.
const Kind = "Service"

// Version is the framework's own.
const Version = "1"

// Framework is a core.Framework. Its methods may be called from any goroutine.
type Framework struct{}

var _ core.Framework = Framework{}

// New makes the framework.
func New() Framework { return Framework{} }

// Describe is core.Framework's.
func (Framework) Describe() core.Description {
	return core.Description{
		Kind: Kind, Version: Version, Schema: spec.Schema(), Example: spec.Example(), Ships: spec.Ships(),
		Summary:     "copies of a command kept alive: probes, rolling and canary updates, rollback, scale, volumes",
		LongRunning: true, Commands: coordinate.Verbs(),
	}
}

// Check finds the faults of a document that its schema lets pass.
func (Framework) Check(s *core.Spec) []core.Diagnostic { return spec.Check(s) }

// Plan is core.Framework's.
func (Framework) Plan(_ context.Context, job *core.Job) (*core.Plan, error) {
	if found := spec.Check(&job.Spec); len(found) > 0 {
		return nil, &core.Error{Kind: core.Invalid, What: "the spec is not valid", Diagnostics: found}
	}
	gangs, err := first(job)
	if err != nil {
		return nil, err
	}
	return &core.Plan{Gangs: gangs}, nil
}

// first are the gangs of the copies that a fresh service starts with.
func first(job *core.Job) ([]core.GangAsk, error) {
	body, err := spec.Of(&job.Spec)
	if err != nil {
		return nil, err
	}
	n := max(1, job.Spec.Gang.Size)
	if body.Ordered {
		n = 1
	}
	gangs := make([]core.GangAsk, n)
	for i := range gangs {
		gangs[i] = coordinate.Ask(job.ID, job.Spec, body, i, fmt.Sprintf("%s-%d", job.Spec.Metadata.Name, i), "")
	}
	return gangs, nil
}

// Run is core.Framework's.
func (Framework) Run(ctx context.Context, a *core.Attempt, host core.Host) (core.Report, error) {
	gangs, err := first(a.Job)
	if err != nil {
		return core.Report{}, err
	}
	planned := make([]string, len(gangs))
	for i, g := range gangs {
		planned[i] = g.Name
	}
	return coordinate.Run(ctx, a, host, planned)
}

// Work is core.Framework's.
func (Framework) Work(ctx context.Context, env *core.Env) error {
	if env.Spec.Kind != Kind {
		return errors.New("the executor is no copy of a service")
	}
	return work.Work(ctx, env)
}
