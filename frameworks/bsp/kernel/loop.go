package kernel

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/capstan-run/capstan/frameworks/bsp/column"
	"github.com/capstan-run/capstan/frameworks/bsp/graph"
	"github.com/capstan-run/capstan/frameworks/bsp/graph/span"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
)

// Kinds of blocks.
const (
	kindColumn  = 200 + iota // a rank's part of the column
	kindPlaces               // where it has changed,
	kindValues               // and what to
	kindPartial              // sums of cut vertices
)

// Loop runs a kernel on a partition. A checkpoint may be taken at each of its
// Syncs, but those in the middle of an iteration: it is the program's state and
// the loop's Position.
type Loop[C, A Number] struct {
	Kernel[C, A]
	Position

	part    *graph.Partition
	rows    *graph.CSR
	cut     *graph.CSR
	column  *span.Span[C] // of all vertices
	before  []C           // own part of it, as the others have it; nil while all is new
	ranges  []graph.Range // in which vertices are worked on
	shares  []float64     // by range: what the program returned
	hubs    int           // own cut vertices, which are the first ones
	hubSums []A           // of those
}

// Position is how far a loop has come. A program keeps it in its checkpoints,
// and sets it before it goes on from one.
type Position struct {
	Iteration int     // the one under way
	Applied   float64 // what Apply returned on this rank in the last one, summed
}

// tiles is the number of ranges, whatever the number of cores (law K2).
const tiles = 64

// Run runs the kernel from its Position to its end. Iterations that a checkpoint
// was taken in begin again: what Prepare says of the state of then is told anew.
func (l *Loop[C, A]) Run(ctx context.Context, p *peer.Peer, part *graph.Partition) error {
	if err := l.open(part); err != nil {
		return err
	}
	defer l.column.Close()
	p.HoldCheckpoints(false)
	prepared := peer.Sum[float64](p, "kernel: prepared")
	applied := peer.Sum[float64](p, "kernel: applied")
	for ; l.Iterations == 0 || l.Iteration < l.Iterations; l.Iteration++ {
		s := Step{Iteration: l.Iteration}
		prepared.Add(l.prepare(p, s))
		applied.Add(l.Applied)
		if err := l.tell(p); err != nil {
			return err
		}
		p.Active(int64(part.N()))
		if err := p.Sync(ctx); err != nil {
			return err
		}
		if err := l.hear(p); err != nil {
			return err
		}
		s.Prepared, s.Applied = prepared.Value(), applied.Value()
		if l.Until != nil && l.Iteration > 0 && l.Until(s) {
			return nil
		}
		var err error
		if l.Applied, err = l.apply(ctx, p, s); err != nil {
			return err
		}
	}
	// What the program does next, such as writing, is no part of the last iteration.
	return p.Sync(ctx)
}

func (l *Loop[C, A]) open(part *graph.Partition) error {
	if err := l.validate(part); err != nil {
		return err
	}
	l.part = part
	l.rows, l.cut = l.Kernel.rows(part)
	var err error
	if l.column, err = span.Make[C](part.Total()); err != nil {
		return err
	}
	l.hubs = 0
	for _, dense := range part.Cut {
		if part.Owner(dense) == part.Rank {
			l.hubs++
		}
	}
	l.hubSums = make([]A, l.hubs)
	l.ranges = l.rows.Cuts(tiles)
	l.shares = make([]float64, len(l.ranges))
	l.before = nil
	return nil
}

// own is this rank's part of the column.
func (l *Loop[C, A]) own() []C {
	first := int(l.part.First())
	return l.column.Data[first : first+l.part.N()]
}

// prepare fills this rank's part of the column.
func (l *Loop[C, A]) prepare(p *peer.Peer, s Step) float64 {
	own := l.own()
	return l.each(p.Cores(), func(r graph.Range) float64 {
		return l.Prepare(s, r, own[r.First:r.End])
	})
}

// each calls f for every range, on several goroutines, and sums what it
// returns in the order of ranges.
func (l *Loop[C, A]) each(cores int, f func(graph.Range) float64) float64 {
	var next atomic.Int64
	work := func() {
		for i := next.Add(1) - 1; int(i) < len(l.ranges); i = next.Add(1) - 1 {
			l.shares[i] = f(l.ranges[i])
		}
	}
	var others sync.WaitGroup
	for range min(cores, len(l.ranges)) - 1 {
		others.Go(work)
	}
	work()
	others.Wait()
	sum := 0.0
	for _, x := range l.shares {
		sum += x
	}
	return sum
}

// sparse is the most vertices, one of so many, whose values are sent with their
// places: each then costs a place and a value, twice or less what it costs in
// a whole column.
const sparse = 4

