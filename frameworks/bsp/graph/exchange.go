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
	n             int
	rows, targets []uint32  // stagedEdges long
	weights       []float64 // stagedEdges long, or nil
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
			if l.readers[at].log.alone {
				c.dropAlone()
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
	entries := int64(0)
	if out {
		entries += sum(part.OutDegree)
	}
	if in {
		entries += sum(part.InDegree)
	}
	ways := int64(max(l.directions(), 1))
	weighted := l.weighted()
	rows := plan{limit: part.Total(), weighted: weighted, memory: l.p.Memory() / 2 / ways, keep: part.account.forRows(l.need.Room, entries) / ways, scratch: l.p.Scratch(), cores: l.p.Cores()}
	var err error
	if out {
		rows.degrees = l.uncut(part.OutDegree)
		l.out, err = newBuilder(rows)
		l.cuts.out = newCutRows(len(part.Cut), weighted)
	}
	if in && err == nil {
		rows.degrees = l.uncut(part.InDegree)
		l.in, err = newBuilder(rows)
		l.cuts.in = newCutRows(len(part.Cut), weighted)
	}
	return err
}

func sum(degrees []uint32) (n int64) {
	for _, d := range degrees {
		n += int64(d)
	}
	return n
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

// chunk ships the edges of a chunk. The chunk is used up.
func (s *shipping) chunk(c *chunk, places []uint32) error {
	s.translate(c, places)
	n := c.n
	source, target := c.source[:n], c.target[:n]
	var weights []float64
	if s.weighted {
		weights = c.weight[:n]
	}
	in, out := s.stored()
	if out {
		if err := s.ship(kindEdgesOut, source, target, weights); err != nil {
			return err
		}
	}
	if in {
		return s.ship(kindEdgesIn, target, source, weights)
	}
	if s.c.Directed || !out {
		return nil
	}
	// The same edges the other way, loops but once.
	n = 0
	for i, v := range source {
		if v != target[i] {
			source[n], target[n] = v, target[i]
			if weights != nil {
				weights[n] = weights[i]
			}
			n++
		}
	}
	return s.ship(kindEdgesOut, target[:n], source[:n], weights[:min(n, len(weights))])
}

// translate puts dense ids in the place of the log's numbers. Nothing else is
// done in its loops, so that many of their reads, which are at random, are under
// way at a time.
func (s *shipping) translate(c *chunk, places []uint32) {
	for _, ids := range [][]uint32{c.source[:c.n], c.target[:c.n]} {
		if places != nil {
			for i, id := range ids {
				ids[i] = places[id]
			}
		}
		dense := s.numbers.dense
		for i, id := range ids {
			ids[i] = dense[id]
		}
	}
}

// ship stages edges. The vertices of a rank that are cut are its first, since
// they have most edges; their edges go to who owns the other end.
func (s *shipping) ship(kind int, rows, targets []uint32, weights []float64) error {
	if s.part.Size == 1 {
		return s.accept(uint32(kind), rows, targets, weights)
	}
	bounds := s.part.Bounds
	for i, row := range rows {
		target, kind := targets[i], kind
		to := owner(bounds, row)
		row -= bounds[to]
		if row < s.hubs[to] {
			row += s.hubStart[to]
			kind += kindCutOut - kindEdgesOut
			to = owner(bounds, target)
		}
		st := &s.stages[to*edgeKinds+kind-kindEdgesOut]
		if st.n == len(st.rows) {
			if err := s.flush(to, kind, st); err != nil {
				return err
			}
		}
		st.rows[st.n], st.targets[st.n] = row, target
		if weights != nil {
			st.weights[st.n] = weights[i]
		}
		st.n++
	}
	return nil
}

// flush sends what is staged, and makes room.
func (s *shipping) flush(to, kind int, st *stage) error {
	if st.rows == nil {
		st.rows, st.targets = make([]uint32, stagedEdges), make([]uint32, stagedEdges)
		if s.weighted {
			st.weights = make([]float64, stagedEdges)
		}
		return nil
	}
	rows, targets, weights := st.rows[:st.n], st.targets[:st.n], st.weights[:min(st.n, len(st.weights))]
	st.n = 0
	if to == s.part.Rank {
		return s.accept(uint32(kind), rows, targets, weights)
	}
	s.sent += int64(8*len(rows) + 8*len(weights))
	return s.p.SendBlock(to, uint32(kind), span.Bytes(rows), span.Bytes(targets), span.Bytes(weights))
}

func (s *shipping) flushAll() error {
	for i := range s.stages {
		if st := &s.stages[i]; st.n > 0 {
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
