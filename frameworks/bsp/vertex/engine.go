package vertex

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/bsp/graph"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
)

// engine is a vertex program on one rank.
type engine[V, E, M any] struct {
	compute Computer[V, E, M]
	cfg     Config[V, E, M]
	value   format[V]
	edge    format[E]
	message format[M]
	piece   int // messages of a list

	// The graph as it was loaded.
	part       *graph.Partition
	names      *names
	bounds     []uint32
	rank, size int
	total      uint32 // vertices of all ranks
	loaded     uint32 // of this one
	edged      bool   // edges have values
	edgeValues []E
	hubs       uint32     // the first so many vertices are cut
	hubFirst   uint32     // number of the first of them among all that are cut
	hubRows    [][]uint32 // by number: the local vertices that edges of a cut vertex lead to

	// What the program has made of it, by vertex. Vertices added since follow
	// those that were loaded.
	values   []V
	asleep   bitset
	removed  bitset
	changed  map[uint32]*adjacency[E]
	resuming bool // a superstep's Sync is the last thing that happened

	superstep int64
	vertices  int64 // of all ranks, when the last superstep began
	edges     int64
	active    int64

	p       *peer.Peer
	in      inbox[M]
	workers []*worker[V, E, M]
	counts  struct{ vertices, edges, active *peer.Aggregator[int64] }
}

// Run implements peer.Program.
func (e *engine[V, E, M]) Run(ctx context.Context, p *peer.Peer) error {
	e.p = p
	if p.Superstep() == 0 {
		// Also where a rank was lost before there was a checkpoint.
		if err := e.load(ctx); err != nil {
			return err
		}
	}
	e.begin()
	for {
		if e.resuming {
			done, err := e.arrive()
			if err != nil || done {
				return e.finish(err)
			}
		}
		if done, err := e.master(); err != nil || done {
			return e.finish(err)
		}
		if err := e.step(ctx); err != nil {
			return err
		}
	}
}

func (e *engine[V, E, M]) need() graph.Need {
	return graph.Need{Out: true, Weights: e.edgesWeigh(), Cut: e.cfg.Cut}
}

// load loads the graph and gives each vertex its first value.
func (e *engine[V, E, M]) load(ctx context.Context) error {
	if e.part != nil { // the one of a run that began before this
		if err := e.part.Close(); err != nil {
			return err
		}
	}
	part, err := graph.Load(ctx, e.p, e.cfg.Graph, e.need())
	if err != nil {
		return err
	}
	if err := e.adopt(part); err != nil {
		return err
	}
	e.p.HoldCheckpoints(true)
	e.p.Loading(true)
	defer e.p.Loading(false)
	if e.cfg.Names {
		if err := e.names.publish(ctx, e.p); err != nil {
			return err
		}
	}
	e.values = make([]V, e.loaded)
	e.asleep, e.removed, e.changed = newBitset(int(e.loaded)), newBitset(int(e.loaded)), nil
	e.superstep, e.resuming = 0, false
	vertices, edges := peer.Sum[int64](e.p, "vertex.vertices"), peer.Sum[int64](e.p, "vertex.edges")
	vertices.Add(int64(e.loaded))
	edges.Add(e.localEdges())
	if err := e.p.Sync(ctx); err != nil {
		return err
	}
	e.vertices, e.edges = vertices.Value(), edges.Value()
	e.active = e.vertices
	if e.cfg.Init != nil {
		w := newIdle(e)
		for at := range e.loaded {
			e.values[at] = e.cfg.Init(w.at(at))
		}
	}
	e.p.HoldCheckpoints(false)
	return nil
}

// adopt takes a partition.
func (e *engine[V, E, M]) adopt(part *graph.Partition) error {
	e.part, e.rank, e.size = part, part.Rank, part.Size
	e.bounds = part.Bounds
	e.total = part.Bounds[part.Size]
	e.loaded = part.Bounds[part.Rank+1] - part.Bounds[part.Rank]
	e.piece = max(64, pieceSize/(4+sizeOf[M]()))
	e.names = newNames(part)
	e.adoptHubs()
	e.edged = sizeOf[E]() > 0
	return e.adoptEdges()
}

// edgesWeigh reports whether the program looks at weights.
func (e *engine[V, E, M]) edgesWeigh() bool { return sizeOf[E]() > 0 }

// adoptHubs makes rows of local vertices of the edges of cut vertices.
func (e *engine[V, E, M]) adoptHubs() {
	cut, first := e.part.Cut, e.part.First()
	e.hubs, e.hubFirst, e.hubRows = 0, 0, nil
	for i, dense := range cut {
		if dense < first {
			e.hubFirst++
		} else if dense < first+e.loaded {
			e.hubs++
		}
		var row []uint32
		for _, t := range e.part.CutOut.Row(i) {
			row = append(row, t-first)
		}
		e.hubRows = append(e.hubRows, row)
	}
}

