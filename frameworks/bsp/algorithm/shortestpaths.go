package algorithm

import (
	"context"
	"math"
	"strconv"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/bsp/column"
	"github.com/capstan-run/capstan/frameworks/bsp/graph"
	"github.com/capstan-run/capstan/frameworks/bsp/graph/span"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
)

const (
	kindNearer    = 340 + iota // own vertices of the receiver, local numbers,
	kindDistances              // and how far they are at most
)

// shortestPaths is delta-stepping (Meyer and Sanders, 2003) between ranks: all
// vertices nearer than a limit are settled, each rank following its own edges as
// far as they lead before it tells others, then the limit moves on by a step.
// Edges that lead beyond the limit wait until those that do not have settled who
// has them, so that a vertex that comes nearer by and by follows them once.
//
// A distance is the least of sums that are each taken along a path from its
// source on, whatever order they are found in, so that it has the same bits on
// any gang.
type shortestPaths struct {
	graphProgram
	source string

	distance []float64 // of own vertices; once it runs, their part of best
	limit    float64
	step     float64
	state    []waiting // by own vertex
	near     []uint32  // own vertices below the limit that have to follow their edges
	far      []uint32  // those above, and some that came nearer since
	least    float64   // no vertex above the limit is nearer, nor was told to be
	owing    []uint32  // own vertices whose edges beyond the limit are to be followed
	owes     []bool    // by own vertex: it is in owing
	owed     int64     // edges of those
	followed int64     // edges that led out of vertices since the limit moved
	looked   int64     // edges that were looked at in the superstep
	most     int64     // the most that all ranks followed between two moves

	best  []float64  // by dense id: what own vertices have, others were told or are to be
	lists [][]uint32 // by rank: whom to tell, as dense ids
	news  []bool     // by dense id: it is in lists
}

// waiting is whether, and where, a vertex waits for its edges to be followed.
type waiting uint8

const (
	idle waiting = iota
	inNear
	inFar
)

func newShortestPaths(c graph.Config, source string) *shortestPaths {
	return &shortestPaths{graphProgram: graphProgram{config: c, need: graph.Need{Out: true, Weights: true, Room: graph.Room{Own: 19 + 16, Others: 9 + 14}}}, source: source}
}

// Run writes a line (vertex, distance) for each vertex.
func (s *shortestPaths) Run(ctx context.Context, p *peer.Peer) error {
	if p.Superstep() == 0 {
		s.distance = nil
	}
	if err := s.load(ctx, p); err != nil {
		return err
	}
	if s.distance == nil {
		if err := s.begin(ctx, p); err != nil {
			return err
		}
	}
	s.state, s.owes = make([]waiting, s.part.N()), make([]bool, s.part.N())
	s.owing, s.owed, s.followed, s.most, s.least = nil, 0, 0, 0, math.Inf(1)
	s.best, s.news = make([]float64, s.part.Total()), make([]bool, s.part.Total())
	for i := range s.best {
		s.best[i] = math.Inf(1)
	}
	own := s.best[s.part.First():][:s.part.N()]
	copy(own, s.distance)
	s.distance = own
	s.lists = make([][]uint32, p.Size())
	waiting := append(s.near, s.far...)
	s.near, s.far = nil, nil
	for _, v := range waiting {
		s.improved(v)
	}
	p.HoldCheckpoints(false)
	if err := s.search(ctx, p); err != nil {
		return err
	}
	return s.write(p)
}

// begin finds the source, and a step: about as far as one edge in a vertex's
// row leads, so that a step is much work and little of it for nothing.
func (s *shortestPaths) begin(ctx context.Context, p *peer.Peer) error {
	weights := peer.Sum[float64](p, "sssp: weights")
	sampled := peer.Sum[int64](p, "sssp: sampled")
	if w := s.part.Out.Weights; w != nil {
		stride := max(len(w)/(64<<10), 1)
		for i := 0; i < len(w); i += stride {
			weights.Add(w[i])
			sampled.Add(1)
		}
	}
	source, err := findSource(ctx, p, s.part, s.source)
	if err != nil {
		return err
	}
	s.step = 1
	if n := sampled.Value(); n > 0 {
		mean := float64(s.part.Entries)/float64(s.part.Total()) + 1
		s.step = max(2*weights.Value()/float64(n)/mean, math.SmallestNonzeroFloat64)
	}
	s.limit = s.step
	s.distance = make([]float64, s.part.N())
	for v := range s.distance {
		s.distance[v] = math.Inf(1)
	}
	s.near, s.far = nil, nil
	if source >= 0 {
		s.distance[source] = 0
		s.far = []uint32{uint32(source)}
	}
	return nil
}

