package framework

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
	"github.com/capstan-run/capstan/frameworks/bsp/spec"
)

// program makes what a rank runs: a function of this binary, or a built-in.
func (f *Framework) program(body *spec.Body) (peer.Program, error) {
	a := &body.Algorithm
	if make, ok := f.functions[a.Use]; ok && len(a.Exec) == 0 {
		return make(body)
	}
	names := slices.Sorted(maps.Keys(f.functions))
	return nil, core.Errorf(core.Invalid, "the program has no function %q", a.Use).At("spec.algorithm.use").
		Do("one of: " + strings.Join(names, ", "))
}

// checkAlgorithm finds the faults of a built-in's name and options. What a
// program's functions are only the program knows.
func (f *Framework) checkAlgorithm(body *spec.Body) []core.Diagnostic {
	a := &body.Algorithm
	if a.Program != "" || a.Use == "" || len(a.Exec) > 0 {
		return nil
	}
	if _, ok := f.functions[a.Use]; ok {
		return nil
	}
	return []core.Diagnostic{{Path: "spec.algorithm.use", Message: fmt.Sprintf("no built-in is named %q", a.Use)}}
}
