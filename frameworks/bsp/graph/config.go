package graph

import (
	"slices"
	"strings"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/dataset/input"
)

// Layouts of the records of a graph.
const (
	Edges     = "edges"     // a record is an edge: source, target and perhaps a weight
	Adjacency = "adjacency" // a line is a vertex and the targets of its edges, `v a b c` or `v a:1.5 b:2`
)

// Kinds of vertex ids.
const (
	Auto     = "auto"   // integers if the first records have them, else strings
	Integers = "int"    // signed, 64 bits
	Strings  = "string" // any text without the separators
)

// Partitioners: who has which vertices.
const (
	// ByEdges deals the vertices out, those with most edges first, each to the
	// rank with least edges so far. A vertex with more edges than fair has them
	// on all ranks, for programs that can cope with it (Need.Cut).
	ByEdges = "edges"
	// ByHash deals them out by a hash of their ids.
	ByHash = "hash"
	// ByRange gives each rank as many vertices, neighbours in the order of ids
	// and in that order: for graphs whose ids tell who is near whom.
	ByRange = "range"
)

// Config says how a graph's records are read and how its vertices are parted.
// Its zero value with Defaults reads directed edges without weights.
type Config struct {
	Layout   string `json:"layout,omitempty"`   // Edges (default) or Adjacency
	Directed bool   `json:"directed,omitempty"` // else each edge leads both ways
	Weighted bool   `json:"weighted,omitempty"` // a record that has no weight is bad
	IDs      string `json:"ids,omitempty"`      // Auto (default), Integers, Strings

	// Source, Target and Weight are the columns of csv, json, parquet and arrow;
	// defaults "source", "target", "weight".
	Source string `json:"source,omitempty"`
	Target string `json:"target,omitempty"`
	Weight string `json:"weight,omitempty"`

	Partition string `json:"partition,omitempty"` // ByEdges (default), ByHash, ByRange

	// Vertices is a list of vertices, for those that have no edges.
	Vertices VertexInput `json:"-"`
}

// VertexInput is where a list of vertices lies: lines that begin with an
// integer, or a text that ends at a tab, a comma or the line's end; or records
// of which a column is the id.
type VertexInput struct {
	Splits  []input.Split // all of them, the same on each rank
	Reading input.Options
	Column  string // "" for the first
}

// Need is what a program wants of its partition.
type Need struct {
	Out bool // edges by the vertices they leave
	In  bool // edges by the vertices they reach
	// Weights are kept if the graph has any.
	Weights bool
	// Cut allows ByEdges to give a vertex with more edges than fair to all
	// ranks: see Partition.Cut.
	Cut bool
	// CutFrom is the part of all edges, each counted at both ends, from which a
	// vertex is cut; default half of what is a rank's fair share. Where few vertices
	// are looked at in a superstep, fewer edges stall it.
	CutFrom float64
	// Room is what the program holds besides the partition.
	Room Room
}

// Defaults fills in what the document left out.
func (c *Config) Defaults() {
	fill := func(s *string, v string) {
		if *s == "" {
			*s = v
		}
	}
	fill(&c.Layout, Edges)
	fill(&c.IDs, Auto)
	fill(&c.Source, "source")
	fill(&c.Target, "target")
	fill(&c.Weight, "weight")
	fill(&c.Partition, ByEdges)
}

// Validate reports every fault; Path is relative to the graph's own place in
// the document. format is that of the records.
func (c Config) Validate(format string) []core.Diagnostic {
	c.Defaults()
	var faults []core.Diagnostic
	one := func(path, v string, of ...string) {
		if !slices.Contains(of, v) {
			faults = append(faults, core.Diagnostic{Path: path, Message: "there is no such value: " + v,
				Remedy: "use one of " + strings.Join(of, ", ")})
		}
	}
	one("layout", c.Layout, Edges, Adjacency)
	one("ids", c.IDs, Auto, Integers, Strings)
	one("partition", c.Partition, ByEdges, ByHash, ByRange)
	if c.Layout == Adjacency && format != "" && format != "text" {
		faults = append(faults, core.Diagnostic{Path: "layout", Message: "adjacency lists are lines of text, not " + format,
			Remedy: "set the input's format to text, or layout to edges"})
	}
	return faults
}
