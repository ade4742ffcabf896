package spec

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/capstan-run/capstan/core"
)

// demand is the semantics of kind Demo: its paths begin with /, one of its runs
// begins with run, and csv is counted.
func demand(s *core.Spec) []core.Diagnostic {
	var b struct {
		Input struct{ Path, Format string }
		Count int
		Run   struct{ Exec []string }
	}
	if err := json.Unmarshal(s.Body, &b); err != nil {
		return []core.Diagnostic{{Path: "spec", Message: err.Error()}}
	}
	found := []core.Diagnostic{{Path: "spec.input", Message: "a warning", Warning: true}}
	fault := func(path, message string) { found = append(found, core.Diagnostic{Path: path, Message: message}) }
	if !strings.HasPrefix(b.Input.Path, "/") {
		fault("spec.input.path", "not absolute")
	}
	if b.Input.Format == "csv" && b.Count == 0 {
		fault("spec.count", "csv is counted")
	}
	for i, e := range b.Run.Exec {
		if e == "" {
			fault(fmt.Sprintf("spec.run.exec.%d", i), "empty")
		}
	}
	if s.Gang.Size > 8 {
		fault("gang.size", "too large")
	}
	if len(b.Run.Exec) == 0 {
		fault("spec.run", "nothing runs")
	}
	return found
}

// TestSenses: what only the framework finds is told with what the schema
// refuses, and nothing that follows from the latter (law S3).
func TestSenses(t *testing.T) {
	const head = "apiVersion: capstan/v1\nkind: Demo\nmetadata: {name: a-job}\n"
	for _, c := range []struct {
		name, doc string
		want      []string
	}{
		{"fine", "spec: {input: {path: /x}, run: {exec: [a]}}", nil},
		{"only what the framework finds", "gang: {size: 9}\nspec: {input: {path: x}, run: {exec: [a]}}", []string{
			"line 4:14: gang.size: too large", "line 5:22: spec.input.path: not absolute"}},
		{"beside an unknown field", "spec: {input: {path: x}, zzz: 1, run: {exec: [a]}}", []string{
			"line 4:22: spec.input.path: not absolute", `line 4:26: spec.zzz: unknown field "zzz" (allowed: count, files, input, run)`}},
		{"an unknown field is missed by nobody", "spec: {input: {path: /x}, zzz: [a]}", []string{
			"line 4:7: spec.run: nothing runs", `line 4:27: spec.zzz: unknown field "zzz" (allowed: count, files, input, run)`}},
		{"beside a wrong type", "gang: {size: nine}\nspec: {input: {path: x}, run: {exec: [a]}}", []string{
			"line 4:14: gang.size: want integer, got string", "line 5:22: spec.input.path: not absolute"}},
		{"what is missing is told once", "gang: {size: 9}\nspec: {run: {exec: [a]}}", []string{
			"line 4:14: gang.size: too large", `line 5:7: spec: missing "input"`}},
		{"what is wrong is told once", "spec: {input: {path: 3}, run: {exec: 3}}", []string{
			"line 4:22: spec.input.path: want string, got number", "line 4:38: spec.run.exec: want array, got number"}},
		{"a misspelt field is read as it was meant", "spec: {inptu: {path: x, format: csv}, count: 1, run: {exec: [a]}}", []string{
			`line 4:7: spec: missing "input"`, `line 4:8: spec.inptu: unknown field "inptu" (did you mean "input"?)`, "line 4:22: spec.inptu.path: not absolute"}},
		{"a fault in a misspelt field", "gang: {size: 9}\nspec: {inptu: {path: 3}, run: {exec: [a]}}", []string{
			"line 4:14: gang.size: too large", `line 5:7: spec: missing "input"`, `line 5:8: spec.inptu: unknown field "inptu" (did you mean "input"?)`}},
		{"a misspelt word is read as it was meant", "spec: {input: {path: /x, format: cvs}, run: {exec: [a]}}", []string{
			"line 4:7: spec.count: csv is counted", `line 4:34: spec.input.format: cvs is not one of text, csv (did you mean "csv"?)`}},
		{"an element that is wrong leaves the others", "spec: {input: {path: /x}, count: 0, run: {exec: [a, '']}}", []string{
			"line 4:34: spec.count: minimum: got 0, want 1", "line 4:53: spec.run.exec.1: empty"}},
		{"a spec that is none", "gang: {size: 9}\nspec: 3", []string{"line 5:7: spec: want object, got number"}},
		{"no spec", "gang: {size: 9}", []string{`line 1:1: missing "spec"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ParseChecked([]byte(head+c.doc), "job.yaml", kinds, demand)
			var e *core.Error
			var got []string
			if errors.As(err, &e) {
				for _, d := range e.Diagnostics {
					got = append(got, d.String())
				}
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("%v (-want +got):\n%s", err, d)
			}
		})
	}
}

// FuzzSenses: the framework is asked about no document that its body cannot be
// read from, and every fault has a place.
func FuzzSenses(f *testing.F) {
	f.Add(good)
	f.Add("apiVersion: capstan/v1\nkind: Demo\nmetadata: {name: a-job}\nspec: {inptu: [3], input: {path: x, fromat: [csv]}, run: {exec: [a, 3]}}")
	f.Fuzz(func(t *testing.T, doc string) {
		_, err := ParseChecked([]byte(doc), "job.yaml", kinds, func(s *core.Spec) []core.Diagnostic {
			var v map[string]any
			if len(s.Body) > 0 && json.Unmarshal(s.Body, &v) != nil {
				t.Errorf("the framework is asked about %s", s.Body)
			}
			return []core.Diagnostic{{Path: "spec.input", Message: "it has an input"}}
		})
		var e *core.Error
		if !errors.As(err, &e) {
			t.Fatalf("%v", err)
		}
	})
}
