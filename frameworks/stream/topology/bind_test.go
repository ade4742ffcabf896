package topology_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/stream/topology"
)

// catalog has a source of words, an operator that passes on what it reads, one
// that finds fault, and a sink.
func catalog() topology.Catalog {
	word := []topology.Field{{Name: "word", Type: topology.Text}, {Name: "weight", Type: topology.Float}}
	return topology.Catalog{
		"words": {Role: topology.Source, Outputs: func(*topology.Component, []topology.Input) ([]topology.Output, []topology.Fault) {
			return []topology.Output{{Stream: topology.DefaultStream, Fields: word}}, nil
		}},
		"pass": {Role: topology.Operator, Outputs: func(_ *topology.Component, in []topology.Input) ([]topology.Output, []topology.Fault) {
			return []topology.Output{{Stream: topology.DefaultStream, Fields: in[0].Fields}}, nil
		}},
		"refuse": {Role: topology.Operator, Outputs: func(*topology.Component, []topology.Input) ([]topology.Output, []topology.Fault) {
			return nil, []topology.Fault{{Path: "with", Message: "it is told nothing"}}
		}},
		"log": {Role: topology.Sink, Outputs: func(*topology.Component, []topology.Input) ([]topology.Output, []topology.Fault) {
			return nil, nil
		}},
	}
}

func source(id string) topology.Component {
	return topology.Component{ID: id, Role: topology.Source, Use: "words", At: "at." + id}
}

func operator(id string) topology.Component {
	return topology.Component{ID: id, Role: topology.Operator, Use: "pass", At: "at." + id}
}

func sink(id string) topology.Component {
	return topology.Component{ID: id, Role: topology.Sink, Use: "log", At: "at." + id}
}

func edge(from, to string) topology.Edge {
	return topology.Edge{From: from, To: to, At: from + "→" + to}
}

