package framework

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/dataset/input"
	"github.com/capstan-run/capstan/frameworks/dataset/output"
	"github.com/capstan-run/capstan/frameworks/mapreduce/spec"
	"github.com/capstan-run/capstan/frameworks/mapreduce/work"
)

// Kind is the kind of job this framework understands.
const Kind = "MapReduce"

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
		Summary: "map, shuffle and reduce records of files: built-ins, scripts over lines or Arrow, Go programs",
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
	stages, err := predict(ctx, body, gang)
	if err != nil {
		return nil, invalid(err)
	}
	if err := output.Exists(ctx, nil, body.Output); err != nil {
		return nil, err
	}
	return &core.Plan{Gangs: []core.GangAsk{gang}, Stages: stages, Diagnostics: warnings}, nil
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
	found := spec.Check(s, work.BuiltIns())
	body, err := spec.Parse(s.Body)
	if err != nil {
		return nil, nil, err
	}
	// What a program's functions are only the program knows.
	program := slices.ContainsFunc(body.Steps(), func(s spec.NamedStep) bool { return s.Program != "" })
	if !program && !slices.ContainsFunc(found, ofSteps) {
		found = append(found, work.Check(body, f.functions)...)
	}
	if slices.ContainsFunc(found, isError) {
		return nil, nil, &core.Error{Kind: core.Invalid, What: "the spec is not valid", Diagnostics: found}
	}
	return body, found, nil
}

func isError(d core.Diagnostic) bool { return !d.Warning }

// ofSteps reports whether d is a fault of the steps or of what lies between
// them, with which whether they fit each other cannot be told.
func ofSteps(d core.Diagnostic) bool {
	for _, place := range []string{"spec", "spec.map", "spec.combine", "spec.reduce", "spec.shuffle", "spec.input.format"} {
		if !d.Warning && (d.Path == place || place != "spec" && strings.HasPrefix(d.Path, place+".")) {
			return true
		}
	}
	return false
}

// predict is the stages of a job. Of reduce tasks it knows the most, since small
// partitions will share one, and of s3:// input not even that: the plan is made
// without the store.
func predict(ctx context.Context, body *spec.Body, gang core.GangAsk) ([]core.PlanStage, error) {
	stage := core.PlanStage{Name: "map"}
	if !slices.ContainsFunc(body.Input.Path, func(p string) bool { return strings.HasPrefix(p, "s3://") }) {
		splits, err := splits(ctx, body, gang, nil)
		if err != nil {
			return nil, err
		}
		stage.Tasks = len(splits)
		stage.Bytes = input.TotalBytes(splits)
	}
	stages := []core.PlanStage{stage}
	if n := work.Partitions(body, gang.Size, gang.CPU, stage.Bytes); n > 0 {
		stages = append(stages, core.PlanStage{Name: "reduce", Tasks: n, AtMost: n > 1})
	}
	return stages, nil
}

// reader is what listing and planning need of the store; nil without s3:// input.
type reader interface {
	input.Lister
	input.Store
}

// splits lists the input and cuts it for the cores of a gang.
func splits(ctx context.Context, body *spec.Body, gang core.GangAsk, st reader) ([]input.Split, error) {
	var lister input.Lister
	var objects input.Store
	if st != nil {
		lister, objects = st, st
	}
	files, err := input.List(ctx, body.Input, lister)
	if err != nil {
		return nil, err
	}
	in := body.Input
	if in.SplitSize == 0 {
		in.SplitSize = work.SplitSize(body)
	}
	return input.Plan(ctx, files, input.PlanOptionsOf(in, objects, cores(gang)))
}

// cores is the number of tasks a gang runs well at once.
func cores(gang core.GangAsk) int {
	return max(gang.Size, int((int64(gang.Size)*int64(gang.CPU)+999)/1000))
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

// Work is core.Framework's. The process is the executor: its memory limit is
// told to the Go runtime.
func (f *Framework) Work(ctx context.Context, env *core.Env) error {
	w, err := work.New(env, f.functions)
	if err != nil {
		return err
	}
	defer w.Close()
	return work.Loop(ctx, env, w.Run)
}
