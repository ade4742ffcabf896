package algorithm

import (
	"context"
	"math/bits"
	"sync"

	"github.com/capstan-run/capstan/frameworks/bsp/column"
	"github.com/capstan-run/capstan/frameworks/bsp/graph"
	"github.com/capstan-run/capstan/frameworks/bsp/graph/span"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
)

// unreached is the depth of what was not reached.
const unreached = ^uint32(0)

const (
	kindReached     = 300 + iota // own vertices of the receiver, local numbers
	kindReachedBits              // the same as bits
	kindFrontier                 // the sender's vertices of this depth, as bits
)

// breadthFirst is a search that changes direction (Beamer, Asanović and
// Patterson, 2012). Down, the vertices of a depth tell their neighbours; up,
// vertices that were not reached look for a neighbour of that depth, and stop at
// the first. Either way a depth is one Sync.
//
// The ranks change direction together, from numbers that all have. Down, the
// next depth's edges are not known before it is there, so they are estimated:
// as many vertices as were told of, with as many edges as the end of an edge has
// in the mean.
type breadthFirst struct {
	graphProgram
	source string

	depth    []uint32 // of own vertices
	frontier []uint32 // own vertices of the depth at hand
	next     []uint32 // own vertices found for the one after it
	state    searchState

	seen  []uint64 // by dense id: told of already
	all   []uint64 // the frontier of all ranks, by dense id
	lists [][]uint32
}

// searchState is the same on all ranks.
type searchState struct {
	Depth      int64
	Up         int64 // 1: looking up
	Vertices   int64 // in the last frontier
	Unexplored int64 // edges of vertices not reached, before it
	EdgeMean   int64 // edges of a vertex that an edge ends at, in the mean
}

func newBreadthFirst(c graph.Config, source string) *breadthFirst {
	return &breadthFirst{graphProgram: graphProgram{config: c, need: graph.Need{In: true, Out: true}}, source: source}
}

// Run writes a line (vertex, depth) for each vertex.
func (b *breadthFirst) Run(ctx context.Context, p *peer.Peer) error {
	if p.Superstep() == 0 {
		b.depth = nil
	}
	if err := b.load(ctx, p); err != nil {
		return err
	}
	if b.depth == nil {
		if err := b.begin(ctx, p); err != nil {
			return err
		}
	}
	b.seen = make([]uint64, (b.part.Total()+63)/64)
	b.all = make([]uint64, len(b.seen))
	b.lists = make([][]uint32, p.Size())
	p.HoldCheckpoints(false)
	if err := b.search(ctx, p); err != nil {
		return err
	}
	return writeDepths(p, b.part, b.depth)
}

func (b *breadthFirst) begin(ctx context.Context, p *peer.Peer) error {
	squares := peer.Sum[float64](p, "bfs: squares of degrees")
	sum := 0.0
	for _, d := range b.part.OutDegree {
		sum += float64(d) * float64(d)
	}
	squares.Add(sum)
	source, err := findSource(ctx, p, b.part, b.source)
	if err != nil {
		return err
	}
	b.depth = make([]uint32, b.part.N())
	for v := range b.depth {
		b.depth[v] = unreached
	}
	b.frontier, b.next = nil, nil
	if source >= 0 {
		b.depth[source] = 0
		b.frontier = []uint32{uint32(source)}
	}
	entries := max(b.part.Entries, 1)
	b.state = searchState{Unexplored: entries, EdgeMean: int64(squares.Value())/entries + 1}
	return nil
}

// search goes from depth to depth.
func (b *breadthFirst) search(ctx context.Context, p *peer.Peer) error {
	told := peer.Sum[int64](p, "bfs: told")
	explored := peer.Sum[int64](p, "bfs: explored")
	for {
		edges := int64(0)
		for _, v := range b.frontier {
			edges += int64(b.part.OutDegree[v])
		}
		explored.Add(edges)
		if b.state.Up == 0 {
			p.Edges(edges)
		}
		p.Active(int64(len(b.frontier)))
		if err := b.tell(p, told); err != nil {
			return err
		}
		if err := p.Sync(ctx); err != nil {
			return err
		}
		if told.Value() == 0 {
			return nil
		}
		if err := b.hear(p); err != nil {
			return err
		}
		b.frontier, b.next = b.next, b.frontier[:0]
		b.turn(told.Value(), explored.Value())
	}
}

func (b *breadthFirst) tell(p *peer.Peer, told *peer.Aggregator[int64]) error {
	if b.state.Up == 1 {
		told.Add(int64(len(b.frontier)))
		return b.tellFrontier(p)
	}
	sent, err := b.tellNeighbours(p)
	told.Add(int64(len(b.next)) + sent)
	return err
}

// turn chooses the direction of the next depth.
func (b *breadthFirst) turn(told, explored int64) {
	const alpha, beta = 15, 18
	s := &b.state
	s.Unexplored -= explored
	s.Depth++
	switch {
	case s.Up == 0 && told*s.EdgeMean > s.Unexplored/alpha && told > s.Vertices:
		s.Up = 1
	case s.Up == 1 && told < s.Vertices && told < int64(b.part.Total())/beta:
		s.Up = 0
	}
	s.Vertices = told
}