// improved makes v wait on the side of the limit where it is now.
func (s *shortestPaths) improved(v uint32) {
	if d := s.distance[v]; d >= s.limit {
		s.least = min(s.least, d)
		if s.state[v] == idle {
			s.state[v] = inFar
			s.far = append(s.far, v)
		}
	} else if s.state[v] != inNear {
		s.state[v] = inNear
		s.near = append(s.near, v)
	}
}

// wake moves the vertices that the limit has passed to those that are near.
func (s *shortestPaths) wake() {
	waiting := s.far
	s.far, s.least = s.far[:0], math.Inf(1)
	for _, v := range waiting {
		if s.state[v] == inFar { // else it came nearer before
			s.state[v] = idle
			s.improved(v)
		}
	}
}

// patience is the most edges beyond the limit that are followed without
// knowing whether other ranks will bring their vertices nearer yet.
const patience = 1 << 15

func (s *shortestPaths) search(ctx context.Context, p *peer.Peer) error {
	told := peer.Sum[int64](p, "sssp: told")
	owed := peer.Sum[int64](p, "sssp: owed")
	followed := peer.Sum[int64](p, "sssp: followed")
	least := peer.Min[float64](p, "sssp: least")
	for closing := false; ; {
		active, err := s.settle()
		if err != nil {
			return err
		}
		p.Active(active)
		if closing || p.Size() == 1 || s.owed <= patience {
			s.settleFar()
		}
		p.Edges(s.looked)
		s.looked = 0
		sent, err := s.tell(p)
		if err != nil {
			return err
		}
		told.Add(sent)
		owed.Add(s.owed)
		followed.Add(s.followed)
		least.Add(s.least)
		if err := p.Sync(ctx); err != nil {
			return err
		}
		if err := s.hear(p); err != nil {
			return err
		}
		if closing = told.Value() == 0; !closing || owed.Value() > 0 {
			continue
		}
		if math.IsInf(least.Value(), 1) {
			return nil
		}
		s.advance(least.Value(), followed.Value())
		closing = false
	}
}

// advance moves the limit on. Where few edges are left to follow, which are the
// far ends of the graph, steps get longer: what counts then is their number.
func (s *shortestPaths) advance(least float64, followed int64) {
	s.most = max(s.most, followed)
	if followed < s.most/16 {
		s.step *= 2
	}
	s.followed = 0
	s.limit = least + s.step
	if s.limit == least { // a step that is lost in rounding
		s.limit = math.Nextafter(least, math.Inf(1))
	}
	s.wake()
}

// settle follows the edges that stay below the limit until no vertex there
// comes nearer any more here. It returns how many vertices followed theirs.
func (s *shortestPaths) settle() (int64, error) {
	out := s.part.Out
	// First come, first served: the last found is seldom the nearest.
	for at := 0; at < len(s.near); at++ {
		v := s.near[at]
		s.state[v] = idle
		from, begin, end := s.distance[v], out.Offsets[v], out.Offsets[v+1]
		s.followed += int64(end - begin)
		s.looked += int64(end - begin)
		if !s.owes[v] {
			s.owes[v] = true
			s.owing = append(s.owing, v)
			s.owed += int64(end - begin)
		}
		if out.Weights == nil {
			if from+1 < s.limit {
				for _, t := range out.Targets[begin:end] {
					if from+1 < s.best[t] {
						s.reach(t, from+1)
					}
				}
			}
			continue
		}
		row := out.Targets[begin:end]
		for i, w := range out.Weights[begin:end] {
			if w < 0 {
				return 0, s.negative(v, w)
			}
			if d := from + w; d < s.limit && d < s.best[row[i]] {
				s.reach(row[i], d)
			}
		}
	}
	active := int64(len(s.near))
	s.near = s.near[:0]
	return active, nil
}

