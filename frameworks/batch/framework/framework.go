package framework

import (
	"context"
	"slices"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/batch/spec"
	"github.com/capstan-run/capstan/frameworks/batch/work"
)

// Version is the framework's own.
const Version = "1"

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
		Summary: "run a command, script or image as a gang: by each rank or once, with arrays",
		Ships:   spec.Ships(),
	}
}

// Plan is core.Framework's.
func (f Framework) Plan(_ context.Context, job *core.Job) (*core.Plan, error) {
	if found := f.Check(&job.Spec); len(found) > 0 {
		return nil, &core.Error{Kind: core.Invalid, What: "the spec is not valid", Diagnostics: found}
	}
	body, err := spec.Parse(job.Spec.Body)
	if err != nil {
		return nil, err
	}
	if err := writable(job, body); err != nil {
		return nil, err
	}
	gang := ask(job, body)
	stage := core.PlanStage{Name: "tasks", Tasks: gang.Size}
	if body.ByGang() {
		stage.Tasks = 1
	}
	if list := job.Spec.Metadata.Array; list != "" {
		array, err := core.ParseArray(list)
		if err != nil {
			return nil, core.Errorf(core.Invalid, "%v", err).At("metadata.array")
		}
		stage.Name, stage.Tasks = "elements", array.Len()
	}
	return &core.Plan{Gangs: []core.GangAsk{gang}, Stages: []core.PlanStage{stage}}, nil
}

// Check finds the faults of a document that its schema lets pass, without
// looking at what it names.
func (Framework) Check(s *core.Spec) []core.Diagnostic { return spec.Check(s) }

// Work is core.Framework's.
func (Framework) Work(ctx context.Context, env *core.Env) error { return work.Run(ctx, env) }

// gangName is the one gang of a job, or of each element of its array.
const gangName = "main"

// ask is the gang a job wants.
func ask(job *core.Job, body *spec.Body) core.GangAsk {
	a := core.GangAsk{
		Name: gangName, Gang: job.Spec.Gang, Array: job.Spec.Metadata.Array,
		Files: body.Shipped().Files(), Userland: job.Spec.Gang.Image == "", Store: grants(body),
	}
	if a.Size == 0 {
		a.Size = 2
	}
	if a.CPU == 0 {
		a.CPU = 1000
	}
	if a.Memory == 0 {
		a.Memory = 512 << 20
	}
	if body.Workdir != "" {
		a.ReadOnly = []string{body.Workdir}
	}
	if a.Restart == "" {
		a.Restart = "member"
		if body.ByGang() { // the script may be using every executor
			a.Restart = "gang"
		}
	}
	return a
}

// grants are the places of the store that streams name. A pattern in a name
// leaves the bucket and the folders before it.
func grants(body *spec.Body) []core.StoreGrant {
	var list []core.StoreGrant
	for _, s := range []struct {
		url   string
		write bool
	}{{body.Stdin, false}, {body.Stdout, true}, {body.Stderr, true}} {
		prefix, ok := spec.Fixed(s.url)
		if g := (core.StoreGrant{Prefix: prefix, Write: s.write}); ok && !slices.Contains(list, g) {
			list = append(list, g)
		}
	}
	return list
}
