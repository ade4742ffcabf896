package mapreduce

import (
	"encoding/json"
	"regexp"
	"strings"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/mapreduce/spec"
	"github.com/capstan-run/capstan/frameworks/mapreduce/work"
)

// Job is a job as a program describes it. Only Name and Map are required.
// The fields from Gang on are parts of the document, with its defaults;
// command-line flags of [Main] override them.
type Job struct {
	Name    string // [a-z0-9-], at most 40 bytes
	Map     Mapper
	Combine Reducer // keys and values as Map emits them; zero: none
	Reduce  Reducer // zero: the map's output is the result

	Gang        core.Gang
	Input       spec.Input
	Shuffle     spec.Shuffle
	Output      spec.Output
	Preview     *spec.Preview // default: the 20 rows with the largest values
	OnBadRecord string        // "fail" (default) or "deadLetter"
	Tasks       spec.Tasks
	Files       []string // shipped with the program; see Context.File
}

// Functions are the job's, by name: what an executor's worker knows.
func (j Job) Functions() work.Registry {
	r := work.Registry{Maps: map[string]work.MapFunc{j.Map.name: j.Map.f}, Reduces: map[string]work.ReduceFunc{}}
	for _, f := range []Reducer{j.Combine, j.Reduce} {
		if f.name != "" {
			r.Reduces[f.name] = f.f
		}
	}
	return r
}

var names = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$`)

// Validate finds what is wrong with the job apart from its input and output.
func (j Job) Validate() error {
	for _, err := range []error{j.Map.err, j.Combine.err, j.Reduce.err} {
		if err != nil {
			return err
		}
	}
	switch {
	case !names.MatchString(j.Name):
		return core.Errorf(core.Invalid, "%q cannot name a job", j.Name).At("Job.Name").
			Do("use up to 40 lower-case letters, digits and hyphens")
	case j.Map.name == "":
		return core.Errorf(core.Invalid, "the job has no map function, or one without a name").At("Job.Map").
			Do("set it to mapreduce.Map(name, function)")
	case j.Combine.name != "" && j.Reduce.name == "":
		return core.Errorf(core.Invalid, "the job combines and does not reduce").At("Job.Combine").
			Do("set Job.Reduce, often to the same function")
	case j.Combine.name != "" && j.Combine.name == j.Reduce.name && j.Combine.f.Out != j.Reduce.f.Out:
		return core.Errorf(core.Invalid, "two functions are named %q", j.Reduce.name).At("Job.Combine").Do("rename one")
	}
	for _, d := range work.Check(j.body("program"), j.Functions()) {
		if !d.Warning {
			return core.Errorf(core.Invalid, "%s", d.Message).At(d.Path).Do(d.Remedy)
		}
	}
	return nil
}

// body is the document's body with program as the place of the functions.
func (j Job) body(program string) *spec.Body {
	b := &spec.Body{
		Input: j.Input, Shuffle: j.Shuffle, Output: j.Output, Preview: j.Preview,
		OnBadRecord: j.OnBadRecord, Tasks: j.Tasks, Files: j.Files,
		Map: spec.Step{Use: j.Map.name, Program: program},
	}
	if j.Combine.name != "" {
		b.Combine = &spec.Step{Use: j.Combine.name, Program: program}
	}
	if j.Reduce.name != "" {
		b.Reduce = &spec.Step{Use: j.Reduce.name, Program: program}
	}
	if b.Input.SplitSize == 0 && j.Reduce.f.Fold != 0 {
		b.Input.SplitSize = spec.CombinedSplitSize // only we know that it combines
	}
	return b
}

// document is what is submitted: JSON, which is YAML too.
func (j Job) document(program string) ([]byte, error) {
	body, err := json.Marshal(j.body(program))
	if err != nil {
		return nil, err
	}
	doc := struct {
		APIVersion string          `json:"apiVersion"`
		Kind       string          `json:"kind"`
		Metadata   core.Metadata   `json:"metadata"`
		Gang       core.Gang       `json:"gang,omitzero"`
		Spec       json.RawMessage `json:"spec"`
	}{"capstan/v1", "MapReduce", core.Metadata{Name: j.Name}, j.Gang, body}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	err = e.Encode(doc)
	return []byte(b.String()), err
}
