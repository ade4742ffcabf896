// Package spec is the body of a BSP document: what a user writes below
// `spec:`, its schema, its defaults, and the faults a schema cannot find.
//
// # Laws
//
//	S1  Check finds every fault of a document that its schema let pass at once,
//	    each with its path.
//	S2  A field that has a default has it after Parse: nobody else knows defaults.
//
// # Left out
//
// What the options of an algorithm mean: package algorithm says that, and the
// framework's check asks it.
package spec

import (
	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/dataset"
)

// Body is the framework's part of a BSP document.
type Body struct {
	Input dataset.Input `json:"input,omitzero"` // a graph's edges, or records; a program may do without
	// Graph is nil if the document has none; programs take work.Make.Graph, which
	// fills in the defaults then.
	Graph      *Graph            `json:"graph,omitempty"`
	Algorithm  Algorithm         `json:"algorithm"`
	Checkpoint Checkpoint        `json:"checkpoint,omitzero"`
	Output     dataset.Output    `json:"output"`
	Preview    *Preview          `json:"preview,omitempty"` // default: none
	Repairs    int               `json:"repairs,omitempty"` // without progress between them; default 4
	Files      []string          `json:"files,omitempty"`   // local files to ship
	Env        map[string]string `json:"env,omitempty"`     // for exec
}

// Graph says how the input is a graph.
type Graph struct {
	Layout    string         `json:"layout,omitempty"`   // edges (default), adjacency
	Directed  *bool          `json:"directed,omitempty"` // default true
	Weighted  bool           `json:"weighted,omitempty"`
	IDs       string         `json:"ids,omitempty"` // auto (default), int, string
	Source    string         `json:"source,omitempty"`
	Target    string         `json:"target,omitempty"`
	Weight    string         `json:"weight,omitempty"`
	Vertices  *dataset.Input `json:"vertices,omitempty"`  // ids, one a record: those without edges
	Partition string         `json:"partition,omitempty"` // edges (default), hash, range
}

// Algorithm is what every rank runs: a built-in (Use), a program's function
// (Program and Use), or a command (Exec).
type Algorithm struct {
	Use     string         `json:"use,omitempty"`
	With    map[string]any `json:"with,omitempty"` // the algorithm's own; numbers are json.Number
	Program string         `json:"program,omitempty"`
	Exec    []string       `json:"exec,omitempty"`
}

// Checkpoint says when what is kept, and where.
type Checkpoint struct {
	// Every and Period: after so many supersteps, or so long, whichever comes
	// first, or when the checkpoint before is written, if that takes longer. Default: a period of 30 s. Both can be set to 0, as in every: 0 and
	// period: 0s, to keep none.
	Every  *int64         `json:"every,omitempty"`
	Period *core.Duration `json:"period,omitempty"`
	// Durability is disk (default), s3-async, s3-sync: see shuffle.Durability.
	Durability string `json:"durability,omitempty"`
}

// Preview asks for rows in the report: the first Limit by value or key.
type Preview struct {
	Limit int    `json:"limit,omitempty"` // default 20, at most 1000
	By    string `json:"by,omitempty"`    // "value" (default), "key"
	Order string `json:"order,omitempty"` // "descending" (default), "ascending"
}
