package spec

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/capstan-run/capstan/core"
)

var (
	outer = core.Description{Kind: "Schedule", Schema: []byte(`{"type":"object","additionalProperties":false,"required":["job"],"properties":{"cron":{"type":"string"},"job":{"type":"object"}}}`)}
	inner = []core.Description{{Kind: "Echo", Schema: []byte(`{"type":"object","additionalProperties":false,"required":["text"],"properties":{"text":{"type":"string"},"file":{"type":"string"}}}`), Ships: []string{"file"}}}
)

func TestParseSchedule(t *testing.T) {
	s, job, err := ParseSchedule([]byte(`apiVersion: capstan/v1
kind: Schedule
metadata: {name: nightly}
spec:
  cron: "@daily"
  job:
    apiVersion: capstan/v1
    kind: Echo
    metadata: {name: hello}
    spec: {text: hi}
`), "a.yaml", outer, inner, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if s.Metadata.Name != "nightly" || job.Metadata.Name != "hello" || job.Kind != "Echo" || job.Gang.Size != 2 || !strings.Contains(string(s.Body), `"kind":"Echo"`) {
		t.Errorf("got %+v and %+v", s, job)
	}
}

// Faults of the schedule and of its job come at once, with their places.
func TestScheduleFaults(t *testing.T) {
	_, _, err := ParseSchedule([]byte(`apiVersion: capstan/v1
kind: Schedule
metadata: {name: nightly, priority: 3}
gang: {size: 3}
spec:
  corn: "@daily"
  job:
    apiVersion: capstan/v1
    kind: Echo
    metadata: {name: Hello}
    spec: {text: 1}
`), "a.yaml", outer, inner, nil, nil)
	var e *core.Error
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
	var got []string
	for _, d := range e.Diagnostics {
		got = append(got, d.String())
	}
	want := []string{
		"line 3:27: metadata.priority: this is the job's (put it under spec.job.metadata.priority)",
		"line 4:1: gang: this is the job's (put it under spec.job.gang)",
		`line 6:3: spec.corn: unknown field "corn" (did you mean "cron"?)`,
		`line 10:22: spec.job.metadata.name: "Hello" has the wrong form (Part of the job's id: lower-case letters, digits and dashes.)`,
		"line 11:18: spec.job.spec.text: want string, got number",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for doc, want := range map[string]string{
		"kind: Schedule":          "missing",
		"[]":                      "want object",
		"kind: Schedule\nspec: 3": "want object",
		"kind: Schedule\napiVersion: capstan/v1\nmetadata: {name: a}\nspec: {job: {kind: Schedule}}": "a schedule is no job",
		"a: &a [*a]": "",
	} {
		if _, _, err := ParseSchedule([]byte(doc), "a.yaml", outer, inner, nil, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", doc, err, want)
		}
	}
	if _, err := Parse([]byte("kind: Schedule"), "a.yaml", inner); err == nil || !strings.Contains(err.Error(), "capstan schedule put") {
		t.Errorf("a schedule as a job: %v", err)
	}
}

// The files that a schedule's job ships are found, and named by their hashes.
func TestScheduleShips(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "x.py"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	doc := "kind: Schedule\nspec: {job: {kind: Echo, spec: {file: ./x.py}}}\n"
	d, err := Ships([]byte(doc), inner, dir)
	if err != nil || len(d.Files) != 1 {
		t.Fatal(d, err)
	}
	out, err := d.Doc([]string{"abc"})
	if err != nil || !strings.Contains(string(out), "artifact:abc/x.py") {
		t.Errorf("%s, %v", out, err)
	}
	if _, err := Ships([]byte(strings.Replace(doc, "x.py", "y.py", 1)), inner, dir); err == nil || !strings.HasPrefix(err.Error(), "spec.job.spec.file: ") {
		t.Errorf("a file that is not there: %v", err)
	}
}
