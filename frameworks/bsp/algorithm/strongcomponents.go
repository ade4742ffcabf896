package algorithm

import (
	"cmp"
	"context"
	"math/bits"
	"slices"

	"github.com/capstan-run/capstan/frameworks/bsp/graph"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
)

func strongComponents() []Algorithm {
	return []Algorithm{define("scc",
		"strongly connected components: each vertex gets the smallest id of those it can reach and be reached from",
		noOptions{},
		func(c graph.Config, _ noOptions) peer.Program {
			return &strongComponent{graphProgram: graphProgram{config: c, need: graph.Need{Out: true, In: true}}}
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

// scc is what a rank computes components with.
type scc struct {
	*strongComponent
	peer    *peer.Peer
	first   uint32
	n       int
	mail    *pushes
	in, out []uint32 // of own vertices: edges from and to those that are left
	stack   []uint32 // local vertices to go on from
	left    *peer.Aggregator[int64]
	sent    *peer.Aggregator[int64]
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

// spread goes on from the vertices on the stack, here and at the other ranks,
// until no message is on its way. order, if there is one, says how; push handles
// a vertex of the stack, and take a message. It takes at least one Sync.
func (s *scc) spread(ctx context.Context, order func(), push func(v uint32), take func(v uint32, value uint64)) error {
	for {
		if order != nil {
			order()
		}
		for len(s.stack) > 0 {
			v := s.stack[len(s.stack)-1]
			s.stack = s.stack[:len(s.stack)-1]
			push(v)
		}
		n, err := s.mail.send()
		if err != nil {
			return err
		}
		s.sent.Add(n)
		s.peer.Active(n)
		s.left.Add(s.countLeft())
		if err := s.peer.Sync(ctx); err != nil {
			return err
		}
		s.mail.take(take)
		if s.sent.Value() == 0 {
			return nil
		}
	}
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
	for v := range s.n {
		dense := s.first + uint32(v)
		s.out[v], s.in[v] = withoutSelf(s.part.Out.Row(v), dense), withoutSelf(s.part.In.Row(v), dense)
		if s.root[v] != absent {
			s.stack = append(s.stack, uint32(v))
		}
	}
	for v := range s.n {
		s.trimIf(uint32(v))
	}
	const inEdge, outEdge = 1, 1 << 32
	fewer := func(v uint32, edges uint64) {
		s.in[v] -= uint32(edges)
		s.out[v] -= uint32(edges >> 32)
		s.trimIf(v)
	}
	err := s.spread(ctx, nil, func(v uint32) {
		s.along(s.part.Out.Row(int(v)), v, inEdge, fewer)
		s.along(s.part.In.Row(int(v)), v, outEdge, fewer)
	}, fewer)
	if err != nil {
		return err
	}
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
func (s *scc) trimIf(v uint32) {
	if s.root[v] == absent && (s.in[v] == 0 || s.out[v] == 0) {
		s.root[v] = s.first + v
		s.stack = append(s.stack, v)
	}
}

// along sends n to each of the row, and hands it to those here at once.
func (s *scc) along(row []uint32, v uint32, n uint64, here func(uint32, uint64)) {
	for _, t := range row {
		if w := t - s.first; int(w) < s.n {
			if w != v {
				here(w, n)
			}
			continue
		}
		s.mail.add(t, n)
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
			s.stack = append(s.stack, uint32(v))
		}
	}
	better := func(v uint32, colour uint64) {
		if s.root[v] == absent && s.colour[v] < colour {
			s.colour[v] = colour
			s.stack = append(s.stack, v)
		}
	}
	// The highest colour goes first: where it comes no other is worth anything.
	order := func() {
		slices.SortFunc(s.stack, func(a, b uint32) int { return cmp.Compare(s.colour[a], s.colour[b]) })
	}
	ran := make([]uint64, s.n) // the colour that went on from a vertex last
	err := s.spread(ctx, order, func(v uint32) {
		colour := s.colour[v]
		if ran[v] == colour {
			return
		}
		ran[v] = colour
		for _, t := range s.part.Out.Row(int(v)) {
			if w := t - s.first; int(w) < s.n {
				better(w, colour)
				continue
			}
			s.mail.raise(t, colour)
		}
	}, better)
	s.mail.forget()
	s.phase = phaseGather
	return err
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
			s.stack = append(s.stack, uint32(v))
		}
	}
	join := func(v uint32, colour uint64) {
		if s.root[v] == absent && s.colour[v] == colour {
			s.root[v] = uint32(colour) - 1
			s.stack = append(s.stack, v)
		}
	}
	err := s.spread(ctx, nil, func(v uint32) {
		colour := s.colour[v]
		for _, t := range s.part.In.Row(int(v)) {
			if w := t - s.first; int(w) < s.n {
				join(w, colour)
				continue
			}
			s.mail.once(t, colour)
		}
	}, join)
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
