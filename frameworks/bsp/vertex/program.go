package vertex

import (
	"context"

	"github.com/capstan-run/capstan/frameworks/bsp/graph"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
)

// Computer is a vertex program: V is the type of a vertex' value, E of an
// edge's, M of a message.
type Computer[V, E, M any] interface {
	// Compute is called for an active vertex with the messages sent to it in
	// the superstep before. v and in are good during the call.
	Compute(v *Vertex[V, E, M], in []M)
}

// Config says what a program needs besides Compute. The zero value is a program
// over edges without values whose vertices begin with zero.
type Config[V, E, M any] struct {
	// Graph is how the graph is loaded.
	Graph graph.Config
	// Init is the value a vertex begins with. Default: the zero value.
	Init func(v *Vertex[V, E, M]) V
	// Edge makes an edge's value of its weight, 1 without weights. Nil: edges
	// have no values, or their weights where E is float64.
	Edge func(weight float64) E
	// WritesEdges lets Compute write the values of edges, which are then part of
	// each checkpoint.
	WritesEdges bool
	// Combiner makes one message of all that a vertex is sent.
	Combiner Combiner[M]
	// Aggregators are those that Compute and Master use.
	Aggregators []Aggregate
	// Master is called before each superstep, on every rank (law V4).
	Master func(m *Master) error
	// Cut lets a vertex with more edges than fair have them on all ranks, so that
	// it holds nobody up. Compute may then use edges by SendToNeighbours and
	// Degree alone.
	Cut bool
	// MaxSupersteps ends the program; 0: no limit.
	MaxSupersteps int64
	// Names lets vertices be addressed, and added, by their original IDs. Each
	// rank then holds those of the whole graph, some 60 bytes for a vertex.
	Names bool
	// Resolve decides what becomes of conflicts; default [DefaultResolver].
	Resolve Resolver[V, E]
	// ValueCodec, EdgeCodec and MessageCodec are for types that hold pointers.
	ValueCodec   Codec[V]
	EdgeCodec    Codec[E]
	MessageCodec Codec[M]
	// Format is what the result says of a vertex. Default: its value, as a
	// column of its type, or as JSON.
	Format func(v V) string
}

// New makes a program of the gang's peers from a vertex program.
//
// Errors: Invalid where a type cannot travel.
func New[V, E, M any](c Computer[V, E, M], cfg Config[V, E, M]) (peer.Keeper, error) {
	e := &engine[V, E, M]{compute: c, cfg: cfg}
	var err error
	if e.value, err = formatOf(cfg.ValueCodec, "vertex' value"); err != nil {
		return nil, err
	}
	if e.edge, err = formatOf(cfg.EdgeCodec, "edge's value"); err != nil {
		return nil, err
	}
	if e.message, err = formatOf(cfg.MessageCodec, "message"); err != nil {
		return nil, err
	}
	if cfg.Resolve == nil {
		e.cfg.Resolve = DefaultResolver[V, E]{}
	}
	return e, nil
}

// Must is New for programs whose types are known to travel.
func Must[V, E, M any](c Computer[V, E, M], cfg Config[V, E, M]) peer.Keeper {
	p, err := New(c, cfg)
	if err != nil {
		return failing{err}
	}
	return p
}

// failing is a program that cannot run.
type failing struct{ err error }

func (f failing) Run(context.Context, *peer.Peer) error { return f.err }
func (f failing) Save(*peer.SnapshotWriter) error       { return f.err }
func (f failing) Load(*peer.SnapshotReader) error       { return f.err }
