package algorithm

import (
	"context"

	"github.com/capstan-run/capstan/frameworks/bsp/graph"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
)

func cores() []Algorithm {
	return []Algorithm{define("kcore",
		"the core number of each vertex: the largest k such that it is in a part of the graph where all have k neighbours",
		noOptions{},
		func(c graph.Config, _ noOptions) peer.Program {
			return &coreNumbers{graphProgram: graphProgram{config: c, need: graph.Need{Out: true, In: true}}}
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
	list := neighbours(c.part, p.Cores())
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
	edge := newFringe(m, list)
	first := c.part.First()
	q := newWorklist(c.part.N())
	for v := range c.part.N() {
		q.push(uint32(v))
	}
	news := newBitset(c.part.N())
	var tally coreTally
	for {
		for v, ok := q.pop(); ok; v, ok = q.pop() {
			old := c.numbers[v]
			now := tally.core(list.Row(int(v)), column, old)
			if now == old {
				continue
			}
			c.numbers[v], column[first+v] = now, now
			news.set(v)
			for _, t := range list.Row(int(v)) {
				// Whom it still counts for, and whom it never did, does not mind.
				if w := t - first; int(w) < c.part.N() && now < c.numbers[w] && c.numbers[w] <= old {
					q.push(w)
				}
			}
		}
		changed := news.appendSet(nil, 0, uint32(c.part.N()))
		for i := range changed {
			changed[i] += first
		}
		news.clear()
		fell.Add(int64(len(changed)))
		p.Active(int64(len(changed)))
		if err := exchangeChanged(ctx, m, column, changed, func(dense uint32) {
			for _, w := range edge.of(dense) {
				q.push(w)
			}
		}, list); err != nil {
			return err
		}
		if fell.Value() == 0 {
			return nil
		}
	}
}

// coreTally counts neighbours by their numbers.
type coreTally struct{ counts []uint32 }

// core is the largest k <= old such that k of the vertices have a number of k or
// more.
func (t *coreTally) core(vertices []uint32, column []uint32, old uint32) uint32 {
	if len(t.counts) <= int(old) {
		t.counts = make([]uint32, 2*old+1)
	}
	counts := t.counts[:old+1]
	clear(counts)
	enough := uint32(0)
	for _, v := range vertices {
		if n := column[v]; n >= old {
			enough++
		} else {
			counts[n]++
		}
	}
	k := old
	for ; enough < k; k-- {
		enough += counts[k-1]
	}
	return k
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
