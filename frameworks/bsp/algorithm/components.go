package algorithm

import (
	"context"
	"encoding/binary"

	"github.com/capstan-run/capstan/frameworks/bsp/column"
	"github.com/capstan-run/capstan/frameworks/bsp/graph"
	"github.com/capstan-run/capstan/frameworks/bsp/graph/span"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
)

const (
	kindForest = 320 + iota
	kindRoots
	kindLeast
	kindLabels
)

// components finds weakly connected components without going round by round:
//
//	each rank puts its own edges into a forest of all vertices
//	forests are merged in pairs, until rank 0 has one     log2(ranks) Syncs
//	rank 0 tells each rank the roots of its vertices      1
//	roots' owners find and tell the least id of each      2
//
// Of an undirected graph an edge stands in two rows. Once a vertex is in the
// tree of dense id 0, which is the large component's if any is large, its row
// need not be read: the other end's rank reads it, or knows the same of that end
// (after Sutton, Ben-Nun and Barak, Afforest, 2018).
type components struct {
	graphProgram
	forest forest
}

func newComponents(c graph.Config) *components {
	return &components{graphProgram: graphProgram{config: c, need: graph.Need{Out: true, Room: graph.Room{Own: 8 + 8, Others: 8}}}}
}

// Run writes a line (vertex, least id of its component) for each vertex.
//
// It is a few supersteps after the graph is there, so that checkpoints keep the
// graph alone and the forest is made again.
func (c *components) Run(ctx context.Context, p *peer.Peer) error {
	if err := c.load(ctx, p); err != nil {
		return err
	}
	p.HoldCheckpoints(false)
	if err := p.Sync(ctx); err != nil {
		return err
	}
	p.HoldCheckpoints(true)
	if c.part.Total() == 0 {
		return nil
	}
	space, err := span.Make[uint32](c.part.Total())
	if err != nil {
		return err
	}
	defer space.Close()
	c.forest = newForest(space.Data)
	p.Edges(c.plant())
	if err := c.merge(ctx, p); err != nil {
		return err
	}
	labels, err := c.label(ctx, p)
	if err != nil {
		return err
	}
	return c.write(p, labels)
}

// plant puts this rank's edges into the forest, and returns how many it has
// followed.
func (c *components) plant() (followed int64) {
	const sampled = 2
	out, first := c.part.Out, c.part.First()
	for v := range c.part.N() {
		row := out.Row(v)
		for _, t := range row[:min(sampled, len(row))] {
			c.forest.join(first+uint32(v), t)
		}
		followed += int64(min(sampled, len(row)))
	}
	skip := !c.part.Directed
	for v := range c.part.N() {
		row := out.Row(v)
		if len(row) <= sampled || skip && c.forest.root(first+uint32(v)) == 0 {
			continue
		}
		for _, t := range row[sampled:] {
			c.forest.join(first+uint32(v), t)
		}
		followed += int64(len(row) - sampled)
	}
	return followed
}

