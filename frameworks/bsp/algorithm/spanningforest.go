package algorithm

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/capstan-run/capstan/frameworks/bsp/graph"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
)

func spanningForests() []Algorithm {
	return []Algorithm{define("mst",
		"a minimum spanning forest: the lightest edges that keep together what is joined",
		noOptions{},
		func(c graph.Config, _ noOptions) peer.Program {
			return &spanningForest{graphProgram: graphProgram{config: c, need: graph.Need{Out: true, Weights: true, Room: graph.Room{Own: forestRoom + 16, Others: forestRoom + 12, Named: nameRoom}}}}
		})}
}

// spanningForest finds the minimum spanning forest by filtering (Dehne and Götz,
// "Practical parallel algorithms for minimum spanning trees", 1998): a rank keeps
// of its edges those of their own minimum spanning forest (Kruskal, 1956), since
// no other can be in that of the whole graph, and the ranks' forests are merged
// two by two.
//
// Edges of equal weight are taken in the order of their ends' ids, so there is
// one forest whatever the gang. Directions are left out of account; where there
// are no weights all are 1. A rank holds up to some 140 bytes for each vertex of the
// graph, and its edges in rounds.
type spanningForest struct {
	graphProgram
	forestState
}

// forestState is what a checkpoint keeps.
type forestState struct {
	stride int64 // of the merge that comes next; 0: own edges are yet to be filtered
	forest []forestEdge
}

// forestEdge is an edge between two vertices: their places in the order of ids,
// by which edges are ordered, and their dense ids, by which trees are kept.
type forestEdge struct {
	weight    float64
	low, high uint32 // places, low < high
	from, to  uint32 // dense ids of low and high
}

func (e forestEdge) compare(o forestEdge) int {
	return cmp.Or(cmp.Compare(e.weight, o.weight), cmp.Compare(e.low, o.low), cmp.Compare(e.high, o.high))
}

// Run writes a line (vertex, vertex, weight) for each edge of the forest.
func (f *spanningForest) Run(ctx context.Context, p *peer.Peer) error {
	if p.Superstep() == 0 {
		f.forestState = forestState{}
	}
	if err := f.load(ctx, p); err != nil {
		return err
	}
	numbers, err := numberVertices(ctx, p, f.part)
	if err != nil {
		return err
	}
	filter := newForestFilter(f.part.Total(), f.part.Left())
	if f.stride == 0 {
		if err := f.filterOwn(ctx, p, filter, numbers); err != nil {
			return err
		}
		f.stride = 1
	}
	p.HoldCheckpoints(false)
	for f.stride < int64(p.Size()) {
		if err := f.merge(ctx, p, filter); err != nil {
			return err
		}
	}
	edges, err := f.deal(ctx, p, numbers)
	if err != nil {
		return err
	}
	return writeForest(ctx, p, numbers, edges)
}

// filterOwn reduces the rank's edges to their forest. It takes two Syncs.
func (f *spanningForest) filterOwn(ctx context.Context, p *peer.Peer, filter *forestFilter, numbers *numbers) error {
	m, err := newMirror(ctx, p, f.part, f.part.Out)
	if err != nil {
		return err
	}
	column := wholeColumn[uint32](f.part)
	copy(own(f.part, column), numbers.places)
	if err := exchange(ctx, m, column); err != nil {
		return err
	}
	filter.expect(f.part.Out.Edges())
	for v := range f.part.N() {
		a := numbers.places[v]
		for i, t := range f.part.Out.Row(v) {
			b := column[t]
			if a == b || !f.part.Directed && a > b {
				continue // an undirected edge stands at both its ends
			}
			weight := 1.0
			if f.part.Out.Weights != nil {
				weight = f.part.Out.RowWeights(v)[i]
			}
			e := forestEdge{weight, a, b, f.part.First() + uint32(v), t}
			if a > b {
				e = forestEdge{weight, b, a, e.to, e.from}
			}
			filter.add(e)
		}
	}
	p.Edges(int64(f.part.Out.Edges()))
	f.forest = filter.take()
	return nil
}

