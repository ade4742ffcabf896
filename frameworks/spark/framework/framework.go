// Package framework makes Spark a core.Framework: what the host, the plugin
// process and every executor of a Spark job call.
//
// # Laws
//
//	F1  Plan changes nothing. It looks where the distribution's Java and Python
//	    really are, so that containers see them.
//	F2  A container sees the distribution and spec.data read-only, and of the store
//	    what results and eventLog name.
package framework

import (
	"context"
	"strings"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/spark/coordinate"
	"github.com/capstan-run/capstan/frameworks/spark/spec"
	"github.com/capstan-run/capstan/frameworks/spark/work"
)

// Version is the framework's own.
const Version = "1"

// Framework is a core.Framework. Its methods may be called from any goroutine.
type Framework struct{}

var _ core.Framework = Framework{}

// Describe is core.Framework's.
func (Framework) Describe() core.Description {
	return core.Description{
		Kind: spec.Kind, Version: Version, Schema: spec.Schema(), Example: spec.Example(), Ships: spec.Ships(),
		Summary: "an unmodified Spark application on a gang of its own: master, workers and driver",
	}
}

// Check finds the faults of a document that its schema lets pass.
func (Framework) Check(s *core.Spec) []core.Diagnostic { return spec.Check(s) }

// Plan is core.Framework's.
func (f Framework) Plan(_ context.Context, job *core.Job) (*core.Plan, error) {
	if found := f.Check(&job.Spec); len(found) > 0 {
		return nil, &core.Error{Kind: core.Invalid, What: "the spec is not valid", Diagnostics: found}
	}
	body, err := spec.Parse(job.Spec.Body)
	if err != nil {
		return nil, err
	}
	return &core.Plan{Gangs: []core.GangAsk{ask(job, body)}}, nil
}

// Run is core.Framework's.
func (Framework) Run(ctx context.Context, a *core.Attempt, host core.Host) (core.Report, error) {
	body, err := spec.Parse(a.Job.Spec.Body)
	if err != nil {
		return core.Report{}, err
	}
	c := coordinate.Config{App: base(body.App), FirstRun: int(max(a.Generation, 1)-1) * runsOfGeneration, Grace: grace(&a.Job.Spec.Gang)}
	return coordinate.Run(ctx, coordinate.Attempt{Config: c, Gang: ask(a.Job, body), Log: a.Log}, host)
}

// Work is core.Framework's.
func (Framework) Work(ctx context.Context, env *core.Env) error { return work.Run(ctx, env) }

// runsOfGeneration is more runs than a generation of the coordinator starts.
const runsOfGeneration = 1 << 20

func grace(g *core.Gang) time.Duration {
	if d := time.Duration(g.Grace); d > 0 {
		return d
	}
	return 30 * time.Second
}

func base(path string) string { return path[strings.LastIndex(path, "/")+1:] }