// merge merges all forests into rank 0's, and gives each rank its part.
func (c *components) merge(ctx context.Context, p *peer.Peer) error {
	if p.Size() == 1 {
		return nil
	}
	for step := 1; step < p.Size(); step *= 2 {
		if p.Rank()%(2*step) == step {
			if err := column.Send(p, p.Rank()-step, kindForest, c.forest); err != nil {
				return err
			}
		}
		if err := p.Sync(ctx); err != nil {
			return err
		}
		if err := column.Each(p, kindForest, func(_, at int, parents []uint32) error {
			for i, parent := range parents {
				if v := uint32(at + i); parent != v {
					c.forest.join(v, parent)
				}
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return c.tellRoots(ctx, p)
}

func (c *components) tellRoots(ctx context.Context, p *peer.Peer) error {
	if p.Rank() == 0 {
		c.forest.flatten()
		for to := 1; to < p.Size(); to++ {
			if err := column.Send(p, to, kindRoots, c.forest[c.part.Bounds[to]:c.part.Bounds[to+1]]); err != nil {
				return err
			}
		}
	}
	if err := p.Sync(ctx); err != nil {
		return err
	}
	first := int(c.part.First())
	return column.Each(p, kindRoots, func(_, at int, roots []uint32) error {
		copy(c.forest[first+at:], roots)
		return nil
	})
}

// least is the smallest id of a component, as far as it is known.
type least struct {
	place uint32
	id    []byte
	asked []int // ranks that have vertices in it
}

// label finds the least id for every root of own vertices. It takes two Syncs.
func (c *components) label(ctx context.Context, p *peer.Peer) (map[uint32]*least, error) {
	best := make([]uint32, c.part.Total()) // by root: 1 + the own vertex of least id
	for v := range c.part.N() {
		if w := &best[c.rootOf(v)]; *w == 0 || c.part.IDs.Place(v) < c.part.IDs.Place(int(*w-1)) {
			*w = uint32(v) + 1
		}
	}
	labels := map[uint32]*least{}
	out := make([][]byte, p.Size())
	for v := range c.part.N() {
		root := c.rootOf(v)
		if best[root] != uint32(v)+1 || c.alone(v) {
			continue
		}
		place, id := c.part.IDs.Place(v), c.part.IDs.Append(nil, v)
		if owner := c.part.Owner(root); owner != p.Rank() {
			out[owner] = appendLeast(out[owner], root, place, id)
		} else {
			labels[root] = &least{place: place, id: id}
		}
	}
	if err := sendAll(ctx, p, kindLeast, out); err != nil {
		return nil, err
	}
	c.hearLeast(p, labels)
	out = make([][]byte, p.Size())
	for root, l := range labels {
		for _, rank := range l.asked {
			out[rank] = appendLeast(out[rank], root, l.place, l.id)
		}
	}
	if err := sendAll(ctx, p, kindLabels, out); err != nil {
		return nil, err
	}
	for b := range p.Blocks() {
		for rest := b.Data; b.Kind == kindLabels && len(rest) > 0; {
			var root uint32
			l := &least{}
			root, l.place, l.id, rest = cutLeast(rest)
			labels[root] = l
		}
	}
	return labels, nil
}

// alone reports whether no edge leads from own vertex v or to it: its label is
// its id, and nobody need be asked.
func (c *components) alone(v int) bool { return c.part.OutDegree[v] == 0 && c.part.InDegree[v] == 0 }

func (c *components) rootOf(v int) uint32 { return c.forest.root(c.part.First() + uint32(v)) }

// hearLeast takes what other ranks know of roots that are own.
func (c *components) hearLeast(p *peer.Peer, labels map[uint32]*least) {
	for b := range p.Blocks() {
		for rest := b.Data; b.Kind == kindLeast && len(rest) > 0; {
			var root, place uint32
			var id []byte
			root, place, id, rest = cutLeast(rest)
			l := labels[root]
			if place < l.place {
				l.place, l.id = place, id
			}
			l.asked = append(l.asked, b.From)
		}
	}
}

func sendAll(ctx context.Context, p *peer.Peer, kind uint32, out [][]byte) error {
	for to, b := range out {
		if len(b) > 0 {
			if err := p.SendBlock(to, kind, b); err != nil {
				return err
			}
		}
	}
	return p.Sync(ctx)
}

func appendLeast(b []byte, root, place uint32, id []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, root)
	b = binary.LittleEndian.AppendUint32(b, place)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(id)))
	return append(b, id...)
}

// cutLeast copies the id: b is the peer's.
func cutLeast(b []byte) (root, place uint32, id, rest []byte) {
	root, place = binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])
	n := binary.LittleEndian.Uint32(b[8:])
	return root, place, append([]byte(nil), b[12:12+n]...), b[12+n:]
}

func (c *components) write(p *peer.Peer, labels map[uint32]*least) error {
	columns(p, c.part, nil)
	var key []byte
	last, label := unreached, []byte(nil)
	for v := range c.part.N() {
		key = c.part.IDs.Append(key[:0], v)
		if c.alone(v) {
			label, last = key, unreached
		} else if root := c.rootOf(v); root != last {
			last, label = root, labels[root].id
		}
		if err := p.WriteKV(key, label); err != nil {
			return err
		}
	}
	return nil
}

// Save keeps the graph.
func (c *components) Save(w *peer.SnapshotWriter) error { return c.saveGraph(w) }

// Load goes on with the graph of a checkpoint.
func (c *components) Load(r *peer.SnapshotReader) error { return c.loadGraph(r) }

// forest is disjoint sets of dense ids: the parent of each, which is smaller,
// or itself for a root.
type forest []uint32

func newForest(space []uint32) forest {
	for v := range space {
		space[v] = uint32(v)
	}
	return space
}

// root halves the path that it goes.
func (f forest) root(v uint32) uint32 {
	for {
		parent := f[v]
		if parent == v {
			return v
		}
		grand := f[parent]
		if grand == parent {
			return parent
		}
		f[v] = grand
		v = grand
	}
}

func (f forest) join(a, b uint32) {
	a, b = f.root(a), f.root(b)
	switch {
	case a < b:
		f[b] = a
	case b < a:
		f[a] = b
	}
}

// flatten makes every parent a root. Parents are smaller, so that one pass is
// enough.
func (f forest) flatten() {
	for v, parent := range f {
		f[v] = f[parent]
	}
}
