package graph

import (
	"context"
	"encoding/binary"

	"github.com/capstan-run/capstan/frameworks/bsp/graph/span"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
)

// Kinds of blocks of edges. They hold the rows, local to the receiver, then as
// many targets, then as many weights if the graph keeps any. Rows of cut edges
// are numbers of cut vertices.
const (
	kindEdgesOut = 100 + iota
	kindEdgesIn
	kindCutOut
	kindCutIn
	edgeKinds = iota
)

// stagedEdges is the edges of a block.
const stagedEdges = 32 << 10

// stage is edges on their way to one rank as one kind.
type stage struct {
	rows, targets []uint32
	weights       []float64
}

// shipping sends edges to the ranks that have their rows.
type shipping struct {
	*loading
	weighted bool
	stages   []stage // by rank*edgeKinds + kind
	hubs     []uint32
	hubStart []uint32 // number of a rank's first cut vertex
	sent     int64
}

// exchange sends every edge to where its row is, in as many supersteps as
// bounded memory takes.
func (l *loading) exchange(ctx context.Context) error {
	if err := l.openBuilders(); err != nil {
		return err
	}
	s := l.newShipping()
	done := peer.All(l.p, "graph: all edges are sent")
	limit := max(l.p.Memory()/8, 1<<20)
	for at := 0; ; {
		for s.sent = 0; s.sent < limit && at < len(l.readers); {
			c, err := l.readers[at].log.take()
			if err != nil {
				return err
			}
			if c == nil {
				l.places[at] = nil
				at++
				continue
			}
			err = s.chunk(c, l.places[at])
			c.close()
			if err != nil {
				return err
			}
		}
		if err := s.flushAll(); err != nil {
			return err
		}
		done.Add(at == len(l.readers))
		if err := l.p.Sync(ctx); err != nil {
			return err
		}
		if err := l.receive(); err != nil {
			return err
		}
		if done.Value() {
			return nil
		}
	}
}

// openBuilders begins the rows of this rank, whose lengths are known.
func (l *loading) openBuilders() error {
	part := l.part
	n, first := part.N(), part.First()
	part.OutDegree = make([]uint32, n)
	part.InDegree = part.OutDegree
	if l.c.Directed {
		part.InDegree = make([]uint32, n)
	}
	part.IDs.place = make([]uint32, n)
	for place, dense := range l.numbers.dense {
		if v := dense - first; dense != absent && dense >= first && v < uint32(n) {
			part.IDs.place[v] = uint32(place)
			part.OutDegree[v] = l.count.out[place] &^ present
			if l.c.Directed {
				part.InDegree[v] = l.count.in[place]
			}
		}
	}
	l.count = counts{}
	in, out := l.stored()
	budget := l.p.Memory() / 2
	if in && out {
		budget /= 2
	}
	weighted := l.weighted()
	var err error
	if out {
		l.out, err = newBuilder(l.uncut(part.OutDegree), weighted, budget, l.p.Scratch(), l.p.Cores())
		l.cuts.out = newCutRows(len(part.Cut), weighted)
	}
	if in && err == nil {
		l.in, err = newBuilder(l.uncut(part.InDegree), weighted, budget, l.p.Scratch(), l.p.Cores())
		l.cuts.in = newCutRows(len(part.Cut), weighted)
	}
	return err
}

func (l *loading) weighted() bool { return l.c.Weighted && l.need.Weights }

// uncut is the lengths of this rank's rows: those of cut vertices are empty.
func (l *loading) uncut(degrees []uint32) []uint32 {
	if len(l.part.Cut) == 0 {
		return degrees
	}
	rows := append([]uint32(nil), degrees...)
	for _, dense := range l.part.Cut {
		if l.part.Owner(dense) == l.part.Rank {
			rows[dense-l.part.First()] = 0
		}
	}
	return rows
}

func (l *loading) newShipping() *shipping {
	size := l.p.Size()
	s := &shipping{loading: l, weighted: l.weighted(), stages: make([]stage, size*edgeKinds),
		hubs: make([]uint32, size), hubStart: make([]uint32, size)}
	for i, dense := range l.part.Cut {
		r := l.part.Owner(dense)
		if s.hubs[r] == 0 {
			s.hubStart[r] = uint32(i)
		}
		s.hubs[r]++
	}
	return s
}

// chunk ships the edges of a chunk.
func (s *shipping) chunk(c *chunk, places []uint32) error {
	dense := s.numbers.dense
	in, out := s.stored()
	for i, source := range c.source[:c.n] {
		target := c.target[i]
		if target == absent {
			continue
		}
		if places != nil {
			source, target = places[source], places[target]
		}
		source, target = dense[source], dense[target]
		w := 1.0
		if s.weighted {
			w = c.weight[i]
		}
		if out {
			if err := s.ship(kindEdgesOut, source, target, w); err != nil {
				return err
			}
		}
		if !s.c.Directed && source != target {
			if err := s.ship(kindEdgesOut, target, source, w); err != nil {
				return err
			}
		}
		if in {
			if err := s.ship(kindEdgesIn, target, source, w); err != nil {
				return err
			}
		}
	}
	return nil
}

