package spec

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/artifact"
	"github.com/capstan-run/capstan/shuffle"
)

//go:embed schema.json
var schema []byte

//go:embed example.yaml
var example string

// Schema is the JSON Schema (2020-12) of a [Body]. The caller owns the copy.
func Schema() json.RawMessage { return bytes.Clone(schema) }

// Example is a commented document for `capstan init`.
func Example() string { return example }

// Ships lists the places in a body that may name a local file to ship with the
// job, in the form of core.Description.Ships.
func Ships() []string { return []string{"algorithm.exec.0", "algorithm.program!", "files.*!"} }

// Defaults of a body's fields.
const (
	DefaultPeriod  = core.Duration(30 * time.Second)
	DefaultRepairs = 4
	DefaultPreview = 20
)

// Parse reads a body and fills in the defaults. An unknown field or a wrong type
// is an *core.Error of kind Invalid.
func Parse(body json.RawMessage) (*Body, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	d.UseNumber()
	b := new(Body)
	if err := d.Decode(b); err != nil {
		return nil, &core.Error{Kind: core.Invalid, What: "the spec is not a BSP body",
			Where: "spec", Remedy: "compare it with `capstan schema BSP`", Err: err}
	}
	b.fill()
	return b, nil
}

func (b *Body) fill() {
	b.Input.Fill()
	b.Output.Fill()
	if g := b.Graph; g != nil {
		g.Fill()
	}
	b.Checkpoint.fill()
	fill(&b.Repairs, DefaultRepairs)
	if p := b.Preview; p != nil {
		fill(&p.Limit, DefaultPreview)
		fill(&p.By, "value")
		fill(&p.Order, "descending")
	}
}

// Fill sets what a document left out.
func (g *Graph) Fill() {
	fill(&g.Layout, "edges")
	fill(&g.IDs, "auto")
	fill(&g.Partition, "edges")
	if g.Directed == nil {
		g.Directed = new(true)
	}
	if g.Vertices != nil {
		g.Vertices.Fill()
	}
}

func (c *Checkpoint) fill() {
	fill(&c.Durability, string(shuffle.DurableDisk))
	if c.Period == nil {
		c.Period = new(core.Duration)
		if c.Every == nil {
			*c.Period = DefaultPeriod
		}
	}
	if c.Every == nil {
		c.Every = new(int64)
	}
}

// Wanted reports whether checkpoints are made at all.
func (c *Checkpoint) Wanted() bool { return *c.Every > 0 || *c.Period > 0 }

// Shipped lists the artifacts of the body.
func (b *Body) Shipped() artifact.List {
	var l artifact.List
	l.AddCommand("algorithm.exec", b.Algorithm.Exec)
	l.AddProgram("algorithm.program", b.Algorithm.Program)
	l.AddFiles("files", b.Files)
	return l
}

// HasInput reports whether the document names an input.
func (b *Body) HasInput() bool { return len(b.Input.Path) > 0 }

func fill[T comparable](field *T, def T) {
	var zero T
	if *field == zero {
		*field = def
	}
}
