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
//
// A distance is the least of sums that are each taken along a path from its
// source on, whatever order they are found in, so that it has the same bits on
// any gang.
type shortestPaths struct {
	graphProgram
	source string

	distance []float64 // of own vertices
	limit    float64
	step     float64
	near     []uint32 // own vertices below the limit that have to tell their neighbours
	far      []uint32 // those above
	waits    []bool   // by own vertex: it is in near or in far

	best  []float64  // by dense id: the least that others were told, or are to be
	lists [][]uint32 // by rank: whom to tell, as dense ids
	news  []bool     // by dense id: it is in lists
}

func newShortestPaths(c graph.Config, source string) *shortestPaths {
	return &shortestPaths{graphProgram: graphProgram{config: c, need: graph.Need{Out: true, Weights: true}}, source: source}
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
	s.waits = make([]bool, s.part.N())
	s.best, s.news = make([]float64, s.part.Total()), make([]bool, s.part.Total())
	for i := range s.best {
		s.best[i] = math.Inf(1)
	}
	s.lists = make([][]uint32, p.Size())
	s.wake()
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

// wake sorts the vertices that wait by the limit.
func (s *shortestPaths) wake() {
	waiting := append(s.near, s.far...)
	s.near, s.far = nil, nil
	for _, v := range waiting {
		s.waits[v] = false
	}
	for _, v := range waiting {
		s.wait(v)
	}
}

func (s *shortestPaths) wait(v uint32) {
	if s.waits[v] {
		return
	}
	s.waits[v] = true
	if s.distance[v] < s.limit {
		s.near = append(s.near, v)
	} else {
		s.far = append(s.far, v)
	}
}

func (s *shortestPaths) search(ctx context.Context, p *peer.Peer) error {
	told := peer.Sum[int64](p, "sssp: told")
	least := peer.Min[float64](p, "sssp: least")
	for {
		active, err := s.settle()
		if err != nil {
			return err
		}
		p.Active(active)
		sent, err := s.tell(p)
		if err != nil {
			return err
		}
		told.Add(sent)
		for _, v := range s.far {
			least.Add(s.distance[v])
		}
		if err := p.Sync(ctx); err != nil {
			return err
		}
		if err := s.hear(p); err != nil {
			return err
		}
		if told.Value() > 0 {
			continue
		}
		next := least.Value()
		if math.IsInf(next, 1) {
			return nil
		}
		s.limit = next + s.step
		if s.limit == next { // a step that is lost in rounding
			s.limit = math.Nextafter(next, math.Inf(1))
		}
		s.wake()
	}
}

// settle follows the edges of vertices below the limit until none changes any
// more here. It returns how many vertices told their neighbours.
func (s *shortestPaths) settle() (int64, error) {
	first, n := s.part.First(), uint32(s.part.N())
	out := s.part.Out
	active := int64(0)
	// First come, first served: the last found is seldom the nearest.
	for at := 0; at < len(s.near); at++ {
		v := s.near[at]
		s.waits[v] = false
		active++
		from := s.distance[v]
		begin, end := out.Offsets[v], out.Offsets[v+1]
		for i := begin; i < end; i++ {
			w := 1.0
			if out.Weights != nil {
				if w = out.Weights[i]; w < 0 {
					return 0, s.negative(v, w)
				}
			}
			d, t := from+w, out.Targets[i]
			if u := t - first; u < n {
				if d < s.distance[u] {
					s.distance[u] = d
					s.improved(u)
				}
				continue
			}
			if d < s.best[t] {
				s.best[t] = d
				if !s.news[t] {
					s.news[t] = true
					to := s.part.Owner(t)
					s.lists[to] = append(s.lists[to], t)
				}
			}
		}
	}
	s.near = s.near[:0]
	return active, nil
}

// improved makes v wait below the limit, also if it waits above already: far
// then names it twice, and it is looked at where it stands.
func (s *shortestPaths) improved(v uint32) {
	if s.distance[v] < s.limit || !s.waits[v] {
		s.waits[v] = false
		s.wait(v)
	}
}

func (s *shortestPaths) negative(v uint32, w float64) error {
	return core.Errorf(core.Failed, "an edge of vertex %s has the weight %v", s.part.IDs.String(int(v)), w).At("spec.input").
		Do("give weights that are not negative: ways would get shorter for ever")
}

// tell sends what is new to the ranks that it concerns.
func (s *shortestPaths) tell(p *peer.Peer) (int64, error) {
	sent := int64(0)
	for to, list := range s.lists {
		distances := make([]float64, len(list))
		for i, t := range list {
			distances[i] = s.best[t]
			s.news[t] = false
			list[i] = t - s.part.Bounds[to]
		}
		if err := column.Send(p, to, kindNearer, list); err != nil {
			return 0, err
		}
		if err := column.Send(p, to, kindDistances, distances); err != nil {
			return 0, err
		}
		sent += int64(len(list))
		s.lists[to] = list[:0]
	}
	return sent, nil
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
