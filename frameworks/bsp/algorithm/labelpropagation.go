package algorithm

import (
	"context"

	"github.com/capstan-run/capstan/frameworks/bsp/graph"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
)

// labelOptions are the options of cdlp.
type labelOptions struct {
	Iterations int `json:"iterations" about:"how many times labels are passed on"`
}

func (o *labelOptions) check(f *faults) { atLeast(f, "iterations", o.Iterations, 0) }

func labelPropagations() []Algorithm {
	return []Algorithm{define("cdlp",
		"communities: each vertex takes the label most frequent among its neighbours, again and again",
		labelOptions{Iterations: 10},
		func(c graph.Config, o labelOptions) peer.Program {
			return &labelPropagation{graphProgram: graphProgram{config: c, need: graph.Need{Out: true, In: true, Room: graph.Room{Own: 16 + 8, Others: 4 + 16, Named: nameRoom}}}, iterations: o.Iterations}
		})}
}

// labelPropagation finds communities as LDBC Graphalytics 1.0 defines them
// (CDLP; after Raghavan, Albert and Kumara, "Near linear time algorithm to detect
// community structures in large-scale networks", 2007, made deterministic).
//
// A label is a vertex's number in the order of ids, which 4 bytes hold and
// which compares as ids do; the ids themselves are looked up at the end.
// Labels of neighbours at other ranks are mirrored, so a superstep sends a label
// once to each rank that reads it, not once an edge.
type labelPropagation struct {
	graphProgram
	iterations int
	labelState
}

// labelState is what a checkpoint keeps.
type labelState struct {
	done   int64    // iterations
	labels []uint32 // of own vertices, after them
}

// calm is the part of the vertices that may have new labels for it to be worth
// looking which vertices have a neighbour with one.
const calm = 1.0 / 8

// Run labels the vertices and writes a line (vertex, label) for each.
func (l *labelPropagation) Run(ctx context.Context, p *peer.Peer) error {
	numbers, m, err := l.prepare(ctx, p)
	if err != nil {
		return err
	}
	column := wholeColumn[uint32](l.part)
	if l.labels == nil {
		l.labels = append([]uint32{}, numbers.places...)
	}
	copy(own(l.part, column), l.labels)
	if err := exchange(ctx, m, column); err != nil {
		return err
	}
	p.HoldCheckpoints(false)
	if err := l.iterate(ctx, p, m, column); err != nil {
		return err
	}
	names, err := numbers.names(ctx, p, l.labels)
	if err != nil {
		return err
	}
	return writeNames(p, l.part, names)
}

// prepare loads the graph, numbers its vertices and finds what its edges reach.
// Checkpoints are held when it returns.
func (l *labelPropagation) prepare(ctx context.Context, p *peer.Peer) (*numbers, *mirror, error) {
	if p.Superstep() == 0 {
		l.labelState = labelState{}
	}
	if err := l.load(ctx, p); err != nil {
		return nil, nil, err
	}
	numbers, err := numberVertices(ctx, p, l.part)
	if err != nil {
		return nil, nil, err
	}
	m, err := newMirror(ctx, p, l.part, bothWays(l.part)...)
	return numbers, m, err
}

// iterate passes labels on until all iterations are done, or none changed: then
// none would ever change again.
func (l *labelPropagation) iterate(ctx context.Context, p *peer.Peer, m *mirror, column []uint32) error {
	moved := peer.Sum[int64](p, "cdlp changed")
	tallies := make([]tally, max(p.Cores(), 1))
	first := l.part.First()
	news := newBitset(l.part.Total())
	var changed []uint32
	few := false
	for l.done < int64(l.iterations) {
		p.Edges(l.step(tallies, column, news, few))
		changed = changed[:0]
		news.clear()
		for v, label := range own(l.part, column) {
			if l.labels[v] != label {
				changed = append(changed, first+uint32(v))
				news.set(first + uint32(v))
			}
		}
		copy(own(l.part, column), l.labels)
		l.done++
		moved.Add(int64(len(changed)))
		p.Active(int64(len(changed)))
		if err := exchangeChanged(ctx, m, column, changed, func(dense, _ uint32) { news.set(dense) }, bothWays(l.part)...); err != nil {
			return err
		}
		if moved.Value() == 0 {
			return nil
		}
		few = float64(moved.Value()) < calm*float64(l.part.Total())
	}
	return nil
}

// step computes the next labels of own vertices from the column. With few, those
// without a neighbour in news keep theirs. It returns how many edges it has
// followed.
func (l *labelPropagation) step(tallies []tally, column []uint32, news *bitset, few bool) (followed int64) {
	lists := bothWays(l.part)
	share(len(tallies), l.part.Out, func(core, from, to int) {
		t := &tallies[core]
		for v := from; v < to; v++ {
			if few && !anyOf(news, v, lists) {
				continue
			}
			t.labels = t.labels[:0]
			for _, list := range lists {
				for _, target := range list.Row(v) {
					t.labels = append(t.labels, column[target])
				}
			}
			t.followed += int64(len(t.labels))
			if len(t.labels) > 0 {
				l.labels[v] = t.mostFrequent()
			}
		}
	})
	for i := range tallies {
		followed += tallies[i].followed
		tallies[i].followed = 0
	}
	return followed
}

func anyOf(set *bitset, v int, lists []*graph.CSR) bool {
	for _, list := range lists {
		for _, target := range list.Row(v) {
			if set.has(target) {
				return true
			}
		}
	}
	return false
}

// Save keeps the labels; what other ranks' vertices have is told anew.
func (l *labelPropagation) Save(w *peer.SnapshotWriter) error {
	if err := l.saveGraph(w); err != nil {
		return err
	}
	return w.Put("labels", bytesOf([]int64{l.done}), bytesOf(l.labels))
}

// Load goes on from a checkpoint.
func (l *labelPropagation) Load(r *peer.SnapshotReader) error {
	if err := l.loadGraph(r); err != nil {
		return err
	}
	head, rest, err := readSection(r, "labels", 1)
	if err != nil {
		return err
	}
	l.done, l.labels = head[0], columnOf[uint32](rest)
	return nil
}
