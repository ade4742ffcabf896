package framework

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/bsp/spec"
	"github.com/capstan-run/capstan/frameworks/bsp/work"
	"github.com/capstan-run/capstan/frameworks/dataset"
	"github.com/capstan-run/capstan/frameworks/dataset/input"
	"github.com/capstan-run/capstan/frameworks/dataset/output"
)

// Kind is the kind of job this framework understands.
const Kind = "BSP"

// Version is the framework's own.
const Version = "1"

// Framework is a core.Framework. Its methods may be called from any goroutine.
type Framework struct {
	functions work.Registry
}

var _ core.Framework = (*Framework)(nil)

// New makes a framework whose workers know functions beside the built-ins.
func New(functions work.Registry) *Framework { return &Framework{functions: functions} }

// Describe is core.Framework's.
func (f *Framework) Describe() core.Description {
	return core.Description{
		Kind:    Kind,
		Version: Version,
		Schema:  spec.Schema(),
		Example: spec.Example(),
		Summary: "supersteps over a graph or other input: built-in algorithms, vertex programs, Hama-style peers, with checkpoints",
		Ships:   spec.Ships(),
	}
}

// Plan is core.Framework's. It reads the input's listing, not its content.
func (f *Framework) Plan(ctx context.Context, job *core.Job) (*core.Plan, error) {
	body, warnings, err := f.check(&job.Spec)
	if err != nil {
		return nil, err
	}
	gang := ask(job, body)
	stage := core.PlanStage{Name: "supersteps", Tasks: gang.Size}
	if local(body.Input.Path) {
		found, err := splits(ctx, body.Input, gang, nil)
		if err != nil {
			return nil, invalid(err)
		}
		stage.Bytes = input.TotalBytes(found)
	}
	if err := output.Exists(ctx, nil, body.Output); err != nil {
		return nil, err
	}
	return &core.Plan{Gangs: []core.GangAsk{gang}, Stages: []core.PlanStage{stage}, Diagnostics: warnings}, nil
}

// local reports whether paths can be listed without the store.
func local(paths []string) bool {
	return !slices.ContainsFunc(paths, func(p string) bool { return strings.HasPrefix(p, "s3://") })
}

// Check finds the faults of a document that its schema lets pass, without
// looking at what it names.
func (f *Framework) Check(s *core.Spec) []core.Diagnostic {
	_, found, err := f.check(s)
	var e *core.Error
	if errors.As(err, &e) {
		return e.Diagnostics
	}
	return found
}

// check finds every fault of a document at once. Warnings do not refuse it.
func (f *Framework) check(s *core.Spec) (*spec.Body, []core.Diagnostic, error) {
	found := spec.Check(s)
	body, err := spec.Parse(s.Body)
	if err != nil {
		return nil, nil, err
	}
	found = append(found, f.checkAlgorithm(body)...)
	if slices.ContainsFunc(found, isError) {
		return nil, nil, &core.Error{Kind: core.Invalid, What: "the spec is not valid", Diagnostics: found}
	}
	return body, found, nil
}

func isError(d core.Diagnostic) bool { return !d.Warning }

// Work is core.Framework's. The process is the executor: its memory limit is
// told to the Go runtime.
func (f *Framework) Work(ctx context.Context, env *core.Env) error {
	w, err := work.New(env, f.program)
	if err != nil {
		return err
	}
	defer w.Close()
	return w.Serve(ctx)
}

// reader is what listing and planning need of the store; nil without s3:// input.
type reader interface {
	input.Lister
	input.Store
}

// splits lists an input and cuts it for the ranks of a gang; without one there
// are none.
func splits(ctx context.Context, in dataset.Input, gang core.GangAsk, st reader) ([]input.Split, error) {
	if len(in.Path) == 0 {
		return nil, nil
	}
	var lister input.Lister
	var objects input.Store
	if st != nil {
		lister, objects = st, st
	}
	files, err := input.List(ctx, in, lister)
	if err != nil {
		return nil, err
	}
	return input.Plan(ctx, files, input.PlanOptionsOf(in, objects, cores(gang)))
}

// cores is the number of splits that a gang reads well at once.
func cores(gang core.GangAsk) int {
	return max(gang.Size, int((int64(gang.Size)*int64(gang.CPU)+999)/1000))
}

// deal gives each rank a run of neighbouring splits of about as many bytes.
func deal(all []input.Split, size int) [][]input.Split {
	dealt := make([][]input.Split, size)
	total := max(1, input.TotalBytes(all))
	var before int64
	for _, s := range all {
		// By the middle of the split, so that no rank is left without for rounding.
		r := int((before + s.Bytes/2) * int64(size) / total)
		r = min(r, size-1)
		dealt[r] = append(dealt[r], s)
		before += s.Bytes
	}
	return dealt
}

// invalid makes a fault of a document out of one that was found by looking at
// what the document names.
func invalid(err error) error {
	var e *core.Error
	if errors.As(err, &e) && len(e.Diagnostics) == 0 && strings.HasPrefix(e.Where, "spec.") {
		e.Diagnostics = []core.Diagnostic{{Path: e.Where, Message: e.What, Remedy: e.Remedy}}
	}
	return err
}
