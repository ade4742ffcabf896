// Package framework makes MPI a core.Framework: what the host, the plugin process
// and every executor of an MPI job call.
//
// # Laws
//
//	F1  Plan changes nothing and looks at nothing but the document.
//	F2  A container sees the working directories that the job names, read-only, and
//	    of the store the job's own and what checkpoint.to names.
//	F3  The executors of a gang on one machine share memory and see each other's
//	    processes, if there are several: they are one program. Nobody else does.
//
// # Left out
//
// User code in the coordinator: programs run in executors only.
package framework

import (
	"context"
	"slices"
	"strings"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/mpi/coordinate"
	"github.com/capstan-run/capstan/frameworks/mpi/spec"
	"github.com/capstan-run/capstan/frameworks/mpi/work"
)

// Version is the framework's own.
const Version = "1"

// runsOfGeneration is more runs than a generation of the coordinator begins, so
// that their numbers are never used twice.
const runsOfGeneration = 1 << 20

// Framework is a core.Framework. Its methods may be called from any goroutine.
type Framework struct{}

var _ core.Framework = Framework{}

// Describe is core.Framework's.
func (Framework) Describe() core.Description {
	return core.Description{
		Kind:    spec.Kind,
		Version: Version,
		Schema:  spec.Schema(),
		Example: spec.Example(),
		Summary: "run an MPI program, unmodified, as one world of ranks",
		Ships:   spec.Ships(),
	}
}

// Plan is core.Framework's.
func (f Framework) Plan(_ context.Context, job *core.Job) (*core.Plan, error) {
	if found := f.Check(&job.Spec); len(found) > 0 {
		return nil, &core.Error{Kind: core.Invalid, What: "the spec is not valid", Diagnostics: found}
	}
	gang, layout, err := ask(job)
	if err != nil {
		return nil, err
	}
	return &core.Plan{Gangs: []core.GangAsk{gang}, Stages: []core.PlanStage{{Name: "ranks", Tasks: layout.Ranks}}}, nil
}

// Check finds the faults of a document that its schema lets pass.
func (Framework) Check(s *core.Spec) []core.Diagnostic { return spec.Check(s) }

// Run is core.Framework's.
func (Framework) Run(ctx context.Context, a *core.Attempt, host core.Host) (core.Report, error) {
	gang, _, err := ask(a.Job)
	if err != nil {
		return core.Report{}, err
	}
	body, err := spec.Parse(a.Job.Spec.Body)
	if err != nil {
		return core.Report{}, err
	}
	c := coordinate.Config{Job: a.Job.ID, Epoch: a.Epoch, Body: body, Gang: gang,
		FirstRun: int(max(a.Generation, 1)-1) * runsOfGeneration}
	return coordinate.Run(ctx, coordinate.Attempt{Config: c, Saved: a.Saved, Log: a.Log}, host)
}

// Work is core.Framework's.
func (Framework) Work(ctx context.Context, env *core.Env) error { return work.Run(ctx, env) }

// gangName is the gang of the job's own world.
const gangName = "main"

// ask is the gang a job wants: a core for each rank unless it says otherwise.
func ask(job *core.Job) (core.GangAsk, spec.Layout, error) {
	body, err := spec.Parse(job.Spec.Body)
	if err != nil {
		return core.GangAsk{}, spec.Layout{}, err
	}
	layout, err := body.Layout(job.Spec.Gang.Size)
	if err != nil {
		return core.GangAsk{}, layout, err
	}
	a := core.GangAsk{
		Name: gangName, Gang: job.Spec.Gang,
		Files: body.Shipped().Files(), Userland: job.Spec.Gang.Image == "", ReadOnly: workdirs(body),
	}
	a.Size, a.Together = layout.Executors, layout.Executors > 1
	if a.CPU == 0 {
		a.CPU = core.MilliCPU(layout.PPN) * 1000
	}
	if a.Memory == 0 {
		a.Memory = 512 << 20
	}
	if to, ok := strings.CutPrefix(body.Checkpoint.To, "s3://"); ok {
		a.Store = append(a.Store, core.StoreGrant{Prefix: strings.TrimSuffix(to, "/") + "/", Write: true})
	}
	a.Restart = "none"
	if body.Failure == spec.Restart {
		a.Restart = "member"
	}
	return a, layout, nil
}

// workdirs are the folders of the machine in which ranks run.
func workdirs(b *spec.Body) []string {
	list := []string{b.Workdir}
	for _, p := range b.Programs {
		list = append(list, p.Workdir)
	}
	slices.Sort(list)
	return slices.DeleteFunc(slices.Compact(list), func(s string) bool { return s == "" })
}
