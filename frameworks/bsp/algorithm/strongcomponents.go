package algorithm

import (
	"cmp"
	"context"
	"math/bits"
	"slices"
	"sync/atomic"

	"github.com/capstan-run/capstan/frameworks/bsp/graph"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
)

func strongComponents() []Algorithm {
	return []Algorithm{define("scc",
		"strongly connected components: each vertex gets the smallest id of those it can reach and be reached from",
		noOptions{},
		func(c graph.Config, _ noOptions) peer.Program {
			return &strongComponent{graphProgram: graphProgram{config: c, need: graph.Need{Out: true, In: true, Room: graph.Room{Own: 24 + 48, Others: 8 + 40, Named: nameRoom}}}}
		})}
}

// strongComponent finds strongly connected components by trimming and colouring
// (Orzan, "On distributed verification and verified distribution", 2004; with
// the trimming of Slota, Rajamanickam and Madduri, "BFS and coloring-based
// parallel algorithms for strongly connected components", 2014). In rounds, until
// nobody is left:
//
//	trim      who is reached by nobody, or reaches nobody, is a component alone
//	colour    each vertex takes the highest colour that reaches it; it begins with its own
//	gather    who has its own colour is a root: those of that colour from which it
//	          can be reached are its component
//
// Within a rank each phase goes as far as it can before others are told. Colours
// go by degrees in the first round, so that the root of the giant component is
// likely one of its own, and by chance later, so that chains of components fall
// in few rounds.
type strongComponent struct {
	graphProgram
	componentState
}

// componentState is what a checkpoint keeps.
type componentState struct {
	phase  int64
	round  int64
	root   []uint32 // of own vertices: dense id of the component's root; nobody's is absent
	colour []uint64 // of own vertices in the round
}

// absent is no vertex.
const absent = ^uint32(0)

// Phases of a round.
const (
	phaseTrim int64 = iota
	phaseColour
	phaseGather
	phaseEnd
)

// scc is what a rank computes components with, on several cores: a vertex's state
// only ever goes one way, and who moves it there goes on from it.
type scc struct {
	*strongComponent
	peer    *peer.Peer
	first   uint32
	n       int
	mail    *pushes
	crew    crew
	in, out []uint32   // of own vertices: edges from and to those that are left
	found   [][]uint32 // by core: local vertices to go on from; all are in the first
	batch   []uint32
	one     [1]uint32

	followed int64 // edges, in this superstep

	left *peer.Aggregator[int64]
	sent *peer.Aggregator[int64]
}

// Run writes a line (vertex, smallest id of its component) for each vertex.
func (c *strongComponent) Run(ctx context.Context, p *peer.Peer) error {
	if p.Superstep() == 0 {
		c.componentState = componentState{}
	}
	if err := c.load(ctx, p); err != nil {
		return err
	}
	numbers, err := numberVertices(ctx, p, c.part)
	if err != nil {
		return err
	}
	if c.root == nil {
		c.root, c.colour = make([]uint32, c.part.N()), make([]uint64, c.part.N())
		for v := range c.root {
			c.root[v] = absent
		}
	}
	s := &scc{strongComponent: c, peer: p, first: c.part.First(), n: c.part.N(), mail: newPushes(p, c.part),
		crew: crew{cores: p.Cores()}, found: make([][]uint32, p.Cores()),
		left: peer.Sum[int64](p, "scc left"), sent: peer.Sum[int64](p, "scc sent")}
	if err := s.rounds(ctx); err != nil {
		return err
	}
	labels, err := s.smallest(ctx, numbers.places)
	if err != nil {
		return err
	}
	names, err := numbers.names(ctx, p, labels)
	if err != nil {
		return err
	}
	return writeNames(p, c.part, names)
}

