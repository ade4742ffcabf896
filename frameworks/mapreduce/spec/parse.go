package spec

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/artifact"
	"github.com/capstan-run/capstan/frameworks/dataset"
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
func Ships() []string {
	return []string{
		"map.exec.0", "combine.exec.0", "reduce.exec.0",
		"map.program!", "combine.program!", "reduce.program!",
		"files.*!",
	}
}

// Defaults of a body's fields.
const (
	DefaultSplitSize  = dataset.DefaultSplitSize
	CombinedSplitSize = dataset.CombinedSplitSize
	DefaultMaxRecord  = dataset.DefaultMaxRecord
	DefaultAttempts   = 4
	DefaultTimeout    = core.Duration(10 * time.Minute)
	DefaultPreview    = 20
)

// Parse reads a body and fills in the defaults, but for those that depend on
// more: see [Body.PartitionsOf], [Body.SlotsOf] and Input.SplitSize. An unknown field or a
// wrong type is an *core.Error of kind Invalid.
func Parse(body json.RawMessage) (*Body, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	b := new(Body)
	if err := d.Decode(b); err != nil {
		return nil, &core.Error{Kind: core.Invalid, What: "the spec is not a MapReduce body",
			Where: "spec", Remedy: "compare it with `capstan schema MapReduce`", Err: err}
	}
	b.fill()
	return b, nil
}

func (b *Body) fill() {
	b.Input.Fill()
	for _, s := range b.Steps() {
		s.Step.fill()
	}
	fill(&b.Shuffle.By, "hash")
	fill(&b.Shuffle.Order, "ascending")
	fill(&b.Shuffle.Durability, "disk")
	fill(&b.Shuffle.Compression, "none")
	b.Output.Fill()
	fill(&b.OnBadRecord, "fail")
	if p := b.Preview; p != nil {
		fill(&p.Limit, DefaultPreview)
		fill(&p.By, "value")
		fill(&p.Order, "descending")
	}
	fill(&b.Tasks.Attempts, DefaultAttempts)
	fill(&b.Tasks.Timeout, DefaultTimeout)
	if b.Tasks.Speculation == nil {
		b.Tasks.Speculation = new(true)
	}
}

func (s *Step) fill() {
	if len(s.Exec) == 0 {
		return
	}
	fill(&s.As, "lines")
	fill(&s.KeyFields, 1)
	fill(&s.Separator, "\t")
}

func fill[T comparable](field *T, def T) {
	var zero T
	if *field == zero {
		*field = def
	}
}

// NamedStep is a step and its place in the body: "map", "combine", "reduce".
type NamedStep struct {
	Name string
	*Step
}

// Steps lists the steps the body has, in their order of work.
func (b *Body) Steps() []NamedStep {
	steps := []NamedStep{{"map", &b.Map}}
	if b.Combine != nil {
		steps = append(steps, NamedStep{"combine", b.Combine})
	}
	if b.Reduce != nil {
		steps = append(steps, NamedStep{"reduce", b.Reduce})
	}
	return steps
}

// Shipped lists the artifacts of the body.
func (b *Body) Shipped() artifact.List {
	var l artifact.List
	for _, s := range b.Steps() {
		l.AddCommand(s.Name+".exec", s.Exec)
		l.AddProgram(s.Name+".program", s.Program)
	}
	l.AddFiles("files", b.Files)
	return l
}

// SlotsOf is the number of tasks an executor with cpu runs at once, at least 1.
func (b *Body) SlotsOf(cpu core.MilliCPU) int {
	if b.Tasks.Slots > 0 {
		return b.Tasks.Slots
	}
	return max(1, int((cpu+999)/1000))
}

// PartitionsOf is the least number of partitions in a gang of size executors with
// cpu each: 0 for a map-only job.
func (b *Body) PartitionsOf(size int, cpu core.MilliCPU) int {
	switch {
	case b.Reduce == nil:
		return 0
	case b.Shuffle.By == "first":
		return 1
	case b.Shuffle.Partitions > 0:
		return b.Shuffle.Partitions
	}
	cores := (int64(size)*int64(cpu) + 999) / 1000
	return max(size, int(2*cores), 1)
}