// adoptEdges makes the values of edges.
func (e *engine[V, E, M]) adoptEdges() error {
	if !e.edged {
		return nil
	}
	weights := e.part.Out.Weights
	if w, ok := any(weights).([]E); ok && e.cfg.Edge == nil && weights != nil {
		// A partition does not change.
		if e.edgeValues = w; e.cfg.WritesEdges {
			e.edgeValues = slices.Clone(w)
		}
		return nil
	}
	if e.cfg.Edge == nil && weights != nil {
		var none E
		return core.Errorf(core.Invalid, "edges have weights, and values of type %T", none).
			At("vertex program, Config.Edge").Do("set Edge, which makes a value of a weight")
	}
	e.edgeValues = make([]E, len(e.part.Out.Targets))
	if e.cfg.Edge == nil {
		return nil
	}
	for i := range e.edgeValues {
		weight := 1.0
		if weights != nil {
			weight = weights[i]
		}
		e.edgeValues[i] = e.cfg.Edge(weight)
	}
	return nil
}

// newIdle is a worker that only points at vertices.
func newIdle[V, E, M any](e *engine[V, E, M]) *worker[V, E, M] {
	w := &worker[V, E, M]{e: e}
	w.vertex.w = w
	return w
}

// begin makes what a Run needs and does not keep.
func (e *engine[V, E, M]) begin() {
	e.counts.vertices = peer.Sum[int64](e.p, "vertex.vertices")
	e.counts.edges = peer.Sum[int64](e.p, "vertex.edges")
	e.counts.active = peer.Sum[int64](e.p, "vertex.active")
	e.workers = e.workers[:0]
	for i := range e.cores() {
		e.workers = append(e.workers, newWorker(e, i))
	}
	e.divide()
	for _, a := range e.cfg.Aggregators {
		a.bind(e.p, len(e.workers))
	}
	e.in = inbox[M]{}
	e.in.reset(len(e.values), e.cfg.Combiner.combine != nil)
}

// cores is how many workers are worth having: each has a column of its own.
func (e *engine[V, E, M]) cores() int {
	n := max(1, e.p.Cores())
	if column := int64(e.total) * int64(sizeOf[M]()); e.cfg.Combiner.combine != nil && column > 0 {
		n = max(1, min(n, int(e.p.Memory()/4/column)))
	}
	return min(n, int(e.loaded/4096)+1)
}

// divide gives the workers about equal shares of vertices and edges (law V5).
func (e *engine[V, E, M]) divide() {
	offsets := e.part.Out.Offsets
	weight := func(at uint32) uint64 { return offsets[at] + uint64(at)*4 }
	all := weight(e.loaded)
	at := uint32(0)
	for i, w := range e.workers {
		w.lo = at
		for goal := all * uint64(i+1) / uint64(len(e.workers)); at < e.loaded && weight(at) < goal; {
			at = min(at+64, e.loaded)
		}
		w.hi = at
	}
	e.workers[len(e.workers)-1].hi = ^uint32(0)
}

// arrive takes what a Sync brought, and reports whether the program ends.
func (e *engine[V, E, M]) arrive() (done bool, err error) {
	e.superstep++
	e.resuming = false
	e.vertices, e.edges, e.active = e.counts.vertices.Value(), e.counts.edges.Value(), e.counts.active.Value()
	for _, a := range e.cfg.Aggregators {
		a.settle()
	}
	if e.p.Halted() {
		return true, nil
	}
	return false, e.receive()
}

// master decides whether there is a next superstep.
func (e *engine[V, E, M]) master() (done bool, err error) {
	if e.cfg.MaxSupersteps > 0 && e.superstep >= e.cfg.MaxSupersteps {
		return true, nil
	}
	if e.cfg.Master == nil {
		return false, nil
	}
	m := &Master{superstep: e.superstep, vertices: e.vertices, edges: e.edges, active: e.active}
	err = e.cfg.Master(m)
	return m.halt, err
}

// step is a superstep: compute, send, Sync.
func (e *engine[V, E, M]) step(ctx context.Context) error {
	if err := e.computeAll(); err != nil {
		return err
	}
	var computed, sent, asked int64
	for _, w := range e.workers {
		computed, sent, asked = computed+w.computed, sent+w.sent, asked+w.asked
		w.computed, w.sent, w.asked = 0, 0, 0
	}
	for _, a := range e.cfg.Aggregators {
		a.flush()
	}
	present, awake := e.present()
	e.counts.vertices.Add(present)
	e.counts.edges.Add(e.localEdges())
	e.counts.active.Add(awake)
	e.p.Active(computed)
	e.p.Edges(sent) // a message follows an edge
	e.p.Count("messages", sent)
	if awake == 0 && sent == 0 && asked == 0 {
		e.p.VoteToHalt()
	}
	e.resuming = true
	if err := e.p.Sync(ctx); err != nil {
		return err
	}
	return nil
}