// tellNeighbours marks own neighbours of the frontier and tells others of
// theirs. It returns how many others were told of.
func (b *breadthFirst) tellNeighbours(p *peer.Peer) (int64, error) {
	first, n := b.part.First(), uint32(b.part.N())
	for _, v := range b.frontier {
		for _, t := range b.part.Out.Row(int(v)) {
			if w := t - first; w < n {
				b.reach(w)
				continue
			}
			word, bit := t>>6, uint64(1)<<(t&63)
			if b.seen[word]&bit == 0 {
				b.seen[word] |= bit
				to := b.part.Owner(t)
				b.lists[to] = append(b.lists[to], t-b.part.Bounds[to])
			}
		}
	}
	sent := int64(0)
	for to, list := range b.lists {
		sent += int64(len(list))
		if err := b.tellReached(p, to, list); err != nil {
			return 0, err
		}
		b.lists[to] = list[:0]
	}
	return sent, nil
}

// tellReached sends a list as such, or as bits where that is shorter.
func (b *breadthFirst) tellReached(p *peer.Peer, to int, list []uint32) error {
	words := (int(b.part.Bounds[to+1]-b.part.Bounds[to]) + 63) / 64
	if len(list) <= 2*words {
		return column.Send(p, to, kindReached, list)
	}
	set := make([]uint64, words)
	for _, v := range list {
		set[v>>6] |= 1 << (v & 63)
	}
	return column.Send(p, to, kindReachedBits, set)
}

func (b *breadthFirst) reach(v uint32) {
	if b.depth[v] == unreached {
		b.depth[v] = uint32(b.state.Depth) + 1
		b.next = append(b.next, v)
	}
}

// tellFrontier sends the frontier to all.
func (b *breadthFirst) tellFrontier(p *peer.Peer) error {
	set := make([]uint64, (b.part.N()+63)/64)
	for _, v := range b.frontier {
		set[v>>6] |= 1 << (v & 63)
	}
	for to := range p.Size() {
		if err := column.Send(p, to, kindFrontier, set); err != nil {
			return err
		}
	}
	return nil
}

func (b *breadthFirst) hear(p *peer.Peer) error {
	if b.state.Up == 1 {
		if err := b.hearFrontier(p); err != nil {
			return err
		}
		p.Edges(b.lookUp(p.Cores()))
		return nil
	}
	if err := column.Each(p, kindReached, func(_, _ int, list []uint32) error {
		for _, v := range list {
			b.reach(v)
		}
		return nil
	}); err != nil {
		return err
	}
	return column.Each(p, kindReachedBits, func(_, at int, set []uint64) error {
		for i, word := range set {
			for ; word != 0; word &= word - 1 {
				b.reach(uint32((at+i)*64 + bits.TrailingZeros64(word)))
			}
		}
		return nil
	})
}

// hearFrontier puts the frontiers of all ranks together. Ranks' ranges do not
// begin at whole words.
func (b *breadthFirst) hearFrontier(p *peer.Peer) error {
	clear(b.all)
	return column.Each(p, kindFrontier, func(from, at int, set []uint64) error {
		first := int(b.part.Bounds[from]) + at*64
		word, shift := first/64, uint(first%64)
		for i, x := range set {
			b.all[word+i] |= x << shift
			if high := x >> (64 - shift); high != 0 {
				b.all[word+i+1] |= high
			}
		}
		return nil
	})
}

// lookUp looks for a neighbour of the frontier for every vertex that was not
// reached, and returns how many edges it has followed.
func (b *breadthFirst) lookUp(cores int) (followed int64) {
	ranges := b.part.In.Cuts(cores)
	found, edges := make([][]uint32, len(ranges)), make([]int64, len(ranges))
	var all sync.WaitGroup
	for i, r := range ranges {
		all.Go(func() { found[i], edges[i] = b.lookUpRange(r) })
	}
	all.Wait()
	for i, list := range found {
		b.next = append(b.next, list...)
		followed += edges[i]
	}
	return followed
}

func (b *breadthFirst) lookUpRange(r graph.Range) (found []uint32, followed int64) {
	in, all, below := b.part.In, b.all, uint32(b.state.Depth)+1
	for v := r.First; v < r.End; v++ {
		if b.depth[v] != unreached {
			continue
		}
		row, at := in.Row(v), 0
		for ; at < len(row); at++ {
			if u := row[at]; all[u>>6]>>(u&63)&1 != 0 {
				b.depth[v] = below
				found = append(found, uint32(v))
				at++
				break
			}
		}
		followed += int64(at)
	}
	return found, followed
}

// Save keeps the depths so far.
func (b *breadthFirst) Save(w *peer.SnapshotWriter) error {
	if err := b.saveGraph(w); err != nil {
		return err
	}
	s := b.state
	head := []int64{s.Depth, s.Up, s.Vertices, s.Unexplored, s.EdgeMean, int64(len(b.frontier))}
	return w.Put("depths", span.Bytes(head), span.Bytes(b.depth), span.Bytes(b.frontier), span.Bytes(b.next))
}

// Load goes on from a checkpoint: the depth that it was taken in is told again,
// from the frontier of then.
func (b *breadthFirst) Load(r *peer.SnapshotReader) error {
	if err := b.loadGraph(r); err != nil {
		return err
	}
	head, rest, err := readSection(r, "depths", 6)
	if err != nil {
		return err
	}
	b.state = searchState{head[0], head[1], head[2], head[3], head[4]}
	values, n, f := span.Of[uint32](rest), b.part.N(), int(head[5])
	if len(values) < n+f {
		return damaged("depths")
	}
	b.depth, b.frontier, b.next = values[:n:n], values[n:n+f:n+f], values[n+f:]
	return nil
}
