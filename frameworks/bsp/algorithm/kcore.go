package algorithm

import (
	"context"
	"math"
	"sync/atomic"

	"github.com/capstan-run/capstan/frameworks/bsp/graph"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
)

func cores() []Algorithm {
	return []Algorithm{define("kcore",
		"the core number of each vertex: the largest k such that it is in a part of the graph where all have k neighbours",
		noOptions{},
		func(c graph.Config, _ noOptions) peer.Program {
			return &coreNumbers{graphProgram: graphProgram{config: c, need: graph.Need{Out: true, In: true, Room: graph.Room{Own: 12 + 28, Others: 8 + 32, Entry: 8}}}}
		})}
}

// coreNumbers finds core numbers as Montresor, De Pellegrini and Miorandi do
// ("Distributed k-core decomposition", 2013): a vertex begins with its degree and
// falls to the largest k such that k neighbours have at least k, until none falls.
// The numbers that are left are the largest that hold everywhere, whatever
// order vertices fell in, so a rank lets its own fall as far as they do before it
// tells the others.
//
// Directions, loops and repeats of edges are left out of account.
type coreNumbers struct {
	graphProgram
	numbers []uint32 // of own vertices so far
}

// Run writes a line (vertex, core number) for each vertex.
func (c *coreNumbers) Run(ctx context.Context, p *peer.Peer) error {
	if p.Superstep() == 0 {
		c.numbers = nil
	}
	if err := c.load(ctx, p); err != nil {
		return err
	}
	list, err := neighbours(c.part, p.Cores())
	if err != nil {
		return err
	}
	m, err := newMirror(ctx, p, c.part, list)
	if err != nil {
		return err
	}
	column := wholeColumn[uint32](c.part)
	if c.numbers == nil {
		c.numbers = make([]uint32, c.part.N())
		for v := range c.numbers {
			c.numbers[v] = uint32(list.Degree(v))
		}
	}
	copy(own(c.part, column), c.numbers)
	if err := exchange(ctx, m, column); err != nil {
		return err
	}
	p.HoldCheckpoints(false)
	if err := c.fall(ctx, p, m, list, column); err != nil {
		return err
	}
	return writeValues(p, c.part, c.numbers)
}

// fall lets numbers fall until none does anywhere.
func (c *coreNumbers) fall(ctx context.Context, p *peer.Peer, m *mirror, list *graph.CSR, column []uint32) error {
	fell := peer.Sum[int64](p, "kcore fell")
	edge, err := newFringe(m, list)
	if err != nil {
		return err
	}
	f := newCoreFall(c, p.Cores(), list, column)
	for {
		changed := f.settle()
		fell.Add(int64(len(changed)))
		p.Active(int64(len(changed)))
		p.Edges(f.followed)
		f.followed = 0
		var heard []uint32 // dense ids
		var before []uint32
		if err := exchangeChanged(ctx, m, column, changed, func(dense, old uint32) {
			heard, before = append(heard, dense), append(before, old)
		}, list); err != nil {
			return err
		}
		if fell.Value() == 0 {
			return nil
		}
		f.hear(edge, heard, before)
	}
}

// coreFall lets the numbers of a rank's vertices fall. A vertex is looked at when
// fewer neighbours than its number have a number as large; how many have is
// counted down as they fall, so that a vertex with many edges is not looked at
// for each of them.
type coreFall struct {
	*coreNumbers
	list   *graph.CSR
	column []uint32 // whole column: numbers, of own vertices those that neighbours know
	first  uint32
	crew   crew

	enough   []int32 // of own vertices: neighbours whose number is at least theirs
	queue    []uint32
	found    [][]uint32 // by core: for the queue
	tallies  []coreTally
	news     *bitset // own vertices that have fallen since the last superstep
	followed int64   // edges
}

func newCoreFall(c *coreNumbers, cores int, list *graph.CSR, column []uint32) *coreFall {
	n := c.part.N()
	f := &coreFall{coreNumbers: c, list: list, column: column, first: c.part.First(), crew: crew{cores: cores},
		enough: make([]int32, n), found: make([][]uint32, cores), tallies: make([]coreTally, cores), news: newBitset(n)}
	// Those with few edges first, which most others hang on.
	for v := n - 1; v >= 0; v-- {
		f.queue = append(f.queue, uint32(v))
		f.enough[v] = math.MaxInt32 // nobody has looked
	}
	return f
}

