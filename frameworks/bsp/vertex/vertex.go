package vertex

import (
	"iter"
)

// Ref names a vertex within a run: a dense number, known from edges, from
// [Vertex.Ref] and from messages. It means nothing in another run.
type Ref uint32

// Vertex is a vertex that computes, and what it may do. It is good during
// Compute only.
type Vertex[V, E, M any] struct {
	// Value is the vertex' value, to be read and written.
	Value *V

	w       *worker[V, E, M]
	local   uint32
	targets []uint32
	values  []E // of the edges; nil where edges have none
	halt    bool
}

func (v *Vertex[V, E, M]) caller() int { return v.w.index }

// Superstep is the superstep under way, from 0.
func (v *Vertex[V, E, M]) Superstep() int64 { return v.w.e.superstep }

// Vertices is the number of vertices of the graph, after the last mutations.
func (v *Vertex[V, E, M]) Vertices() int64 { return v.w.e.vertices }

// Edges is the number of edges of the graph; an undirected one counts twice.
func (v *Vertex[V, E, M]) Edges() int64 { return v.w.e.edges }

// Ref names the vertex.
func (v *Vertex[V, E, M]) Ref() Ref { return v.w.e.ref(v.local) }

// ID is the vertex' original ID; 0 where IDs are strings.
func (v *Vertex[V, E, M]) ID() int64 { return v.w.e.names.integer(v.local) }

// Name is the vertex' original ID as text.
func (v *Vertex[V, E, M]) Name() string { return v.w.e.names.text(v.local) }

// Degree is the number of edges that begin here.
func (v *Vertex[V, E, M]) Degree() int {
	if v.local < v.w.e.hubs {
		return int(v.w.e.part.OutDegree[v.local])
	}
	return len(v.targets)
}

// Neighbours are the ends of the vertex' edges, by number of edge.
func (v *Vertex[V, E, M]) Neighbours() iter.Seq2[int, Ref] {
	v.w.whole()
	return func(yield func(int, Ref) bool) {
		for i, t := range v.targets {
			if !yield(i, Ref(t)) {
				return
			}
		}
	}
}

// Edge is the value of edge i; the zero value where edges have none.
func (v *Vertex[V, E, M]) Edge(i int) (e E) {
	if v.values != nil {
		e = v.values[i]
	}
	return e
}

// SetEdge gives edge i a value. It needs Config.WritesEdges.
func (v *Vertex[V, E, M]) SetEdge(i int, e E) {
	if !v.w.e.cfg.WritesEdges {
		panic("SetEdge without Config.WritesEdges")
	}
	v.values[i] = e
}

// Send sends m to a vertex.
func (v *Vertex[V, E, M]) Send(to Ref, m M) {
	v.w.sent++
	v.w.send(uint32(to), m)
}

// SendTo sends m to the vertex of an original ID. It needs Config.Names. The
// resolver says what becomes of m if there is no such vertex.
func (v *Vertex[V, E, M]) SendTo(id ID, m M) {
	v.w.sent++
	v.w.sendNamed(id, m)
}

// SendToNeighbours sends m along every edge.
func (v *Vertex[V, E, M]) SendToNeighbours(m M) {
	v.w.sent += int64(v.Degree())
	v.w.scatter(v.local, v.targets, m)
}

// SendAlong sends along every edge what f says of it.
func (v *Vertex[V, E, M]) SendAlong(f func(to Ref, e E) M) {
	v.w.whole()
	v.w.sent += int64(len(v.targets))
	for i, t := range v.targets {
		v.w.send(t, f(Ref(t), v.Edge(i)))
	}
}

// VoteToHalt lets the vertex sleep until a message comes.
func (v *Vertex[V, E, M]) VoteToHalt() { v.halt = true }

// AddEdge asks for an edge.
func (v *Vertex[V, E, M]) AddEdge(from, to Ref, e E) {
	v.w.whole()
	v.w.ask(request[V, E]{op: addEdge, from: uint32(from), to: uint32(to), edge: e})
}

// RemoveEdge asks for the edges between two vertices to go.
func (v *Vertex[V, E, M]) RemoveEdge(from, to Ref) {
	v.w.whole()
	v.w.ask(request[V, E]{op: removeEdge, from: uint32(from), to: uint32(to)})
}

// RemoveVertex asks for a vertex to go, with the edges that begin there. Edges
// that end there stay; what is sent along them is for the resolver.
func (v *Vertex[V, E, M]) RemoveVertex(r Ref) {
	v.w.whole()
	v.w.ask(request[V, E]{op: removeVertex, from: uint32(r)})
}

// AddVertex asks for a vertex. It needs Config.Names. The vertex is active in
// the next superstep, where it may ask for edges of its own.
func (v *Vertex[V, E, M]) AddVertex(id ID, value V) {
	v.w.ask(request[V, E]{op: addVertex, id: id, value: value})
}
