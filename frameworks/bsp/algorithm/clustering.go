package algorithm

import (
	"context"

	"github.com/capstan-run/capstan/frameworks/bsp/graph"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
)

// noOptions are those of an algorithm that has none.
type noOptions struct{}

func clusterings() []Algorithm {
	build := func(ways bool) func(graph.Config, noOptions) peer.Program {
		return func(c graph.Config, _ noOptions) peer.Program {
			return &clustering{graphProgram: graphProgram{config: c, need: graph.Need{Out: true, In: true, Room: graph.Room{Own: 32 + 48, Others: 20 + 16, Entry: 4}}}, coefficient: ways}
		}
	}
	return []Algorithm{
		define("lcc", "the local clustering coefficient of each vertex: how much of its neighbourhood is joined", noOptions{}, build(true)),
		define("triangles", "how many triangles each vertex is a corner of, directions aside", noOptions{}, build(false)),
	}
}

// clustering counts triangles: as they are, or for the local clustering
// coefficient of LDBC Graphalytics 1.0 (LCC; Watts and Strogatz, "Collective
// dynamics of small-world networks", 1998). The neighbourhood of a vertex is the
// d vertices that an edge joins it with, in either direction, without itself. The
// coefficient is the number of directed edges among them, divided by d(d-1), and
// 0 if d < 2; an undirected edge is two directed ones.
//
// Edges that are there several times count once.
type clustering struct {
	graphProgram
	coefficient bool

	counting *triangleCount
	head     []int64 // of the checkpoint that Load read, until Run begins
	rest     []byte
}

// Run counts and writes a line (vertex, coefficient), or (vertex, triangles), for
// each. The counter "triangles" is their number.
func (c *clustering) Run(ctx context.Context, p *peer.Peer) error {
	if p.Superstep() == 0 {
		c.head, c.rest = nil, nil
	}
	if err := c.load(ctx, p); err != nil {
		return err
	}
	counting, err := newTriangleCount(ctx, p, c.part, c.coefficient)
	if err != nil {
		return err
	}
	if c.head != nil {
		counting.restore(c.head, c.rest)
		c.head, c.rest = nil, nil
	}
	c.counting = counting
	p.HoldCheckpoints(false)
	if err := counting.count(ctx); err != nil {
		return err
	}
	credits, err := counting.credits(ctx)
	if err != nil {
		return err
	}
	p.Count("triangles", int64(counting.cores[0].found))
	if !c.coefficient {
		return writeValues(p, c.part, credits)
	}
	ways := 2.0 // an undirected edge is two directed ones
	if c.part.Directed {
		ways = 1
	}
	coefficients := make([]float64, len(credits))
	for v, n := range credits {
		if d := float64(counting.up.degrees[v]); d >= 2 {
			coefficients[v] = ways * float64(n) / (d * (d - 1))
		}
	}
	return writeValues(p, c.part, coefficients)
}

// Save keeps what was counted so far.
func (c *clustering) Save(w *peer.SnapshotWriter) error {
	if err := c.saveGraph(w); err != nil {
		return err
	}
	return c.counting.save(w)
}

// Load goes on from a checkpoint.
func (c *clustering) Load(r *peer.SnapshotReader) error {
	if err := c.loadGraph(r); err != nil {
		return err
	}
	var err error
	c.head, c.rest, err = readSection(r, "triangles", 2)
	return err
}