// computeAll runs the workers, pass by pass, and sends what they have.
func (e *engine[V, E, M]) computeAll() error {
	for lo := uint32(0); lo < uint32(len(e.values)); {
		hi := e.pass(lo)
		if err := e.group(lo, hi); err != nil {
			return err
		}
		if err := e.each(func(w *worker[V, E, M]) { w.run(lo, hi) }); err != nil {
			return err
		}
		lo = hi
	}
	for _, w := range e.workers {
		w.flush()
		if w.out.column != nil && w.index > 0 {
			e.workers[0].absorb(w)
		}
	}
	if w := e.workers[0]; w.out.column != nil {
		w.sendColumn()
	}
	return e.fault()
}

// each calls f for every worker, each on its own core. A panic of Compute comes
// back as an error that names the vertex.
func (e *engine[V, E, M]) each(f func(w *worker[V, E, M])) error {
	guarded := func(w *worker[V, E, M]) {
		defer func() {
			if r := recover(); r != nil {
				w.fail(&core.Error{Kind: core.Failed, What: fmt.Sprintf("Compute panicked: %v", r),
					Where: fmt.Sprintf("vertex %s, superstep %d", w.vertex.Name(), e.superstep), Detail: stack()})
			}
		}()
		f(w)
	}
	var wg sync.WaitGroup
	for _, w := range e.workers[1:] {
		wg.Go(func() { guarded(w) })
	}
	guarded(e.workers[0])
	wg.Wait()
	return e.fault()
}

// fault is the first error of a worker.
func (e *engine[V, E, M]) fault() error {
	for _, w := range e.workers {
		if w.err != nil {
			return w.err
		}
	}
	return nil
}

// edgesOf are the edges that begin at a vertex.
func (e *engine[V, E, M]) edgesOf(at uint32) ([]uint32, []E) {
	if e.changed != nil {
		if a := e.changed[at]; a != nil {
			return a.targets, a.values
		}
	}
	lo, hi := e.part.Out.Offsets[at], e.part.Out.Offsets[at+1]
	if e.edgeValues == nil {
		return e.part.Out.Targets[lo:hi:hi], nil
	}
	return e.part.Out.Targets[lo:hi:hi], e.edgeValues[lo:hi:hi]
}

// ref names a vertex of this rank. Those added since take turns behind all that
// were loaded.
func (e *engine[V, E, M]) ref(at uint32) Ref {
	if at < e.loaded {
		return Ref(e.bounds[e.rank] + at)
	}
	return Ref(e.total + (at-e.loaded)*uint32(e.size) + uint32(e.rank))
}

// local is ref backwards, for vertices of this rank.
func (e *engine[V, E, M]) local(ref uint32) uint32 {
	if ref < e.total {
		return ref - e.bounds[e.rank]
	}
	return e.loaded + (ref-e.total)/uint32(e.size)
}

// place is whose a vertex is, and where it lies there.
func (e *engine[V, E, M]) place(ref uint32) (rank int, at uint32) {
	if ref < e.total {
		r := e.part.Owner(ref)
		return r, ref - e.bounds[r]
	}
	r := int((ref - e.total) % uint32(e.size))
	return r, e.bounds[r+1] - e.bounds[r] + (ref-e.total)/uint32(e.size)
}

// present counts the vertices there are, and those awake.
func (e *engine[V, E, M]) present() (all, awake int64) {
	all = int64(len(e.values)) - int64(e.removed.count())
	// Those removed are asleep.
	return all, int64(len(e.values)) - int64(e.asleep.count())
}

func (e *engine[V, E, M]) localEdges() int64 {
	n := int64(len(e.part.Out.Targets))
	for _, row := range e.hubRows {
		n += int64(len(row))
	}
	for at, a := range e.changed {
		if at < e.loaded {
			n -= int64(e.part.Out.Offsets[at+1] - e.part.Out.Offsets[at])
		}
		n += int64(len(a.targets))
	}
	return n
}

// broken is a block that makes no sense.
func (e *engine[V, E, M]) broken(b peer.Block) error {
	return core.Errorf(core.Internal, "a block of kind %d and %d bytes cannot be read", b.Kind, len(b.Data)).
		At(fmt.Sprintf("rank %d, from rank %d, superstep %d", e.rank, b.From, e.superstep))
}