// rounds goes on from the phase of the checkpoint, or from the beginning. What a
// phase has found before is told to all once more, which changes nothing.
func (s *scc) rounds(ctx context.Context) error {
	s.peer.HoldCheckpoints(false)
	for s.phase != phaseEnd {
		var err error
		switch s.phase {
		case phaseTrim:
			err = s.trim(ctx)
		case phaseColour:
			err = s.paint(ctx)
		case phaseGather:
			err = s.gather(ctx)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *scc) countLeft() int64 {
	n := int64(0)
	for _, r := range s.root {
		if r == absent {
			n++
		}
	}
	return n
}

// trim counts the edges among those that are left, and makes components of
// vertices without any on one side.
func (s *scc) trim(ctx context.Context) error {
	s.in, s.out = make([]uint32, s.n), make([]uint32, s.n)
	share(s.crew.cores, s.part.Out, func(core, from, to int) {
		for v := from; v < to; v++ {
			dense := s.first + uint32(v)
			s.out[v], s.in[v] = withoutSelf(s.part.Out.Row(v), dense), withoutSelf(s.part.In.Row(v), dense)
		}
	})
	for v := range s.n {
		if s.root[v] != absent {
			s.found[0] = append(s.found[0], uint32(v))
		}
		s.trimIf(0, uint32(v))
	}
	fewer := func(core int, v uint32, edges uint64) {
		if in := uint32(edges); in != 0 {
			atomic.AddUint32(&s.in[v], -in)
		}
		if out := uint32(edges >> 32); out != 0 {
			atomic.AddUint32(&s.out[v], -out)
		}
		s.trimIf(core, v)
	}
	one := [2]uint64{1, 1 << 32} // an edge less in, and out
	s.mail.sums = true
	err := s.spread(ctx, &wave{lists: []*graph.CSR{s.part.Out, s.part.In}, take: fewer,
		push: func(core, list int, v uint32, row []uint32) {
			for _, t := range row {
				if w := t - s.first; int(w) >= s.n {
					s.mail.add(core, t, one[list])
				} else if w != v {
					fewer(core, w, one[list])
				}
			}
		}})
	if err != nil {
		return err
	}
	s.mail.forget()
	s.phase = phaseColour
	if s.left.Value() == 0 {
		s.phase = phaseEnd
		return nil
	}
	s.round++
	for v := range s.n {
		s.colour[v] = 0
		if s.root[v] == absent {
			s.colour[v] = s.ownColour(uint32(v))
		}
	}
	return nil
}

func withoutSelf(row []uint32, self uint32) uint32 {
	n := uint32(0)
	for _, t := range row {
		if t != self {
			n++
		}
	}
	return n
}

// trimIf makes a component of v if nobody that is left reaches it, or is reached.
func (s *scc) trimIf(core int, v uint32) {
	if atomic.LoadUint32(&s.root[v]) == absent && (atomic.LoadUint32(&s.in[v]) == 0 || atomic.LoadUint32(&s.out[v]) == 0) {
		s.join(core, v, s.first+v)
	}
}

// join gives v its component, unless it has one, and goes on from it.
func (s *scc) join(core int, v, root uint32) {
	if atomic.CompareAndSwapUint32(&s.root[v], absent, root) {
		s.found[core] = append(s.found[core], v)
	}
}

// ownColour is the colour that v begins the round with: never 0, none equal.
func (s *scc) ownColour(v uint32) uint64 {
	dense := s.first + v
	high := uint32(mix(uint64(s.round)<<32|uint64(dense))) >> 8
	if s.round == 1 {
		least := min(s.part.OutDegree[v], s.part.InDegree[v])
		high |= uint32(bits.Len32(least)) << 24
	}
	return uint64(high)<<32 | uint64(dense) + 1
}

// paint lets colours run along the edges.
func (s *scc) paint(ctx context.Context) error {
	for v := range s.n {
		if s.root[v] == absent {
			s.found[0] = append(s.found[0], uint32(v))
		}
	}
	better := func(core int, v uint32, colour uint64) {
		if s.root[v] == absent && raiseTo(&s.colour[v], colour) {
			s.found[core] = append(s.found[core], v)
		}
	}
	ran := make([]uint64, s.n) // the colour that went on from a vertex last
	w := &wave{lists: []*graph.CSR{s.part.Out}, take: better,
		ready: func(v uint32) bool {
			is := s.colour[v] != ran[v]
			ran[v] = s.colour[v]
			return is
		},
		push: func(core, _ int, v uint32, row []uint32) {
			colour := atomic.LoadUint64(&s.colour[v])
			for _, t := range row {
				if w := t - s.first; int(w) < s.n {
					better(core, w, colour)
				} else {
					s.mail.raise(core, t, colour)
				}
			}
		}}
	w.order = func() { s.highestFirst(w) }
	err := s.spread(ctx, w)
	s.mail.forget()
	s.phase = phaseGather
	return err
}

// highestFirst lets the highest colours run first: where they come no other is
// worth anything. One core takes them one by one; several begin with as many as
// have run before, so that the first, which is to run the farthest, runs alone.
func (s *scc) highestFirst(w *wave) {
	slices.SortFunc(s.found[0], func(a, b uint32) int { return cmp.Compare(s.colour[a], s.colour[b]) })
	if s.crew.cores == 1 {
		s.drain(w)
		return
	}
	seeds := slices.Clone(s.found[0])
	for n := 1; len(seeds) > 0; n *= 2 {
		rest := max(len(seeds)-n, 0)
		s.found[0] = append(s.found[0][:0], seeds[rest:]...)
		seeds = seeds[:rest]
		s.drain(w)
	}
}

// gather collects the components of the roots against the edges.
func (s *scc) gather(ctx context.Context) error {
	for v := range s.n {
		if s.colour[v] == 0 {
			continue
		}
		if s.root[v] == absent && s.colour[v] == s.ownColour(uint32(v)) {
			s.root[v] = s.first + uint32(v)
		}
		if s.root[v] != absent {
			s.found[0] = append(s.found[0], uint32(v))
		}
	}
	join := func(core int, v uint32, colour uint64) {
		if s.colour[v] == colour && atomic.LoadUint32(&s.root[v]) == absent {
			s.join(core, v, uint32(colour)-1)
		}
	}
	err := s.spread(ctx, &wave{lists: []*graph.CSR{s.part.In}, take: join,
		push: func(core, _ int, v uint32, row []uint32) {
			colour := s.colour[v]
			for _, t := range row {
				if w := t - s.first; int(w) < s.n {
					join(core, w, colour)
				} else {
					s.mail.once(core, t, colour)
				}
			}
		}})
	s.mail.forget()
	s.phase = phaseTrim
	return err
}

// smallest gives each own vertex the smallest number of its component. It takes
// two Syncs.
func (s *scc) smallest(ctx context.Context, numbers []uint32) ([]uint32, error) {
	least := make([]uint32, s.n) // by own root
	away := map[uint32]uint32{}  // by root of another rank
	for v := range least {
		least[v] = absent
	}
	for v, root := range s.root {
		if r := root - s.first; int(r) < s.n {
			least[r] = min(least[r], numbers[v])
		} else if n, ok := away[root]; !ok || numbers[v] < n {
			away[root] = numbers[v]
		}
	}
	asked := make([][]uint64, s.part.Size)
	for root, n := range away {
		r := s.part.Owner(root)
		asked[r] = append(asked[r], uint64(root)<<32|uint64(n))
	}
	answers, err := ask(ctx, s.peer, asked, func(questions [][]uint64) {
		for _, list := range questions {
			for _, q := range list {
				r := uint32(q>>32) - s.first
				least[r] = min(least[r], uint32(q))
			}
		}
		for _, list := range questions {
			for i, q := range list {
				list[i] = q&^uint64(absent) | uint64(least[uint32(q>>32)-s.first])
			}
		}
	})
	if err != nil {
		return nil, err
	}
	for _, list := range answers {
		for _, a := range list {
			away[uint32(a>>32)] = uint32(a)
		}
	}
	labels := make([]uint32, s.n)
	for v, root := range s.root {
		if r := root - s.first; int(r) < s.n {
			labels[v] = least[r]
		} else {
			labels[v] = away[root]
		}
	}
	return labels, nil
}

// Save keeps the components and colours so far.
func (c *strongComponent) Save(w *peer.SnapshotWriter) error {
	if err := c.saveGraph(w); err != nil {
		return err
	}
	return w.Put("components", bytesOf([]int64{c.phase, c.round}), bytesOf(c.colour), bytesOf(c.root))
}

// Load goes on from a checkpoint.
func (c *strongComponent) Load(r *peer.SnapshotReader) error {
	if err := c.loadGraph(r); err != nil {
		return err
	}
	head, rest, err := readSection(r, "components", 2)
	if err != nil {
		return err
	}
	n := len(rest) / 12
	c.phase, c.round = head[0], head[1]
	c.colour, c.root = columnOf[uint64](rest[:8*n]), columnOf[uint32](rest[8*n:])
	return nil
}
