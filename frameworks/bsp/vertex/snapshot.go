package vertex

import (
	"encoding/binary"
	"encoding/json"
	"io"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/bsp/graph"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
)

// The sections of a checkpoint. The graph is written once.
const (
	sectionGraph   = "graph"
	sectionState   = "state"
	sectionValues  = "values"
	sectionSleep   = "sleep"
	sectionRemoved = "removed"
	sectionAll     = "ids"     // of all vertices, once, where the program asks for them
	sectionNames   = "names"   // of vertices added since
	sectionChanged = "changed" // edges of vertices whose edges changed
	sectionEdges   = "edges"   // values of edges, where the program writes them
)

// state is the small part of a checkpoint.
type state struct {
	Superstep int64 `json:"superstep"`
	Vertices  int64 `json:"vertices"`
	Edges     int64 `json:"edges"`
	Active    int64 `json:"active"`
	Values    int   `json:"values"`
}

// Save implements peer.Keeper.
func (e *engine[V, E, M]) Save(w *peer.SnapshotWriter) error {
	head, err := json.Marshal(state{e.superstep, e.vertices, e.edges, e.active, len(e.values)})
	if err != nil {
		return err
	}
	part := e.part
	if err := w.Once(sectionGraph, func(out io.Writer) error { return part.Save(out) }); err != nil {
		return err
	}
	if e.cfg.Names {
		if err := w.Once(sectionAll, e.names.write); err != nil {
			return err
		}
	}
	for _, s := range []struct {
		name string
		data []byte
	}{
		{sectionState, head},
		{sectionValues, e.value.flat(e.values)},
		{sectionSleep, raw(e.asleep)},
		{sectionRemoved, raw(e.removed)},
		{sectionNames, e.names.late()},
		{sectionChanged, e.encodeChanged()},
	} {
		if err := w.Put(s.name, s.data); err != nil {
			return err
		}
	}
	if e.edged && e.cfg.WritesEdges {
		return w.Put(sectionEdges, e.edge.flat(e.edgeValues))
	}
	return nil
}

// flat is values as bytes: their memory where that will do.
func (f format[T]) flat(values []T) []byte {
	if f.plain() {
		return raw(values)
	}
	return f.encode(nil, values)
}

// Load implements peer.Keeper.
func (e *engine[V, E, M]) Load(r *peer.SnapshotReader) error {
	if r.Fresh() || e.part == nil {
		if err := e.loadGraph(r); err != nil {
			return err
		}
	}
	b, err := section(r, sectionState)
	if err != nil {
		return err
	}
	var s state
	if err := json.Unmarshal(b, &s); err != nil {
		return spoiled(sectionState, err)
	}
	e.superstep, e.vertices, e.edges, e.active = s.Superstep, s.Vertices, s.Edges, s.Active
	e.resuming = true
	e.values = make([]V, s.Values)
	if b, err = section(r, sectionValues); err != nil {
		return err
	}
	if err := e.value.decode(b, e.values); err != nil {
		return spoiled(sectionValues, err)
	}
	e.asleep, e.removed = newBitset(s.Values), newBitset(s.Values)
	for name, set := range map[string]bitset{sectionSleep: e.asleep, sectionRemoved: e.removed} {
		if b, err = section(r, name); err != nil {
			return err
		}
		if copy(raw(set), b) != len(b) {
			return spoiled(name, errShort)
		}
	}
	if b, err = section(r, sectionNames); err != nil {
		return err
	}
	if err := e.names.restore(b); err != nil {
		return spoiled(sectionNames, err)
	}
	if b, err = section(r, sectionChanged); err != nil {
		return err
	}
	if err := e.decodeChanged(b); err != nil {
		return spoiled(sectionChanged, err)
	}
	if !e.edged || !e.cfg.WritesEdges {
		return nil
	}
	if b, err = section(r, sectionEdges); err != nil {
		return err
	}
	if err := e.edge.decode(b, e.edgeValues); err != nil {
		return spoiled(sectionEdges, err)
	}
	return nil
}

func (e *engine[V, E, M]) loadGraph(r *peer.SnapshotReader) error {
	in, err := r.Open(sectionGraph)
	if err != nil {
		return err
	}
	defer in.Close()
	part, err := graph.Restore(in, e.need(), r)
	if err != nil {
		return err
	}
	if err := e.adopt(part); err != nil || !e.cfg.Names {
		return err
	}
	b, err := section(r, sectionAll)
	if err != nil {
		return err
	}
	if err := e.names.read(b); err != nil {
		return spoiled(sectionAll, err)
	}
	return nil
}

func section(r *peer.SnapshotReader, name string) ([]byte, error) {
	in, err := r.Open(name)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return io.ReadAll(in)
}

func spoiled(section string, err error) error {
	return &core.Error{Kind: core.Internal, What: "a checkpoint cannot be read", Where: "section " + section, Err: err}
}

// encodeChanged writes the edges of vertices whose edges changed.
func (e *engine[V, E, M]) encodeChanged() []byte {
	var b []byte
	for _, at := range sortedKeys(e.changed) {
		a := e.changed[at]
		b = binary.LittleEndian.AppendUint32(b, at)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(a.targets)))
		for _, t := range a.targets {
			b = binary.LittleEndian.AppendUint32(b, t)
		}
		b = e.edge.encode(b, a.values)
	}
	return b
}

func (e *engine[V, E, M]) decodeChanged(b []byte) error {
	e.changed = nil
	for len(b) > 0 {
		if len(b) < 8 {
			return errShort
		}
		at, n := binary.LittleEndian.Uint32(b), int(binary.LittleEndian.Uint32(b[4:]))
		b = b[8:]
		if n*4 > len(b) || int(at) >= len(e.values) {
			return errShort
		}
		a := &adjacency[E]{targets: make([]uint32, n)}
		for i := range a.targets {
			a.targets[i] = binary.LittleEndian.Uint32(b[i*4:])
		}
		b = b[n*4:]
		if e.edged {
			a.values = make([]E, n)
			for i := range a.values {
				var err error
				if a.values[i], b, err = e.edge.one(b); err != nil {
					return err
				}
			}
		}
		if e.changed == nil {
			e.changed = map[uint32]*adjacency[E]{}
		}
		e.changed[at] = a
	}
	return nil
}
