package spec_test

import (
	"strings"
	"testing"

	"github.com/capstan-run/capstan/core"
	corespec "github.com/capstan-run/capstan/core/spec"
	"github.com/capstan-run/capstan/frameworks/stream/operator"
	"github.com/capstan-run/capstan/frameworks/stream/spec"
	"github.com/capstan-run/capstan/frameworks/stream/topology"
)

func kinds() []core.Description {
	return []core.Description{{Kind: "Stream", Schema: spec.Schema()}}
}

// check is what somebody sees who submits doc.
func check(doc string) (*topology.Topology, []core.Diagnostic) {
	s, err := corespec.Parse([]byte(doc), "doc", kinds())
	if err != nil {
		return nil, core.AsError(err).Diagnostics
	}
	t, found := spec.Topology(s, operator.Catalog())
	corespec.Locate([]byte(doc), found)
	return t, found
}

func TestExample(t *testing.T) {
	top, found := check(spec.Example())
	if len(found) > 0 {
		t.Fatal(found)
	}
	if top.Name != "wordcount" || len(top.Components) != 4 || len(top.Edges) != 3 || len(top.Tasks()) != 6 {
		t.Errorf("the example is %+v", top)
	}
	if e := top.Edges[1]; e.Grouping.Kind != topology.ByFields || e.Grouping.Fields[0] != "word" {
		t.Errorf("counts read %+v", e)
	}
	if f := top.Component("counts").Outputs[0].Fields; f[0] != (topology.Field{Name: "word", Type: topology.Text}) || f[1] != (topology.Field{Name: "count", Type: topology.Integer}) {
		t.Errorf("counts emit %+v", f)
	}
}

const head = "apiVersion: capstan/v1\nkind: Stream\nmetadata: {name: x}\nspec:\n"

// All forms of from say the same; a process declares its streams.
func TestForms(t *testing.T) {
	top, found := check(head + `
  sources:
    - {id: spout, exec: [python3, spout.py], fields: [word, "n:int64"], streams: {late: [word], jobs: [x]}, direct: [jobs]}
  operators:
    - {id: a, exec: [cat], from: spout, onError: retry}
    - {id: b, exec: [cat], from: {id: spout, stream: late, grouping: all}, onError: {policy: retry, tries: 5}}
    - {id: c, exec: [cat], from: [spout, {id: spout, stream: jobs, grouping: direct}]}
`)
	if len(found) > 0 {
		t.Fatal(found)
	}
	if o := top.Component("spout").Outputs; len(o) != 3 || o[0].Stream != "default" || o[0].Fields[1].Type != topology.Integer || !o[1].Direct || o[2].Direct {
		t.Errorf("the spout emits %+v", o)
	}
	if in := top.Into("c"); len(in) != 2 || in[1].Grouping.Kind != topology.Direct || in[0].Grouping.Kind != topology.Shuffle {
		t.Errorf("c reads %+v", in)
	}
	if o := top.Component("b").OnError; o != (topology.OnError{Policy: "retry", Tries: 5}) {
		t.Errorf("b has %+v", o)
	}
}

// What is wrong is told with its line.
func TestFaults(t *testing.T) {
	for _, c := range []struct{ body, want string }{
		{"  sources: [{id: s, use: words}]\n  operators:\n    - id: w\n      use: split\n      from: t\n", `line 9:13: spec.operators.0.from: there is no component "t"`},
		{"  sources: [{id: s, use: words}]\n  sinks:\n    - id: k\n      use: file\n      from: s\n", `line 8:12: spec.sinks.0.use: there is no built-in sink "file" (did you mean "files"?)`},
		{"  sources: [{id: s, use: words, fields: [a]}]\n  sinks: [{id: k, use: log, from: s}]\n", `line 5:26: spec.sources.0.use: built-in "words" says itself what it emits`},
		{"  sources: [{id: s, exec: [x], fields: ['a:int']}]\n  sinks: [{id: k, use: log, from: s}]\n", `spec.sources.0.streams: stream "default": "a:int": there is no type "int"`},
		{"  sources: [{id: s, use: words, with: {cuont: 3}}]\n  sinks: [{id: k, use: log, from: s}]\n", `spec.sources.0.with: words "s": unknown field "cuont"`},
		{"  source: []\n", `unknown field "source"`},
		{"  guarantee: exactlyOnce\n  keyGroups: 100\n  sources: [{id: s, use: words}]\n  sinks: [{id: k, use: log, from: s}]\n", `line 6:14: spec.keyGroups: 100 is no number of key groups`},
		{"  sources: [{id: s, use: words}]\n  operators: [{id: c, use: count, from: s, tasks: 2}]\n  sinks: [{id: k, use: log, from: c}]\n", `spec.operators.0.from: count "c": equal word may go to several of its 2 tasks`},
	} {
		_, found := check(head + c.body)
		var lines []string
		for _, d := range found {
			lines = append(lines, d.String())
		}
		if got := strings.Join(lines, "\n"); !strings.Contains(got, c.want) {
			t.Errorf("%s\ngot  %s\nwant %s", c.body, got, c.want)
		}
	}
}

func FuzzTopology(f *testing.F) {
	f.Add([]byte(spec.Example()))
	f.Add([]byte(head + "  sources: [{id: s, exec: [x], fields: [a], from: 3}]\n"))
	f.Fuzz(func(t *testing.T, doc []byte) {
		s, err := corespec.Parse(doc, "doc", kinds())
		if err != nil {
			return
		}
		top, found := spec.Topology(s, operator.Catalog())
		if top == nil && len(found) == 0 {
			t.Error("neither a topology nor a fault")
		}
	})
}
