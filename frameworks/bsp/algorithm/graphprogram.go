package algorithm

import (
	"context"
	"io"
	"strconv"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/bsp/graph"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
)

// graphProgram is what programs on a graph have in common: the partition, which
// a checkpoint keeps once.
//
// What such a program computes with besides, such as mirrors, is made anew when
// it goes on from a checkpoint, by the same Syncs on all ranks. Its state is what
// its own vertices have, and such that telling it to the others once more changes
// nothing.
type graphProgram struct {
	config graph.Config
	// need's Room is written as a sum: the bytes of columns, which are there all
	// along, and those of lists at their longest: what mirrors read and are asked for,
	// who is queued, changed, or being sent.
	need graph.Need
	part *graph.Partition
}

// load loads the graph unless a checkpoint brought it. No checkpoints are taken
// until the program lets them. Where the gang begins from the beginning, after a
// loss before the first checkpoint, the graph that this rank had is dropped: the
// lost rank needs all to load.
func (g *graphProgram) load(ctx context.Context, p *peer.Peer) error {
	p.HoldCheckpoints(true)
	if p.Superstep() > 0 {
		return nil
	}
	if err := g.drop(); err != nil {
		return err
	}
	var err error
	g.part, err = graph.Load(ctx, p, g.config, g.need)
	p.HoldCheckpoints(true)
	return err
}

// drop gives the graph back.
func (g *graphProgram) drop() error {
	if g.part == nil {
		return nil
	}
	part := g.part
	g.part = nil
	return part.Close()
}

// bothWays are the lists of edges that a vertex's neighbours stand in: out and
// in, or the one that an undirected graph has.
func bothWays(part *graph.Partition) []*graph.CSR {
	if part.In == part.Out {
		return []*graph.CSR{part.Out}
	}
	return []*graph.CSR{part.Out, part.In}
}

// saveGraph keeps the graph once. What neighbours have told is not kept: they
// tell it again.
func (g *graphProgram) saveGraph(w *peer.SnapshotWriter) error {
	w.WithoutMessages()
	return w.Once("graph", g.part.Save)
}

func (g *graphProgram) loadGraph(r *peer.SnapshotReader) error {
	if !r.Fresh() && g.part != nil {
		return nil
	}
	in, err := r.Open("graph")
	if err != nil {
		return err
	}
	defer in.Close()
	g.part, err = graph.Restore(in, g.need, r)
	return err
}

// readSection reads a section that begins with so many words, and the bytes
// behind them, which begin at a multiple of eight.
func readSection(r *peer.SnapshotReader, name string, words int) ([]int64, []byte, error) {
	in, err := r.Open(name)
	if err != nil {
		return nil, nil, err
	}
	defer in.Close()
	b, err := io.ReadAll(in)
	if err != nil {
		return nil, nil, err
	}
	if len(b) < 8*words {
		return nil, nil, core.Errorf(core.Failed, "section %q has %d bytes", name, len(b)).At("checkpoint").
			Do("run the job again from its beginning")
	}
	return columnOf[int64](b[:8*words]), b[8*words:], nil
}

// columns says that rows are (vertex, value); a value of type nil is a vertex.
func columns(p *peer.Peer, part *graph.Partition, value arrow.DataType) {
	var id arrow.DataType = arrow.BinaryTypes.String
	if part.IDs.Integers() {
		id = arrow.PrimitiveTypes.Int64
	}
	if value == nil {
		value = id
	}
	p.Columns(arrow.Field{Name: "id", Type: id}, arrow.Field{Name: "value", Type: value})
}

// writeValues writes a line (vertex, value) for each own vertex.
func writeValues[T uint32 | uint64 | float64](p *peer.Peer, part *graph.Partition, values []T) error {
	if _, real := any(values).([]float64); real {
		columns(p, part, arrow.PrimitiveTypes.Float64)
	} else {
		columns(p, part, arrow.PrimitiveTypes.Int64)
	}
	var key, value []byte
	for v, x := range values {
		key = part.IDs.Append(key[:0], v)
		value = appendValue(value[:0], x)
		if err := p.WriteKV(key, value); err != nil {
			return err
		}
	}
	return nil
}

func appendValue[T uint32 | uint64 | float64](b []byte, x T) []byte {
	switch x := any(x).(type) {
	case float64:
		return strconv.AppendFloat(b, x, 'g', -1, 64)
	case uint64:
		return strconv.AppendUint(b, x, 10)
	}
	return strconv.AppendUint(b, uint64(x), 10)
}
