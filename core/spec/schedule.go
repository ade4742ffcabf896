package spec

import (
	"slices"

	"go.yaml.in/yaml/v4"

	"github.com/capstan-run/capstan/core"
)

// scheduleKind is the kind of document that holds another one: under spec.job
// stands a whole job, as it could be submitted by itself. So what was tried with
// `capstan run` is scheduled as it is, its faults are told where they stand, and
// there is one form of a job.
const scheduleKind = "Schedule"

// IsSchedule says whether doc calls itself a schedule.
func IsSchedule(doc []byte) bool {
	var top struct{ Kind yaml.Node }
	return yaml.Unmarshal(doc, &top) == nil && top.Kind.Value == scheduleKind
}

// ParseSchedule reads a schedule, of which outer tells the schema, and the job
// in it. Faults of both come at once, with paths from the top of the document:
// own and jobs find those that the schemas let pass, and may be nil. The body of
// s has the job under "job".
func ParseSchedule(doc []byte, source string, outer core.Description, kinds []core.Description, own, jobs Checker) (s, job *core.Spec, err error) {
	if len(doc) > MaxBytes {
		_, err := Parse(doc, source, nil)
		return nil, nil, err
	}
	t, bad := read(doc)
	if bad != nil {
		return nil, nil, refuse(source, []core.Diagnostic{*bad})
	}
	diags, err := t.faults(source, []core.Description{outer}, own)
	if err != nil {
		return nil, nil, err
	}
	diags = append(diags, t.misplaced()...)
	inner := t.job()
	if inner != nil {
		found, err := inner.faults(source, kinds, jobs)
		if err != nil {
			return nil, nil, err
		}
		for _, d := range found {
			d.Path = dotted(slices.DeleteFunc([]string{"spec.job", d.Path}, func(p string) bool { return p == "" }))
			diags = append(diags, d)
		}
	}
	if len(diags) > 0 {
		return nil, nil, refuse(source, diags)
	}
	if s, err = decode(t, source); err == nil {
		job, err = decode(inner, source)
	}
	return s, job, err
}

// job is the document under spec.job, nil if none is there.
func (t *tree) job() *tree {
	top, _ := t.value.(map[string]any)
	body, _ := top["spec"].(map[string]any)
	p, found := t.find([]string{"spec", "job"})
	if !found {
		return nil
	}
	return &tree{value: body["job"], root: *p}
}

// misplaced finds what stands at the top of a schedule and is its job's.
func (t *tree) misplaced() (diags []core.Diagnostic) {
	top, _ := t.value.(map[string]any)
	metadata, _ := top["metadata"].(map[string]any)
	say := func(path ...string) {
		d := core.Diagnostic{Path: dotted(path), Message: "this is the job's", Remedy: "put it under spec.job." + dotted(path)}
		t.placeKey(&d, path)
		diags = append(diags, d)
	}
	if _, given := top["gang"]; given {
		say("gang")
	}
	for field := range metadata {
		if field != "name" && field != "labels" {
			say("metadata", field)
		}
	}
	return diags
}
