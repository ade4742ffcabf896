package algorithm

import (
	"context"
	"math/bits"

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
	kindCutReached               // cut vertices that the sender has found
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
//
// A vertex with very many edges has them on all ranks, which follow them together.
type breadthFirst struct {
	graphProgram
	source string

	depth    []uint32 // of own vertices
	frontier []uint32 // own vertices of the depth at hand
	next     []uint32 // own vertices found for the one after it
	state    searchState
	cut      cutFrontier

	late int64 // edges of own cut vertices that the frontier had without knowing

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

// stalls is the part of all edges, each counted at both ends, from which a vertex's
// row is worth the work of all ranks: less than what a vertex with a tenth of all
// edges has.
const stalls = 1.0 / 32

func newBreadthFirst(c graph.Config, source string) *breadthFirst {
	return &breadthFirst{graphProgram: graphProgram{config: c, need: graph.Need{In: true, Out: true, Cut: true, CutFrom: stalls, Room: graph.Room{Own: 4 + 12, Others: 6}}}, source: source}
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
	b.frontier, b.next, b.cut, b.late = nil, nil, newCutFrontier(b.part), 0
	if source >= 0 {
		if i, ok := b.cut.number(p.Rank(), uint32(source)); ok {
			b.cut.find(i)
		} else {
			b.depth[source] = 0
			b.frontier = []uint32{uint32(source)}
		}
	}
	if err := b.cut.share(ctx, p, 0, func(i int) { b.joinFrontier(i, 0) }); err != nil {
		return err
	}
	p.HoldCheckpoints(true)
	entries := max(b.part.Entries, 1)
	b.state = searchState{Unexplored: entries, EdgeMean: int64(squares.Value())/entries + 1}
	return nil
}

// search goes from depth to depth.
func (b *breadthFirst) search(ctx context.Context, p *peer.Peer) error {
	told := peer.Sum[int64](p, "bfs: told")
	explored := peer.Sum[int64](p, "bfs: explored")
	for {
		edges := b.late
		b.late = 0
		for _, v := range b.frontier {
			edges += int64(b.part.OutDegree[v])
		}
		explored.Add(edges)
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
		up := b.state.Up
		b.turn(told.Value(), explored.Value())
		if up == 0 || b.state.Up == 1 {
			continue
		}
		// Down, all ranks have to know what they found looking up.
		depth := uint32(b.state.Depth)
		if err := b.cut.share(ctx, p, depth, func(i int) { b.joinFrontier(i, depth) }); err != nil {
			return err
		}
	}
}

// joinFrontier puts a cut vertex into the frontier at hand, if it is own.
func (b *breadthFirst) joinFrontier(i int, depth uint32) {
	if v, ok := b.cut.own(i); ok {
		b.depth[v] = depth
		b.frontier = append(b.frontier, v)
	}
}

func (b *breadthFirst) tell(p *peer.Peer, told *peer.Aggregator[int64]) error {
	if b.state.Up == 1 {
		told.Add(int64(len(b.frontier)))
		if err := b.tellFrontier(p); err != nil {
			return err
		}
	} else {
		sent, err := b.tellNeighbours(p)
		if err != nil {
			return err
		}
		told.Add(int64(len(b.next)) + sent)
	}
	found, err := b.cut.tell(p)
	told.Add(found)
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
	followed := 0
	for _, v := range b.frontier {
		row := b.part.Out.Row(int(v))
		b.follow(row)
		followed += len(row)
	}
	for i, depth := range b.cut.depth {
		if depth == uint32(b.state.Depth) {
			row := b.part.CutOut.Row(i)
			b.follow(row)
			followed += len(row)
		}
	}
	p.Edges(int64(followed))
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

// follow marks own vertices of a row, and puts others where they are told of.
func (b *breadthFirst) follow(row []uint32) {
	first, n := b.part.First(), uint32(b.part.N())
	for _, t := range row {
		if w := t - first; w < n {
			b.reach(w)
			continue
		}
		word, bit := t>>6, uint64(1)<<(t&63)
		if b.seen[word]&bit != 0 {
			continue
		}
		b.seen[word] |= bit
		to := b.part.Owner(t)
		if i, ok := b.cut.number(to, t-b.part.Bounds[to]); ok {
			b.cut.find(i)
		} else {
			b.lists[to] = append(b.lists[to], t-b.part.Bounds[to])
		}
	}
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
	if b.depth[v] != unreached {
		return
	}
	if i, ok := b.cut.number(b.part.Rank, v); ok {
		b.cut.find(i)
		return
	}
	b.depth[v] = uint32(b.state.Depth) + 1
	b.next = append(b.next, v)
}

func (b *breadthFirst) hear(p *peer.Peer) error {
	if b.state.Up == 1 {
		if err := b.hearFrontier(p); err != nil {
			return err
		}
		if err := b.hearCutFrontier(p); err != nil {
			return err
		}
		p.Edges(b.lookUp(p.Cores()))
		return nil
	}
	below := uint32(b.state.Depth) + 1
	if err := b.cut.hear(p, below, func(i int) {
		if v, ok := b.cut.own(i); ok {
			b.depth[v] = below
			b.next = append(b.next, v)
		}
	}); err != nil {
		return err
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

// Save keeps the depths so far.
func (b *breadthFirst) Save(w *peer.SnapshotWriter) error {
	if err := b.saveGraph(w); err != nil {
		return err
	}
	s := b.state
	head := []int64{s.Depth, s.Up, s.Vertices, s.Unexplored, s.EdgeMean, int64(len(b.frontier))}
	head = append(head, b.late)
	found := make([]uint32, len(b.cut.found))
	for i, is := range b.cut.found {
		if is {
			found[i] = 1
		}
	}
	return w.Put("depths", span.Bytes(head), span.Bytes(b.cut.depth), span.Bytes(found),
		span.Bytes(b.depth), span.Bytes(b.frontier), span.Bytes(b.next))
}

// Load goes on from a checkpoint: the depth that it was taken in is told again,
// from the frontier of then.
func (b *breadthFirst) Load(r *peer.SnapshotReader) error {
	if err := b.loadGraph(r); err != nil {
		return err
	}
	head, rest, err := readSection(r, "depths", 7)
	if err != nil {
		return err
	}
	b.state = searchState{head[0], head[1], head[2], head[3], head[4]}
	b.late, b.cut = head[6], newCutFrontier(b.part)
	values, n, f, h := span.Of[uint32](rest), b.part.N(), int(head[5]), len(b.cut.depth)
	if len(values) < 2*h+n+f {
		return damaged("depths")
	}
	copy(b.cut.depth, values)
	for i := range h {
		b.cut.found[i] = values[h+i] != 0
	}
	values = values[2*h:]
	b.depth, b.frontier, b.next = values[:n:n], values[n:n+f:n+f], values[n+f:]
	return nil
}