func text(found []core.Diagnostic) string {
	var lines []string
	for _, d := range found {
		line := d.String()
		if d.Warning {
			line = "warning: " + line
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

func TestBind(t *testing.T) {
	top := &topology.Topology{Components: []topology.Component{source("s"), operator("o"), sink("k")},
		Edges: []topology.Edge{edge("s", "o"), edge("o", "k")}}
	if found := topology.Bind(top, catalog()); len(found) > 0 {
		t.Fatal(text(found))
	}
	if o := top.Component("o").Output(topology.DefaultStream); o == nil || o.Fields[0].Name != "word" {
		t.Errorf("the operator emits %+v", o)
	}
	if top.Guarantee != topology.ExactlyOnce || top.Groups != 128 || top.Components[0].Tasks != 1 {
		t.Errorf("the defaults are %+v", top)
	}
}

// Every fault is told with its place and its remedy, all at once.
func TestFaults(t *testing.T) {
	process := operator("p")
	process.Use, process.Exec = "", []string{"x"}
	process.Outputs = []topology.Output{{Stream: "jobs", Direct: true}, {Stream: "jobs"}}
	for _, c := range []struct {
		name  string
		parts []topology.Component
		edges []topology.Edge
		want  string
	}{
		{"nothing", nil, nil, "the topology has no source, so nothing ever happens in it (add one)"},
		{"twice", []topology.Component{source("s"), source("s"), sink("k")}, []topology.Edge{edge("s", "k")},
			`at.s.id: there are two components "s": here and at at.s`},
		{"name", []topology.Component{source("a/b")}, nil, `at.a/b.id: "a/b" is no id`},
		{"use", []topology.Component{{ID: "s", Role: topology.Source, Use: "wordz", At: "a"}, sink("k")}, []topology.Edge{edge("s", "k")},
			`a.use: there is no built-in source "wordz" (did you mean "words"?)`},
		{"role", []topology.Component{source("s"), {ID: "k", Role: topology.Sink, Use: "pass", At: "a"}}, []topology.Edge{edge("s", "k")},
			`a.use: "pass" is no sink but of the role operator (there are: log)`},
		{"nowhere", []topology.Component{source("source"), sink("k")}, []topology.Edge{edge("sorce", "k")},
			`sorce→k: there is no component "sorce" (did you mean "source"?)`},
		{"backwards", []topology.Component{source("s"), sink("k")}, []topology.Edge{edge("s", "k"), edge("k", "s")},
			`k→s: "k" is a sink: it emits nothing (read from what it reads)`},
		{"circle", []topology.Component{source("s"), operator("a"), operator("b")}, []topology.Edge{edge("s", "a"), edge("a", "b"), edge("b", "a")},
			`at.a: streams go round in a circle: a ← b ← a`},
		{"stream", []topology.Component{source("s"), sink("k")}, []topology.Edge{{From: "s", Stream: "late", To: "k", At: "e"}},
			`e: "s" has no stream "late" (it has: default)`},
		{"field", []topology.Component{source("s"), sink("k")},
			[]topology.Edge{{From: "s", To: "k", At: "e", Grouping: topology.Grouping{Kind: topology.ByFields, Fields: []string{"wrod"}}}},
			`e.grouping: stream "default" of "s" has no field "wrod" (did you mean "word"?)`},
		{"key", []topology.Component{source("s"), sink("k")},
			[]topology.Edge{{From: "s", To: "k", At: "e", Grouping: topology.Grouping{Kind: topology.ByFields, Fields: []string{"weight"}}}},
			`e.grouping: field "weight" is of type float64, which is no key`},
		{"keyless", []topology.Component{source("s"), sink("k")},
			[]topology.Edge{{From: "s", To: "k", At: "e", Grouping: topology.Grouping{Kind: topology.ByFields}}},
			`e.grouping: grouping fields of "k" names no field (its fields are: word, weight)`},
		{"direct", []topology.Component{source("s"), sink("k")},
			[]topology.Edge{{From: "s", To: "k", At: "e", Grouping: topology.Grouping{Kind: topology.Direct}}},
			`e.grouping: stream "default" of "s" is not direct`},
		{"island", []topology.Component{source("s"), sink("k"), sink("island")}, []topology.Edge{edge("s", "k")},
			`at.island: nothing reaches "island"`},
		{"declared twice", []topology.Component{source("s"), process}, []topology.Edge{edge("s", "p")},
			`at.p: component "p" declares stream "jobs" twice`},
		{"its own", []topology.Component{source("s"), {ID: "r", Role: topology.Operator, Use: "refuse", At: "a"}, sink("k")},
			[]topology.Edge{edge("s", "r"), edge("r", "k")}, `a.with: refuse "r": it is told nothing`},
		{"unread", []topology.Component{source("s")}, nil, `warning: at.s: nobody reads source "s"`},
		{"read twice", []topology.Component{source("s"), sink("k")}, []topology.Edge{edge("s", "k"), edge("s", "k")},
			`s→k: "k" reads stream "default" of "s" twice`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := text(topology.Bind(&topology.Topology{Components: c.parts, Edges: c.edges}, catalog()))
			if !strings.HasPrefix(got, c.want) {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
			if n := strings.Count(got, "\n"); n > 0 {
				t.Errorf("one fault is told as %d:\n%s", n+1, got)
			}
		})
	}
}

// Whatever the topology, it is bound without faults or with, never by a panic;
// and without, law G2 holds.
func TestAnyTopology(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ids := rapid.SampledFrom([]string{"a", "b", "c", "d", "e"})
		top := &topology.Topology{}
		for range rapid.IntRange(0, 5).Draw(t, "components") {
			id := ids.Draw(t, "id")
			top.Components = append(top.Components, rapid.SampledFrom([]topology.Component{source(id), operator(id), sink(id)}).Draw(t, "component"))
		}
		for range rapid.IntRange(0, 6).Draw(t, "edges") {
			top.Edges = append(top.Edges, edge(ids.Draw(t, "from"), ids.Draw(t, "to")))
		}
		found := topology.Bind(top, catalog())
		if slices.ContainsFunc(found, func(d core.Diagnostic) bool { return !d.Warning }) {
			return
		}
		for _, e := range top.Edges {
			if from := top.Component(e.From); from == nil || top.Component(e.To) == nil || from.Output(e.Stream) == nil {
				t.Errorf("edge %+v was let pass", e)
			}
		}
	})
}

// A key group belongs to the task whose range it is in, whatever the numbers.
func TestTaskOf(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		groups := 1 << rapid.IntRange(0, 15).Draw(t, "groups")
		n := rapid.IntRange(1, 200).Draw(t, "tasks")
		c := topology.Component{Tasks: n}
		seen := 0
		for i := range n {
			first, end := topology.Task{Component: &c, Index: i}.Range(groups)
			for g := first; g < end; g++ {
				if got := topology.TaskOf(g, groups, n); got != i {
					t.Fatalf("group %d of %d over %d tasks: task %d, want %d", g, groups, n, got, i)
				}
			}
			seen += end - first
		}
		if seen != groups {
			t.Fatalf("%d tasks have %d of %d groups", n, seen, groups)
		}
	})
}

func TestParseFields(t *testing.T) {
	fields, err := topology.ParseFields([]string{"word", "count:int64", "at:timestamp"})
	if err != nil || fields[0].Type != topology.JSON || fields[1].Type != topology.Integer || fields[2].Type != topology.Timestamp {
		t.Errorf("%v, %v", fields, err)
	}
	for _, bad := range [][]string{{""}, {"a:int"}, {"a", "a"}, {":int64"}} {
		if _, err := topology.ParseFields(bad); err == nil {
			t.Errorf("%q were taken for fields", bad)
		}
	}
}
