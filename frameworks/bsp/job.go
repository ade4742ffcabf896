package bsp

import (
	"context"
	"encoding/json"
	"regexp"
	"strings"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
	"github.com/capstan-run/capstan/frameworks/bsp/spec"
	"github.com/capstan-run/capstan/frameworks/bsp/work"
	"github.com/capstan-run/capstan/frameworks/dataset"
)

// Job is a job as a program describes it. Only Name and Program are required.
// The fields from Gang on are parts of the document, with its defaults;
// command-line flags of [Main] override them.
type Job struct {
	Name string // [a-z0-9-], at most 40 bytes
	// Program makes what each rank runs; see [Func] and [Each].
	Program Maker
	// With is for the program: its Options. Values are what JSON can write.
	With map[string]any

	Gang       core.Gang
	Input      dataset.Input // may be left out
	Graph      *spec.Graph   // for programs that read graphs
	Checkpoint spec.Checkpoint
	Output     dataset.Output
	Preview    *spec.Preview // default: 20 rows by value
	Files      []string      // shipped with the program
}

// Options is what a program is made with.
type Options = work.Make

// Maker makes the program of a rank.
type Maker func(Options) (Program, error)

// Func makes programs of a function. They have no checkpoints.
func Func(f func(ctx context.Context, p *Peer) error) Maker {
	return func(Options) (Program, error) { return peer.Func(f), nil }
}

// Each makes programs by a function that cannot fail.
func Each[P Program](f func() P) Maker {
	return func(Options) (Program, error) { return f(), nil }
}

// Functions are the job's, by name: what an executor's worker knows.
func (j Job) Functions() work.Registry {
	return work.Registry{j.Name: work.Factory(j.Program)}
}

var names = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$`)

// Validate finds what is wrong with the job apart from its input and output.
func (j Job) Validate() error {
	switch {
	case !names.MatchString(j.Name):
		return core.Errorf(core.Invalid, "%q cannot name a job", j.Name).At("Job.Name").
			Do("use up to 40 lower-case letters, digits and hyphens")
	case j.Program == nil:
		return core.Errorf(core.Invalid, "the job has no program").At("Job.Program").Do("set it to bsp.Func(function)")
	}
	return nil
}

// body is the document's body with program as the place of the function.
func (j Job) body(program string) *spec.Body {
	return &spec.Body{
		Input: j.Input, Graph: j.Graph, Checkpoint: j.Checkpoint, Output: j.Output, Preview: j.Preview, Files: j.Files,
		Algorithm: spec.Algorithm{Use: j.Name, With: j.With, Program: program},
	}
}

// document is what is submitted: JSON, which is YAML too.
func (j Job) document(name, program string) ([]byte, error) {
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
	}{"capstan/v1", "BSP", core.Metadata{Name: name}, j.Gang, body}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	err = e.Encode(doc)
	return []byte(b.String()), err
}