// ship stages an edge. The vertices of a rank that are cut are its first, since
// they have most edges; their edges go to who owns the other end.
func (s *shipping) ship(kind int, row, target uint32, w float64) error {
	to := owner(s.part.Bounds, row)
	row -= s.part.Bounds[to]
	if row < s.hubs[to] {
		row += s.hubStart[to]
		kind += kindCutOut - kindEdgesOut
		to = owner(s.part.Bounds, target)
	}
	st := &s.stages[to*edgeKinds+kind-kindEdgesOut]
	st.rows, st.targets = append(st.rows, row), append(st.targets, target)
	if s.weighted {
		st.weights = append(st.weights, w)
	}
	if len(st.rows) < stagedEdges {
		return nil
	}
	return s.flush(to, kind, st)
}

func (s *shipping) flush(to, kind int, st *stage) error {
	var err error
	if to == s.part.Rank {
		err = s.accept(uint32(kind), st.rows, st.targets, st.weights)
	} else {
		s.sent += int64(8*len(st.rows) + 8*len(st.weights))
		err = s.p.SendBlock(to, uint32(kind), span.Bytes(st.rows), span.Bytes(st.targets), span.Bytes(st.weights))
	}
	st.rows, st.targets, st.weights = st.rows[:0], st.targets[:0], st.weights[:0]
	return err
}

func (s *shipping) flushAll() error {
	for i := range s.stages {
		if st := &s.stages[i]; len(st.rows) > 0 {
			if err := s.flush(i/edgeKinds, kindEdgesOut+i%edgeKinds, st); err != nil {
				return err
			}
		}
	}
	return nil
}

// receive takes the edges that were sent to this rank.
func (l *loading) receive() error {
	width := 8
	if l.weighted() {
		width = 16
	}
	for b := range l.p.Blocks() {
		n := len(b.Data) / width
		rows, targets := span.Of[uint32](b.Data[:4*n]), span.Of[uint32](b.Data[4*n:8*n])
		if err := l.accept(b.Kind, rows, targets, span.Of[float64](b.Data[8*n:])); err != nil {
			return err
		}
	}
	return nil
}

// accept puts edges into rows.
func (l *loading) accept(kind uint32, rows, targets []uint32, weights []float64) error {
	switch kind {
	case kindEdgesOut:
		return l.out.add(rows, targets, weights)
	case kindEdgesIn:
		return l.in.add(rows, targets, weights)
	case kindCutOut:
		l.cuts.out.add(rows, targets, weights)
	case kindCutIn:
		l.cuts.in.add(rows, targets, weights)
	}
	return nil
}

// name finds the ids of this rank's vertices, where their places are not ids.
func (l *loading) name(ctx context.Context) error {
	if !l.named {
		return nil
	}
	out := make([][]byte, l.p.Size())
	send := func(place uint32, id []byte) error {
		dense := l.numbers.dense[place]
		to := l.part.Owner(dense)
		out[to] = binary.LittleEndian.AppendUint32(out[to], dense-l.part.Bounds[to])
		out[to] = append(out[to], id...)
		if len(out[to]) < 1<<20 {
			return nil
		}
		err := l.p.SendBlock(to, kindNames, out[to])
		out[to] = out[to][:0]
		return err
	}
	var key []byte
	for i, k := range l.mine.ints {
		if err := send(l.mine.first+uint32(i), intKeys.append(key[:0], k)); err != nil {
			return err
		}
	}
	for i, k := range l.mine.texts {
		key = textKeys.append(key[:0], k)
		if err := send(l.mine.first+uint32(i), key); err != nil {
			return err
		}
	}
	for to, b := range out {
		if len(b) > 0 {
			if err := l.p.SendBlock(to, kindNames, b); err != nil {
				return err
			}
		}
	}
	if err := l.p.Sync(ctx); err != nil {
		return err
	}
	l.hearNames()
	return nil
}

func (l *loading) hearNames() {
	ids := &l.part.IDs
	n := l.part.N()
	if !l.text {
		ids.ints = make([]int64, n)
	}
	texts := make([]string, n)
	for b := range l.p.Blocks() {
		for rest := b.Data; len(rest) > 0; {
			v := binary.LittleEndian.Uint32(rest)
			if l.text {
				texts[v], rest = textKeys.cut(rest[4:])
			} else {
				ids.ints[v], rest = intKeys.cut(rest[4:])
			}
		}
	}
	if !l.text {
		return
	}
	ids.ends = make([]uint64, n)
	for v, s := range texts {
		ids.text = append(ids.text, s...)
		ids.ends[v] = uint64(len(ids.text))
	}
}