// merge halves the number of ranks that have a forest. It takes one Sync, at
// which the state is such that the merge may be done anew.
func (f *spanningForest) merge(ctx context.Context, p *peer.Peer, filter *forestFilter) error {
	r := int64(p.Rank())
	gives := r%(2*f.stride) == f.stride
	if gives {
		if err := p.SendBlock(int(r-f.stride), blockForest, forestBytes(f.forest)); err != nil {
			return err
		}
	}
	if err := p.Sync(ctx); err != nil {
		return err
	}
	for block := range p.Blocks() {
		if block.Kind != blockForest {
			continue
		}
		theirs := forestOf(block.Data)
		filter.expect(len(f.forest) + len(theirs))
		filter.edges = append(filter.edges, f.forest...)
		for _, e := range theirs {
			filter.add(e)
		}
		f.forest = filter.take()
	}
	if gives {
		f.forest = nil
	}
	f.stride *= 2
	return nil
}

// deal gives the edges of the forest, all at rank 0, to the ranks that know the
// names of their lower ends. It takes one Sync.
func (f *spanningForest) deal(ctx context.Context, p *peer.Peer, numbers *numbers) ([]forestEdge, error) {
	if p.Rank() == 0 {
		to := make([][]forestEdge, p.Size())
		for _, e := range f.forest {
			r := numbers.keeper(e.low)
			to[r] = append(to[r], e)
		}
		for r, edges := range to {
			if err := p.SendBlock(r, blockForest, forestBytes(edges)); err != nil {
				return nil, err
			}
		}
	}
	if err := p.Sync(ctx); err != nil {
		return nil, err
	}
	var edges []forestEdge
	for block := range p.Blocks() {
		if block.Kind == blockForest {
			edges = append(edges, forestOf(block.Data)...)
		}
	}
	return edges, nil
}

const blockForest uint32 = 0x4601

// forestBytes lays edges out as three words each.
func forestBytes(edges []forestEdge) []byte {
	words := make([]uint64, 0, 3*len(edges))
	for _, e := range edges {
		words = append(words, math.Float64bits(e.weight), uint64(e.low)<<32|uint64(e.high), uint64(e.from)<<32|uint64(e.to))
	}
	return bytesOf(words)
}

func forestOf(b []byte) []forestEdge {
	words := columnOf[uint64](b)
	edges := make([]forestEdge, 0, len(words)/3)
	for ; len(words) >= 3; words = words[3:] {
		edges = append(edges, forestEdge{math.Float64frombits(words[0]),
			uint32(words[1] >> 32), uint32(words[1]), uint32(words[2] >> 32), uint32(words[2])})
	}
	return edges
}

// Save keeps the forest of the edges that this rank has so far.
func (f *spanningForest) Save(w *peer.SnapshotWriter) error {
	if err := f.saveGraph(w); err != nil {
		return err
	}
	return w.Put("forest", bytesOf([]int64{f.stride}), forestBytes(f.forest))
}

// Load goes on from a checkpoint.
func (f *spanningForest) Load(r *peer.SnapshotReader) error {
	if err := f.loadGraph(r); err != nil {
		return err
	}
	head, rest, err := readSection(r, "forest", 1)
	if err != nil {
		return err
	}
	f.stride, f.forest = head[0], forestOf(rest)
	return nil
}

// forestFilter takes edges, and keeps little more than their forest.
type forestFilter struct {
	edges  []forestEdge
	limit  int      // edges at which those outside the forest are dropped
	parent []uint32 // by dense id
}

const (
	forestShare   = 2 // part of the memory that is left that more edges may take than room is for
	forestEdgeLen = 24

	// forestRoom is the bytes for each vertex of the graph that filters take at
	// their most: a rank's forest, another's as it came, both among the edges of
	// the filter, and of them their forest; and the parents.
	forestRoom = 5*forestEdgeLen + 4
)

