package spec

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/artifact"
)

//go:embed schema.json
var schema []byte

//go:embed example.yaml
var example string

// Kind is the kind of documents whose body this is.
const Kind = "MPI"

// Schema is the JSON Schema (2020-12) of a [Body]. The caller owns the copy.
func Schema() json.RawMessage { return bytes.Clone(schema) }

// Example is a commented document for `capstan init`.
func Example() string { return example }

// Ships lists the places in a body that may name a local file to ship with the
// job, in the form of core.Description.Ships.
func Ships() []string { return []string{"command.0", "programs.*.command.0", "stdin", "files.*!"} }

// Shipped lists the artifacts of the body.
func (b *Body) Shipped() artifact.List {
	var l artifact.List
	l.AddCommand("command", b.Command)
	for i, p := range b.Programs {
		l.AddCommand(fmt.Sprintf("programs.%d.command", i), p.Command)
	}
	l.Add("stdin", b.Stdin)
	l.AddFiles("files", b.Files)
	return l
}

// Parse reads a body and fills in the defaults. An unknown field or a wrong type
// is an *core.Error of kind Invalid.
func Parse(body json.RawMessage) (*Body, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	b := new(Body)
	if err := d.Decode(b); err != nil {
		return nil, &core.Error{Kind: core.Invalid, What: "the spec is not an MPI body",
			Where: "spec", Remedy: "compare it with `capstan schema MPI`", Err: err}
	}
	if b.Bind == "" {
		b.Bind = "none"
	}
	if b.Launcher == "" {
		b.Launcher = MPICH
	}
	if b.Failure == "" {
		b.Failure = Abort
	}
	if b.Restarts == 0 {
		b.Restarts = 3
	}
	return b, nil
}
