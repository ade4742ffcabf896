package algorithm

import (
	"context"

	"github.com/capstan-run/capstan/frameworks/bsp/graph"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
)

// seedOptions are those of an algorithm whose only freedom is chance.
type seedOptions struct {
	Seed int `json:"seed" about:"of the choices left to chance: the same seed gives the same result"`
}

func matchings() []Algorithm {
	return []Algorithm{define("matching",
		"a maximal matching: pairs of neighbours, nobody in two, and no two neighbours left alone",
		seedOptions{Seed: 1},
		func(c graph.Config, o seedOptions) peer.Program {
			return &matching{graphProgram: graphProgram{config: c, need: graph.Need{Out: true, In: true, Room: graph.Room{Own: 24 + 36, Others: 12 + 32, Named: nameRoom, Entry: 8}}}, seed: uint64(o.Seed)}
		})}
}

// matching pairs vertices as if edges were taken one by one in an order left to
// chance, each whose ends are both free, which takes few supersteps (Blelloch,
// Fineman and Shun, "Greedy sequential maximal independent set and matching are
// parallel on average", 2012). A vertex points along its first edge to a vertex
// that is not taken; two that point at each other are a pair.
//
// The place of an edge in the order is a hash of the seed and the numbers of its
// ends in the order of ids, so the pairs depend on neither gang nor
// partitioner. Directions, loops and repeats of edges are left out of account.
type matching struct {
	graphProgram
	seed uint64

	state []uint64 // of own vertices: whom it points at, or nobody, and whether they are a pair
}

// The state of a vertex: a dense id and the bit taken.
const (
	nobody uint64 = 1<<32 - 1
	taken  uint64 = 1 << 32
)

// matchState is what a rank computes a matching with.
type matchState struct {
	*matching
	list    *graph.CSR
	numbers []uint32   // whole column: of vertices in the order of ids
	column  []uint64   // whole column: state
	queue   []uint32   // own vertices to look at, each once
	next    []uint64   // their states after that
	found   [][]uint32 // by core: for the queue
	crew    crew
	news    *bitset // own vertices whose state others have not been told
}

// Run writes a line (vertex, its partner) for each vertex of a pair, and
// (vertex, itself) for those that are left alone.
func (m *matching) Run(ctx context.Context, p *peer.Peer) error {
	if p.Superstep() == 0 {
		m.state = nil
	}
	if err := m.load(ctx, p); err != nil {
		return err
	}
	numbers, err := numberVertices(ctx, p, m.part)
	if err != nil {
		return err
	}
	list, err := neighbours(m.part, p.Cores())
	if err != nil {
		return err
	}
	s := &matchState{matching: m, list: list, numbers: wholeColumn[uint32](m.part),
		column: wholeColumn[uint64](m.part), news: newBitset(m.part.N()), crew: crew{cores: p.Cores()}, found: make([][]uint32, p.Cores())}
	mirror, err := newMirror(ctx, p, m.part, s.list)
	if err != nil {
		return err
	}
	copy(own(m.part, s.numbers), numbers.places)
	if err := exchange(ctx, mirror, s.numbers); err != nil {
		return err
	}
	if m.state == nil {
		m.state = make([]uint64, m.part.N())
		for v := range m.state {
			m.state[v] = nobody
		}
	}
	copy(own(m.part, s.column), m.state)
	if err := exchange(ctx, mirror, s.column); err != nil {
		return err
	}
	p.HoldCheckpoints(false)
	if err := s.pair(ctx, p, mirror); err != nil {
		return err
	}
	partners := make([]uint32, m.part.N())
	for v, state := range m.state {
		partners[v] = numbers.places[v]
		if state&taken != 0 {
			partners[v] = s.numbers[uint32(state)]
		}
	}
	names, err := numbers.names(ctx, p, partners)
	if err != nil {
		return err
	}
	return writeNames(p, m.part, names)
}

// pair goes on until nobody's state changes.
func (s *matchState) pair(ctx context.Context, p *peer.Peer, mirror *mirror) error {
	told := peer.Sum[int64](p, "matching told")
	edge, err := newFringe(mirror, s.list)
	if err != nil {
		return err
	}
	first := s.part.First()
	for v := range s.part.N() {
		s.queue = append(s.queue, uint32(v))
	}
	for {
		edges := int64(0)
		for len(s.queue) > 0 {
			edges += s.look()
		}
		p.Edges(edges)
		changed := s.news.appendSet(nil, 0, uint32(s.part.N()))
		for i := range changed {
			changed[i] += first
		}
		s.news.clear()
		told.Add(int64(len(changed)))
		p.Active(int64(len(changed)))
		var heard []uint32
		if err := exchangeChanged(ctx, mirror, s.column, changed, func(dense uint32, _ uint64) {
			heard = append(heard, dense)
		}, s.list); err != nil {
			return err
		}
		if told.Value() == 0 {
			return nil
		}
		s.hear(edge, heard)
	}
}

