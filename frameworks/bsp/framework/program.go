package framework

import (
	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/bsp/algorithm"
	"github.com/capstan-run/capstan/frameworks/bsp/exec"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
	"github.com/capstan-run/capstan/frameworks/bsp/spec"
	"github.com/capstan-run/capstan/frameworks/bsp/work"
)

// program makes what a rank runs: a command, a function of this binary, or a
// built-in.
func (f *Framework) program(m work.Make) (peer.Program, error) {
	a := &m.Body.Algorithm
	if len(a.Exec) > 0 {
		return exec.New(command(m)), nil
	}
	if function, ok := f.functions[a.Use]; ok {
		return function(m)
	}
	if a.Program != "" {
		return nil, core.Errorf(core.Invalid, "the program has no function %q", a.Use).At("spec.algorithm.use").
			Do("use one of its own, or remove program for a built-in")
	}
	return algorithm.New(a.Use, algorithm.Setup{Graph: m.Graph(), With: a.With})
}

// checkAlgorithm finds the faults of a built-in's name and options (law F4).
// What a program's functions are only the program knows.
func (f *Framework) checkAlgorithm(body *spec.Body) []core.Diagnostic {
	a := &body.Algorithm
	if a.Program != "" || a.Use == "" || len(a.Exec) > 0 {
		return nil
	}
	if _, ok := f.functions[a.Use]; ok {
		return nil
	}
	known, err := algorithm.Find(a.Use)
	if err != nil {
		return diagnostics(err)
	}
	_, err = known.New(algorithm.Setup{Graph: work.Make{Body: body}.Graph(), With: a.With})
	found := append(diagnostics(err), known.Check(body.Input.Format, body.Graph != nil)...)
	if !known.Alone() && !body.HasInput() {
		found = append(found, core.Diagnostic{Path: "spec.input", Message: known.Name + " has nothing to read", Remedy: "add input: {path: ...}"})
	}
	return found
}

// diagnostics are the faults that err tells of.
func diagnostics(err error) []core.Diagnostic {
	if err == nil {
		return nil
	}
	e := core.AsError(err)
	if len(e.Diagnostics) > 0 {
		return e.Diagnostics
	}
	return []core.Diagnostic{{Path: e.Where, Message: e.What, Remedy: e.Remedy}}
}