// newForestFilter makes a filter that may take so many bytes besides forestRoom.
func newForestFilter(vertices int, left int64) *forestFilter {
	more := min(int64(3*vertices), left/forestShare/forestEdgeLen)
	return &forestFilter{parent: make([]uint32, vertices), limit: max(3*vertices+int(more), 16)}
}

// expect makes room for n edges, or as many as there ever are.
func (f *forestFilter) expect(n int) {
	f.edges = make([]forestEdge, 0, min(n, f.limit))
}

func (f *forestFilter) add(e forestEdge) {
	if len(f.edges) >= f.limit {
		f.drop()
	}
	f.edges = append(f.edges, e)
}

// take returns the forest of the edges added since the last take.
func (f *forestFilter) take() []forestEdge {
	f.drop()
	forest := slices.Clone(f.edges)
	f.edges = nil
	return forest
}

// fewEdges are sorted; more are first cut in two.
const fewEdges = 1 << 14

// drop leaves the forest of the edges, in its order.
func (f *forestFilter) drop() {
	for v := range f.parent {
		f.parent[v] = uint32(v)
	}
	f.edges = f.edges[:f.keep(f.edges, 0)]
}

// keep moves the edges that join two trees to f.edges[to:], lightest first, and
// returns their end. edges lie at to or behind. As in filter-Kruskal (Osipov,
// Sanders and Singler, "The filter-Kruskal minimum spanning tree algorithm",
// 2009), the heavier half is looked at when the lighter has joined its trees: most
// of it is dropped unsorted.
func (f *forestFilter) keep(edges []forestEdge, to int) int {
	if len(edges) <= fewEdges {
		slices.SortFunc(edges, forestEdge.compare)
		for _, e := range edges {
			a, b := f.find(e.from), f.find(e.to)
			if a != b {
				f.parent[max(a, b)] = min(a, b)
				f.edges[to] = e
				to++
			}
		}
		return to
	}
	middle := parted(edges)
	to = f.keep(edges[:middle], to)
	heavy := edges[middle:]
	left := heavy[:0]
	for _, e := range heavy {
		if f.find(e.from) != f.find(e.to) {
			left = append(left, e)
		}
	}
	return f.keep(left, to)
}

// parted cuts the edges in two, neither empty: none of the first is heavier than
// any of the second.
func parted(edges []forestEdge) int {
	var sample [63]forestEdge
	for i := range sample {
		sample[i] = edges[i*len(edges)/len(sample)]
	}
	slices.SortFunc(sample[:], forestEdge.compare)
	pivot := sample[len(sample)/2]
	i, j := 0, len(edges)-1
	for i <= j {
		for edges[i].compare(pivot) < 0 {
			i++
		}
		for pivot.compare(edges[j]) < 0 {
			j--
		}
		if i <= j {
			edges[i], edges[j] = edges[j], edges[i]
			i++
			j--
		}
	}
	return i
}

// find is the vertex that stands for v's tree; it halves the path on its way.
func (f *forestFilter) find(v uint32) uint32 {
	for f.parent[v] != v {
		f.parent[v] = f.parent[f.parent[v]]
		v = f.parent[v]
	}
	return v
}

// writeForest writes a line (vertex, vertex and weight) for each edge.
func writeForest(ctx context.Context, p *peer.Peer, numbers *numbers, edges []forestEdge) error {
	ends := make([]uint32, 0, 2*len(edges))
	for _, e := range edges {
		ends = append(ends, e.low, e.high)
	}
	names, err := numbers.names(ctx, p, ends)
	if err != nil {
		return err
	}
	var key, value []byte
	for i, e := range edges {
		key = names.appendTo(key[:0], 2*i)
		value = append(names.appendTo(value[:0], 2*i+1), ' ')
		if err := p.WriteKV(key, appendValue(value, e.weight)); err != nil {
			return err
		}
	}
	return nil
}
