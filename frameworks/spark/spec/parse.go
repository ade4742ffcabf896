package spec

import (
	"bytes"
	_ "embed"
	"encoding/json"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/artifact"
)

//go:embed schema.json
var schema []byte

//go:embed example.yaml
var example string

// Kind is the kind of documents whose body this is.
const Kind = "Spark"

// Schema is the JSON Schema (2020-12) of a [Body]. The caller owns the copy.
func Schema() json.RawMessage { return bytes.Clone(schema) }

// Example is a commented document for `capstan init`.
func Example() string { return example }

// Ships lists the places in a body that may name a local file to ship with the
// job, in the form of core.Description.Ships.
func Ships() []string { return []string{"app", "files.*!", "pyFiles.*!", "jars.*!"} }

// Shipped lists the artifacts of the body.
func (b *Body) Shipped() artifact.List {
	var l artifact.List
	l.Add("app", b.App)
	l.AddFiles("files", b.Files)
	l.AddFiles("pyFiles", b.PyFile)
	l.AddFiles("jars", b.Jars)
	return l
}

// Parse reads a body. An unknown field or a wrong type is an *core.Error of kind
// Invalid.
func Parse(body json.RawMessage) (*Body, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	b := new(Body)
	if err := d.Decode(b); err != nil {
		return nil, &core.Error{Kind: core.Invalid, What: "the spec is not a Spark body",
			Where: "spec", Remedy: "compare it with `capstan schema Spark`", Err: err}
	}
	return b, nil
}
