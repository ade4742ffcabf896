package mpi

import (
	"context"
	"slices"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/shuffle/mesh"
)

// graph is the shape of a communicator whose ranks say who their neighbours are.
type graph struct{ sources, targets []int }

// NewGraph makes a communicator of c's ranks in which this rank receives from
// sources and sends to targets. For each rank that names another as its target,
// that other names it as a source. All ranks of c call it.
func NewGraph(ctx context.Context, c *Comm, sources, targets []int) (*Comm, error) {
	for _, r := range slices.Concat(sources, targets) {
		if r < 0 || r >= c.size {
			return nil, c.fault("make a graph", core.Errorf(core.Invalid, "neighbour %d of %s, which has ranks 0 to %d", r, c.name, c.size-1))
		}
	}
	g, err := c.Dup(ctx)
	if err != nil {
		return nil, err
	}
	g.name, g.shape = c.name+"/graph", graph{slices.Clone(sources), slices.Clone(targets)}
	return g, nil
}

func (g graph) neighbours(int) (sources, targets []int) { return g.sources, g.targets }

func (g graph) edges(next func() mesh.Tag) (in, out []mesh.Tag) {
	t := next()
	return slices.Repeat([]mesh.Tag{t}, len(g.sources)), slices.Repeat([]mesh.Tag{t}, len(g.targets))
}

// Neighbours are whom this rank receives from and sends to in neighbour
// collectives: those of [NewGraph]; on a grid, for each dimension, the rank before
// and the rank after. [Null] stands for nobody.
func (c *Comm) Neighbours() (sources, targets []int) {
	if c.shape == nil {
		return nil, nil
	}
	return c.shape.neighbours(c.rank)
}

// NeighbourAllgather sends data to all targets, and puts what the ith source sent
// in the ith part of into. The part of nobody stays as it is.
func NeighbourAllgather[T any](ctx context.Context, c *Comm, data, into []T) error {
	return c.meetNeighbours(ctx, func(targets int) ([][]byte, error) {
		return slices.Repeat([][]byte{bytesOf(data)}, targets), nil
	}, bytesOf(into))
}

// NeighbourAlltoall sends the ith part of data to the ith target, and puts what
// the ith source sent in the ith part of into.
func NeighbourAlltoall[T any](ctx context.Context, c *Comm, data, into []T) error {
	return c.meetNeighbours(ctx, func(targets int) ([][]byte, error) {
		return cut(bytesOf(data), targets)
	}, bytesOf(into))
}

// cut is b in parts of equal length.
func cut(b []byte, parts int) ([][]byte, error) {
	if parts == 0 && len(b) == 0 {
		return nil, nil
	}
	if parts == 0 || len(b)%parts != 0 {
		return nil, core.Errorf(core.Invalid, "%d bytes are not a part for each of %d neighbours", len(b), parts)
	}
	each := len(b) / parts
	list := make([][]byte, parts)
	for i := range list {
		list[i] = b[i*each : (i+1)*each : (i+1)*each]
	}
	return list, nil
}

func (c *Comm) meetNeighbours(ctx context.Context, give func(targets int) ([][]byte, error), into []byte) error {
	if c.shape == nil {
		return c.fault(opNeighbour.String(), core.Errorf(core.Invalid, "%s has no topology", c.name).Do("make it with NewCart or NewGraph"))
	}
	sources, targets := c.shape.neighbours(c.rank)
	out, err := give(len(targets))
	var in [][]byte
	if err == nil {
		in, err = cut(into, len(sources))
	}
	if err == nil {
		err = c.swapEdges(ctx, sources, targets, out, in)
	}
	if err != nil {
		return c.fault(opNeighbour.String(), err)
	}
	return nil
}

// swapEdges asks for what all sources send, then sends.
func (c *Comm) swapEdges(ctx context.Context, sources, targets []int, out, in [][]byte) error {
	inTags, outTags := c.shape.edges(func() mesh.Tag { return c.next(opNeighbour) })
	posted := make([]*mesh.Posted, len(sources))
	for i, r := range sources {
		if r == Null {
			continue
		}
		var err error
		if posted[i], err = (steps{c, inTags[i]}).post(r); err != nil {
			return err
		}
	}
	for i, r := range targets {
		if r == Null {
			continue
		}
		if err := (steps{c, outTags[i]}).send(ctx, r, out[i]); err != nil {
			return err
		}
	}
	for i, p := range posted {
		if p == nil {
			continue
		}
		if err := (steps{c, inTags[i]}).awaitInto(ctx, p, sources[i], in[i]); err != nil {
			return err
		}
	}
	return nil
}