// tell sends this rank's part of the column to all others, or what has changed
// of it.
func (l *Loop[C, A]) tell(p *peer.Peer) error {
	if p.Size() == 1 {
		return nil
	}
	own := l.own()
	if l.before == nil {
		l.before = append([]C(nil), own...)
		return l.toOthers(p, func(to int) error { return column.Send(p, to, kindColumn, own) })
	}
	places, values := l.changed(own)
	if places == nil {
		return l.toOthers(p, func(to int) error { return column.Send(p, to, kindColumn, own) })
	}
	return l.toOthers(p, func(to int) error {
		if err := column.Send(p, to, kindPlaces, places); err != nil {
			return err
		}
		return column.Send(p, to, kindValues, values)
	})
}

// changed is where own differs from what the others have, and what to; nil
// where that is too much to be told by places.
func (l *Loop[C, A]) changed(own []C) (places []uint32, values []C) {
	most := len(own) / sparse
	places = []uint32{}
	for i, x := range own {
		if x == l.before[i] {
			continue
		}
		if len(places) == most {
			copy(l.before, own)
			return nil, nil
		}
		places, values = append(places, uint32(i)), append(values, x)
	}
	for i, at := range places {
		l.before[at] = values[i]
	}
	return places, values
}

func (l *Loop[C, A]) toOthers(p *peer.Peer, f func(to int) error) error {
	for to := range p.Size() {
		if to == p.Rank() {
			continue
		}
		if err := f(to); err != nil {
			return err
		}
	}
	return nil
}

// hear takes the others' parts of the column.
func (l *Loop[C, A]) hear(p *peer.Peer) error {
	all, bounds := l.column.Data, l.part.Bounds
	if err := column.Each(p, kindColumn, func(from, at int, values []C) error {
		copy(all[int(bounds[from])+at:], values)
		return nil
	}); err != nil {
		return err
	}
	places := make([][]uint32, p.Size())
	if err := column.Each(p, kindPlaces, func(from, _ int, some []uint32) error {
		places[from] = append(places[from], some...)
		return nil
	}); err != nil {
		return err
	}
	return column.Each(p, kindValues, func(from, at int, values []C) error {
		theirs := all[bounds[from]:]
		for i, x := range values {
			theirs[places[from][at+i]] = x
		}
		return nil
	})
}

// apply gathers and applies: first what cut vertices hear here, which is sent
// to who owns them, and while that is on its way the vertices that are whole.
func (l *Loop[C, A]) apply(ctx context.Context, p *peer.Peer, s Step) (float64, error) {
	defer func() { p.Edges(l.entries()) }()
	if l.cut == nil {
		return l.each(p.Cores(), func(r graph.Range) float64 { return l.gatherAndApply(s, r) }), nil
	}
	partial := make([]A, l.cut.Vertices())
	gather(l.Sum, l.cut, graph.Range{End: len(partial)}, l.column.Data, partial)
	if err := l.tellPartial(p, partial); err != nil {
		return 0, err
	}
	share := l.each(p.Cores(), func(r graph.Range) float64 {
		r.First = max(r.First, l.hubs)
		if r.First >= r.End {
			return 0
		}
		return l.gatherAndApply(s, r)
	})
	p.HoldCheckpoints(true)
	err := p.Sync(ctx)
	p.HoldCheckpoints(false)
	if err != nil {
		return 0, err
	}
	if err := l.hearPartial(p); err != nil || l.hubs == 0 {
		return share, err
	}
	return share + l.Apply(s, graph.Range{End: l.hubs}, l.hubSums), nil
}

// entries is how many edges this rank pulls over in an iteration.
func (l *Loop[C, A]) entries() int64 {
	n := l.rows.Edges()
	if l.cut != nil {
		n += l.cut.Edges()
	}
	return int64(n)
}

func (l *Loop[C, A]) gatherAndApply(s Step, r graph.Range) float64 {
	sums := make([]A, r.Len())
	gather(l.Sum, l.rows, r, l.column.Data, sums)
	return l.Apply(s, r, sums)
}

// tellPartial sends the sums of cut vertices, which are in the order of dense
// ids, to who owns them, this rank too: they are added in the order of ranks.
func (l *Loop[C, A]) tellPartial(p *peer.Peer, partial []A) error {
	for i := 0; i < len(partial); {
		to := l.part.Owner(l.part.Cut[i])
		end := i + 1
		for end < len(partial) && l.part.Owner(l.part.Cut[end]) == to {
			end++
		}
		if err := column.Send(p, to, kindPartial, partial[i:end]); err != nil {
			return err
		}
		i = end
	}
	return nil
}

func (l *Loop[C, A]) hearPartial(p *peer.Peer) error {
	for i := range l.hubSums {
		l.hubSums[i] = zero[A](l.Sum)
	}
	return column.Each(p, kindPartial, func(_, at int, sums []A) error {
		for i, x := range sums {
			l.hubSums[at+i] = add(l.Sum, l.hubSums[at+i], x)
		}
		return nil
	})
}