// coreBatch is how many edges are looked at before neighbours are told. More is
// less waiting of cores for one another, and more looking for nothing.
const coreBatch = 1 << 16

// settle looks at vertices until no number falls any more, and returns the dense
// ids of those whose number did, ascending.
func (f *coreFall) settle() []uint32 {
	for at := 0; at < len(f.queue); {
		end, edges := at, 0
		for ; end < len(f.queue) && edges < coreBatch*f.crew.cores; end++ {
			edges += f.list.Degree(int(f.queue[end])) + perVertex
		}
		f.look(f.queue[at:end])
		at = end
		if at > len(f.queue)/2 {
			f.queue, at = append(f.queue[:0], f.queue[at:]...), 0
		}
	}
	f.queue = f.queue[:0]
	changed := f.news.appendSet(nil, 0, uint32(f.part.N()))
	for i := range changed {
		changed[i] += f.first
	}
	f.news.clear()
	return changed
}

// look finds the numbers of a batch from those that neighbours had before it, then
// tells the neighbours, so that it does not matter which core is faster.
func (f *coreFall) look(batch []uint32) {
	f.crew.wholeRows(f.list, batch, func(core, i int) {
		v := batch[i]
		f.numbers[v], f.enough[v] = f.tallies[core].core(f.list.Row(int(v)), f.column, f.numbers[v])
	})
	fallen := batch[:0] // the batch is done with
	for _, v := range batch {
		f.followed += int64(f.list.Degree(int(v)))
		if f.numbers[v] != f.column[f.first+v] {
			fallen = append(fallen, v)
		}
	}
	f.crew.parts(f.list, fallen, func(core, i int, row []uint32) {
		now, old := f.numbers[fallen[i]], f.column[f.first+fallen[i]]
		for _, t := range row {
			if w := t - f.first; int(w) < len(f.numbers) {
				f.lose(core, w, now, old)
			}
		}
	})
	for _, v := range fallen {
		f.followed += int64(f.list.Degree(int(v)))
		f.column[f.first+v] = f.numbers[v]
		f.news.set(v)
	}
	f.gather()
}

// lose takes note that a neighbour of v has fallen. Whom it still counts for, and
// whom it never did, does not mind.
func (f *coreFall) lose(core int, v, now, old uint32) {
	number := f.numbers[v]
	if now < number && number <= old && atomic.AddInt32(&f.enough[v], -1) == int32(number)-1 {
		f.found[core] = append(f.found[core], v)
	}
}

// gather puts the vertices that cores have found into the queue.
func (f *coreFall) gather() {
	for core, list := range f.found {
		f.queue = append(f.queue, list...)
		f.found[core] = list[:0]
	}
}

// hear tells own vertices of neighbours at other ranks whose numbers fell.
func (f *coreFall) hear(edge *fringe, heard, before []uint32) {
	slots := make([]uint32, len(heard))
	for i, dense := range heard {
		slots[i] = edge.slot[dense]
	}
	lists := edge.rows()
	f.crew.parts(lists, slots, func(core, i int, row []uint32) {
		for _, v := range row {
			f.lose(core, v, f.column[heard[i]], before[i])
		}
	})
	for _, s := range slots {
		f.followed += int64(lists.Degree(int(s)))
	}
	f.gather()
}

// coreTally counts neighbours by their numbers.
type coreTally struct{ counts []uint32 }

// core is the largest k <= old such that k of the vertices have a number of k or
// more, and how many have.
func (t *coreTally) core(vertices []uint32, column []uint32, old uint32) (k uint32, enough int32) {
	if len(t.counts) <= int(old) {
		t.counts = make([]uint32, 2*old+1)
	}
	counts := t.counts[:old+1]
	clear(counts)
	most := uint32(0)
	for _, v := range vertices {
		if n := column[v]; n >= old {
			most++
		} else {
			counts[n]++
		}
	}
	for k = old; most < k; k-- {
		most += counts[k-1]
	}
	return k, int32(most)
}

// Save keeps the numbers so far.
func (c *coreNumbers) Save(w *peer.SnapshotWriter) error {
	if err := c.saveGraph(w); err != nil {
		return err
	}
	return w.Put("numbers", bytesOf(c.numbers))
}

// Load goes on from a checkpoint.
func (c *coreNumbers) Load(r *peer.SnapshotReader) error {
	if err := c.loadGraph(r); err != nil {
		return err
	}
	_, rest, err := readSection(r, "numbers", 0)
	c.numbers = columnOf[uint32](rest)
	return err
}
