package vertex

import (
	"encoding/binary"
	"slices"
)

// Resolver decides what becomes of requests that conflict.
type Resolver[V, E any] interface {
	// Twice is the value of a vertex that was to be added and is there: has is
	// what it has, or what the request before asked for.
	Twice(has, asked V) V
	// Missing is asked when a message, or an edge, is for a vertex that is not
	// there: whether to make it, and its value. A vertex known by its Ref alone
	// was removed; it comes back under its old name.
	Missing() (V, bool)
	// Parallel is asked when an edge is added between vertices that have one:
	// whether both stay; if not, the old one gets the value.
	Parallel(has, asked E) (E, bool)
}

// DefaultResolver keeps the vertex that is there, drops what is for a vertex
// that is not, and keeps parallel edges.
type DefaultResolver[V, E any] struct{}

// Twice implements [Resolver].
func (DefaultResolver[V, E]) Twice(has, _ V) V { return has }

// Missing implements [Resolver].
func (DefaultResolver[V, E]) Missing() (v V, make bool) { return v, false }

// Parallel implements [Resolver].
func (DefaultResolver[V, E]) Parallel(_, asked E) (E, bool) { return asked, true }

// The requests, in the order in which they are carried out (law V3).
const (
	removeEdge byte = iota
	removeVertex
	addVertex
	addEdge
	operations
)

// request is a mutation asked for.
type request[V, E any] struct {
	op       byte
	from, to uint32
	id       ID
	value    V
	edge     E
}

// encodeRequest appends r to b.
func (e *engine[V, E, M]) encodeRequest(b []byte, r request[V, E]) []byte {
	b = append(b, r.op)
	b = binary.LittleEndian.AppendUint32(b, r.from)
	b = binary.LittleEndian.AppendUint32(b, r.to)
	switch r.op {
	case addVertex:
		b = r.id.append(b)
		b = e.value.encode(b, []V{r.value})
	case addEdge:
		b = e.edge.encode(b, []E{r.edge})
	}
	return b
}

func (e *engine[V, E, M]) decodeRequest(b []byte) (r request[V, E], rest []byte, err error) {
	if len(b) < 9 || b[0] >= operations {
		return r, nil, errShort
	}
	r.op, r.from, r.to = b[0], binary.LittleEndian.Uint32(b[1:]), binary.LittleEndian.Uint32(b[5:])
	b = b[9:]
	switch r.op {
	case addVertex:
		if r.id, b, err = decodeID(b); err == nil {
			r.value, b, err = e.value.one(b)
		}
	case addEdge:
		r.edge, b, err = e.edge.one(b)
	}
	return r, b, err
}

// mutate carries the requests out that came.
func (e *engine[V, E, M]) mutate(requests []request[V, E]) {
	slices.SortStableFunc(requests, func(a, b request[V, E]) int { return int(a.op) - int(b.op) })
	for _, r := range requests {
		switch r.op {
		case removeEdge:
			e.removeEdge(r)
		case removeVertex:
			if at, ok := e.here(r.from); ok {
				e.remove(at)
			}
		case addVertex:
			e.addVertex(r)
		case addEdge:
			e.addEdge(r)
		}
	}
}

// here is where a vertex of this rank lies, if it was not removed.
func (e *engine[V, E, M]) here(ref uint32) (uint32, bool) {
	at := e.local(ref)
	return at, int(at) < len(e.values) && !e.removed.has(at)
}

func (e *engine[V, E, M]) remove(at uint32) {
	e.removed.put(at)
	e.asleep.put(at)
	e.own(at).set(nil, nil)
}

// revive makes a vertex of a removed one, or reports that the resolver would not.
func (e *engine[V, E, M]) revive(at uint32) bool {
	v, ok := e.cfg.Resolve.Missing()
	if !ok {
		return false
	}
	e.removed.drop(at)
	e.asleep.drop(at)
	e.values[at] = v
	return true
}

func (e *engine[V, E, M]) addVertex(r request[V, E]) {
	at, known := e.names.find(r.id)
	switch {
	case !known:
		e.grow(r.id, r.value)
	case e.removed.has(at):
		e.removed.drop(at)
		e.asleep.drop(at)
		e.values[at] = r.value
	default:
		e.values[at] = e.cfg.Resolve.Twice(e.values[at], r.value)
		e.asleep.drop(at)
	}
}

// grow adds a vertex and returns where it lies.
func (e *engine[V, E, M]) grow(id ID, value V) uint32 {
	at := uint32(len(e.values))
	e.names.add(id)
	e.values = append(e.values, value)
	if int(at)/64 >= len(e.asleep) {
		e.asleep, e.removed = append(e.asleep, 0), append(e.removed, 0)
	}
	e.own(at).set(nil, nil)
	return at
}

// adjacency is the edges of a vertex that differ from the graph's.
type adjacency[E any] struct {
	targets []uint32
	values  []E
}

func (a *adjacency[E]) set(targets []uint32, values []E) { a.targets, a.values = targets, values }

// own is the adjacency of a vertex as its own, to be changed.
func (e *engine[V, E, M]) own(at uint32) *adjacency[E] {
	if a := e.changed[at]; a != nil {
		return a
	}
	a := new(adjacency[E])
	if at < e.loaded {
		targets, values := e.edgesOf(at)
		a.targets, a.values = slices.Clone(targets), slices.Clone(values)
	}
	if e.changed == nil {
		e.changed = map[uint32]*adjacency[E]{}
	}
	e.changed[at] = a
	return a
}

func (e *engine[V, E, M]) removeEdge(r request[V, E]) {
	at, ok := e.here(r.from)
	if !ok {
		return
	}
	a := e.own(at)
	n := 0
	for i, t := range a.targets {
		if t == r.to {
			continue
		}
		a.targets[n] = t
		if a.values != nil {
			a.values[n] = a.values[i]
		}
		n++
	}
	a.targets = a.targets[:n]
	if a.values != nil {
		a.values = a.values[:n]
	}
}

func (e *engine[V, E, M]) addEdge(r request[V, E]) {
	at, ok := e.here(r.from)
	if !ok {
		if at = e.local(r.from); int(at) >= len(e.values) || !e.revive(at) {
			return
		}
	}
	a := e.own(at)
	if i := slices.Index(a.targets, r.to); i >= 0 {
		var has E
		if e.edged {
			has = a.values[i]
		}
		value, both := e.cfg.Resolve.Parallel(has, r.edge)
		if !both {
			if e.edged {
				a.values[i] = value
			}
			return
		}
		r.edge = value
	}
	a.targets = append(a.targets, r.to)
	if e.edged {
		a.values = append(a.values, r.edge)
	}
}
