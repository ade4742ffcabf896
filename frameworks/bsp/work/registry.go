package work

import (
	"github.com/capstan-run/capstan/frameworks/bsp/graph"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
	"github.com/capstan-run/capstan/frameworks/bsp/spec"
	"github.com/capstan-run/capstan/frameworks/dataset/input"
)

// Make is what a program is made of.
type Make struct {
	Body *spec.Body
	// Vertices are the splits of spec.graph.vertices: all of them, on each rank.
	Vertices []input.Split
	// Store reads s3:// inputs.
	Store input.Store
	// Files is the directory of the files that were shipped with the job.
	Files string
}

// Graph says how the document's graph is read.
func (m Make) Graph() graph.Config {
	g := m.Body.Graph
	if g == nil {
		g = new(spec.Graph)
		g.Fill()
	}
	c := graph.Config{Layout: g.Layout, Directed: *g.Directed, Weighted: g.Weighted, IDs: g.IDs,
		Source: g.Source, Target: g.Target, Weight: g.Weight, Partition: g.Partition}
	if g.Vertices != nil {
		c.Vertices = graph.VertexInput{Splits: m.Vertices, Reading: Reading(*g.Vertices, m.Store)}
	}
	return c
}

// Factory makes the program of a rank. It is called in every executor, and again
// where a job begins anew.
type Factory func(Make) (peer.Program, error)

// Registry is the functions of a program, by the name that a document uses.
type Registry map[string]Factory
