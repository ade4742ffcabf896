package vertex

// Master looks at a program between two supersteps. It runs on every rank with
// the same values (law V4).
type Master struct {
	superstep       int64
	vertices, edges int64
	active          int64
	halt            bool
}

// Superstep is the number of the superstep about to begin.
func (m *Master) Superstep() int64 { return m.superstep }

// Vertices is the number of vertices of the graph.
func (m *Master) Vertices() int64 { return m.vertices }

// Edges is the number of edges that begin at vertices of the graph; an
// undirected one counts twice.
func (m *Master) Edges() int64 { return m.edges }

// Active is the number of vertices that did not vote to halt in the superstep
// before; in superstep 0 all.
func (m *Master) Active() int64 { return m.active }

// Halt ends the program before the superstep.
func (m *Master) Halt() { m.halt = true }