// settleFar follows the edges that lead beyond the limit.
func (s *shortestPaths) settleFar() {
	out := s.part.Out
	for _, v := range s.owing {
		s.owes[v] = false
		from, begin, end := s.distance[v], out.Offsets[v], out.Offsets[v+1]
		if out.Weights == nil {
			if from+1 >= s.limit {
				for _, t := range out.Targets[begin:end] {
					if from+1 < s.best[t] {
						s.reach(t, from+1)
					}
				}
			}
			continue
		}
		row := out.Targets[begin:end]
		for i, w := range out.Weights[begin:end] {
			if d := from + w; d >= s.limit && d < s.best[row[i]] {
				s.reach(row[i], d)
			}
		}
	}
	s.looked += s.owed
	s.owing, s.owed = s.owing[:0], 0
}

// reach takes notice of a way to t of length d, which is the shortest so far.
func (s *shortestPaths) reach(t uint32, d float64) {
	s.best[t] = d
	if u := t - s.part.First(); u < uint32(len(s.distance)) {
		s.improved(u)
		return
	}
	if !s.news[t] {
		s.news[t] = true
		to := s.part.Owner(t)
		s.lists[to] = append(s.lists[to], t)
	}
}

func (s *shortestPaths) negative(v uint32, w float64) error {
	return core.Errorf(core.Failed, "an edge of vertex %s has the weight %v", s.part.IDs.String(int(v)), w).At("spec.input").
		Do("give weights that are not negative: ways would get shorter for ever")
}

// tell sends what is new to the ranks that it concerns. It returns for how many
// vertices that is a distance below the limit.
func (s *shortestPaths) tell(p *peer.Peer) (int64, error) {
	near := int64(0)
	for to, list := range s.lists {
		distances := make([]float64, len(list))
		for i, t := range list {
			distances[i] = s.best[t]
			if s.best[t] < s.limit {
				near++
			} else {
				s.least = min(s.least, s.best[t])
			}
			s.news[t] = false
			list[i] = t - s.part.Bounds[to]
		}
		if err := column.Send(p, to, kindNearer, list); err != nil {
			return 0, err
		}
		if err := column.Send(p, to, kindDistances, distances); err != nil {
			return 0, err
		}
		s.lists[to] = list[:0]
	}
	return near, nil
}

func (s *shortestPaths) hear(p *peer.Peer) error {
	lists := make([][]uint32, p.Size())
	if err := column.Each(p, kindNearer, func(from, _ int, list []uint32) error {
		lists[from] = append(lists[from], list...)
		return nil
	}); err != nil {
		return err
	}
	return column.Each(p, kindDistances, func(from, at int, distances []float64) error {
		for i, d := range distances {
			if v := lists[from][at+i]; d < s.distance[v] {
				s.distance[v] = d
				s.improved(v)
			}
		}
		return nil
	})
}

// write writes distances; Graphalytics writes infinity in full.
func (s *shortestPaths) write(p *peer.Peer) error {
	columns(p, s.part, arrow.PrimitiveTypes.Float64)
	var key, value []byte
	for v, d := range s.distance {
		key = s.part.IDs.Append(key[:0], v)
		if math.IsInf(d, 1) {
			value = append(value[:0], "infinity"...)
		} else {
			value = strconv.AppendFloat(value[:0], d, 'g', -1, 64)
		}
		if err := p.WriteKV(key, value); err != nil {
			return err
		}
	}
	return nil
}

// Save keeps the distances so far. What others were told in this superstep they
// may not have heard yet, so that all that is known is told again: every
// vertex that was reached waits.
func (s *shortestPaths) Save(w *peer.SnapshotWriter) error {
	if err := s.saveGraph(w); err != nil {
		return err
	}
	return w.Put("distances", span.Bytes([]float64{s.limit, s.step}), span.Bytes(s.distance))
}

// Load goes on from a checkpoint.
func (s *shortestPaths) Load(r *peer.SnapshotReader) error {
	if err := s.loadGraph(r); err != nil {
		return err
	}
	_, rest, err := readSection(r, "distances", 0)
	if err != nil {
		return err
	}
	values := span.Of[float64](rest)
	if len(values) != 2+s.part.N() {
		return damaged("distances")
	}
	s.limit, s.step, s.distance = values[0], values[1], values[2:]
	s.near, s.far = nil, nil
	for v, d := range s.distance {
		if !math.IsInf(d, 1) {
			s.near = append(s.near, uint32(v))
		}
	}
	return nil
}
