package algorithm

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/bsp/graph"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
)

// Setup is what a document says about one algorithm.
type Setup struct {
	// Graph says how the graph is read and parted; programs that work on
	// records of another kind ignore it.
	Graph graph.Config
	// With is the options as JSON or YAML decoded them: strings, numbers,
	// bools, lists, maps.
	With map[string]any
}

// Algorithm is a program that a spec can name.
type Algorithm struct {
	Name    string   // "pagerank"
	About   string   // one sentence
	Options []Option // in the order of the documentation

	records bool // it reads rows of numbers, no graph
	alone   bool // it reads nothing
	build   func(Setup) (peer.Program, []core.Diagnostic)
}

// Records reports whether the program reads rows of numbers, and no graph.
func (a Algorithm) Records() bool { return a.records }

// Alone reports whether the program reads no input.
func (a Algorithm) Alone() bool { return a.alone }

// Check finds what in the rest of a document does not go with the algorithm:
// format is that of spec.input, "" for text, and graph whether there is a
// spec.graph.
func (a Algorithm) Check(format string, graph bool) []core.Diagnostic {
	var f []core.Diagnostic
	if !slices.Contains([]string{"", "text", "csv", "json", "parquet", "arrow"}, format) {
		f = append(f, core.Diagnostic{Path: "spec.input.format", Message: fmt.Sprintf("%s does not read records of %s", a.Name, format),
			Remedy: "use text, csv, json, parquet or arrow"})
	}
	if a.records && graph {
		f = append(f, core.Diagnostic{Path: "spec.graph", Message: a.Name + " reads rows of numbers, and no graph",
			Remedy: "leave graph out, and name columns in spec.algorithm.with"})
	}
	return f
}

// Option is one field of `with`.
type Option struct {
	Name    string
	Type    string // "integer", "number", "boolean", "string", "list"
	Default any    // nil: it must be given, or its absence means something that About tells
	About   string
}

// All lists the algorithms by name.
func All() []Algorithm {
	all := slices.Concat(traversals(), rankings(), labelPropagations(), clusterings(), cores(), matchings(),
		strongComponents(), spanningForests(), matrixVectors(), randomWalks(), clusters(), products(), searches())
	slices.SortFunc(all, func(a, b Algorithm) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// Find returns the algorithm of that name. Its error names those there are.
func Find(name string) (Algorithm, error) {
	all := All()
	for _, a := range all {
		if a.Name == name {
			return a, nil
		}
	}
	names := make([]string, len(all))
	for i, a := range all {
		names[i] = a.Name
	}
	remedy := "use one of " + strings.Join(names, ", ")
	if near := nearest(name, names); near != "" {
		remedy = fmt.Sprintf("did you mean %q? There are %s", near, strings.Join(names, ", "))
	}
	return Algorithm{}, core.Errorf(core.Invalid, "there is no algorithm %q", name).At("spec.algorithm.use").Do(remedy)
}

// New makes the program of that name. Its error is an *core.Error of kind
// Invalid that lists every fault of the options (law A1).
func New(name string, s Setup) (peer.Program, error) {
	a, err := Find(name)
	if err != nil {
		return nil, err
	}
	return a.New(s)
}

// New makes a program; see the function New.
func (a Algorithm) New(s Setup) (peer.Program, error) {
	p, faults := a.build(s)
	switch len(faults) {
	case 0:
		return p, nil
	case 1:
		f := faults[0]
		return nil, core.Errorf(core.Invalid, "%s", f.Message).At(f.Path).Do(f.Remedy)
	}
	e := core.Errorf(core.Invalid, "the options of %s have %d faults", a.Name, len(faults)).At("spec.algorithm.with")
	e.Diagnostics = faults
	return nil, e
}

// checked is options that know more of what is wrong with them than their
// types do.
type checked interface{ check(*faults) }

// define makes an algorithm of options O, a struct whose fields have the tags
// `json:"name"` and `about:"..."`, set to their defaults. A field of pointer
// type has no default.
func define[O any](name, about string, defaults O, build func(graph.Config, O) peer.Program) Algorithm {
	return Algorithm{
		Name: name, About: about, Options: optionsOf(reflect.ValueOf(defaults)),
		build: func(s Setup) (peer.Program, []core.Diagnostic) {
			var f faults
			o := defaults
			decode(&f, reflect.ValueOf(&o).Elem(), s.With)
			if c, ok := any(&o).(checked); ok && len(f) == 0 {
				c.check(&f)
			}
			if len(f) > 0 {
				return nil, f
			}
			return build(s.Graph, o), nil
		},
	}
}