// look lets the vertices of the queue point at their first free neighbours, or be
// halves of pairs, each as if it were the only one: as vertices of two ranks do.
// It returns how many edges that took.
func (s *matchState) look() (edges int64) {
	first := s.part.First()
	s.next = append(s.next[:0], make([]uint64, len(s.queue))...)
	s.crew.wholeRows(s.list, s.queue, func(_, i int) { s.next[i] = s.decide(s.queue[i]) })
	changed := s.queue[:0] // the queue is done with
	for i, v := range s.queue {
		if edges += int64(s.list.Degree(int(v))); s.state[v] != s.next[i] {
			s.state[v], s.column[first+v] = s.next[i], s.next[i]
			s.news.set(v)
			changed = append(changed, v)
		}
	}
	s.crew.parts(s.list, changed, func(core, i int, row []uint32) {
		for _, t := range row {
			if w := t - first; int(w) < s.part.N() && s.concerns(t, first+changed[i]) {
				s.found[core] = append(s.found[core], w)
			}
		}
	})
	s.gather()
	return edges
}

// gather makes what the cores have found the queue. A vertex is found once: by
// the one that it points at.
func (s *matchState) gather() {
	s.queue = s.queue[:0]
	for core, list := range s.found {
		s.queue = append(s.queue, list...)
		s.found[core] = list[:0]
	}
}

// hear finds whom news of other ranks' vertices concern.
func (s *matchState) hear(edge *fringe, heard []uint32) {
	slots := make([]uint32, len(heard))
	for i, dense := range heard {
		slots[i] = edge.slot[dense]
	}
	s.crew.parts(edge.rows(), slots, func(core, i int, row []uint32) {
		for _, w := range row {
			if s.concerns(s.part.First()+w, heard[i]) {
				s.found[core] = append(s.found[core], w)
			}
		}
	})
	s.gather()
}

// concerns tells whether news of a neighbour may concern a vertex: they point at
// each other, or the neighbour is taken.
func (s *matchState) concerns(dense, neighbour uint32) bool {
	mine, theirs := s.column[dense], s.column[neighbour]
	return mine&taken == 0 && uint32(mine) == neighbour && (theirs&taken != 0 || uint32(theirs) == dense)
}

// decide is the next state of v.
func (s *matchState) decide(v uint32) uint64 {
	dense := s.part.First() + v
	mine := s.state[v]
	if mine&taken != 0 {
		return mine
	}
	target := s.choose(v, dense, mine)
	switch {
	case target == uint32(nobody):
		return nobody
	case uint32(s.column[target]) != dense:
		return uint64(target)
	}
	return uint64(target) | taken
}

// choose is whom v points at: as before while that vertex is free or taken by v.
func (s *matchState) choose(v, dense uint32, mine uint64) uint32 {
	if mine != nobody {
		if theirs := s.column[uint32(mine)]; theirs&taken == 0 || uint32(theirs) == dense {
			return uint32(mine)
		}
	}
	best, order := uint32(nobody), edgeOrder{}
	for _, t := range s.list.Row(int(v)) {
		if theirs := s.column[t]; theirs&taken != 0 && uint32(theirs) != dense {
			continue
		}
		if o := newEdgeOrder(s.seed, s.numbers[dense], s.numbers[t]); best == uint32(nobody) || o.less(order) {
			best, order = t, o
		}
	}
	return best
}

// edgeOrder is an edge's place among all, which never ties.
type edgeOrder struct {
	hash      uint64
	low, high uint32
}

func newEdgeOrder(seed uint64, a, b uint32) edgeOrder {
	low, high := min(a, b), max(a, b)
	return edgeOrder{mix(mix(seed^uint64(low)) ^ uint64(high)), low, high}
}

func (e edgeOrder) less(o edgeOrder) bool {
	if e.hash != o.hash {
		return e.hash < o.hash
	}
	return e.low < o.low || e.low == o.low && e.high < o.high
}

// Save keeps whom each points at.
func (m *matching) Save(w *peer.SnapshotWriter) error {
	if err := m.saveGraph(w); err != nil {
		return err
	}
	return w.Put("pairs", bytesOf(m.state))
}

// Load goes on from a checkpoint.
func (m *matching) Load(r *peer.SnapshotReader) error {
	if err := m.loadGraph(r); err != nil {
		return err
	}
	_, rest, err := readSection(r, "pairs", 0)
	m.state = columnOf[uint64](rest)
	return err
}
