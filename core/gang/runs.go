package gang

import "github.com/capstan-run/capstan/core/place"

// run is living ranks of one role that follow each other on one node. Neighbours
// in rank mostly share one, so what is done once for each run is done far less
// often than once for each rank.
type run struct {
	node        place.Ref
	role, ranks int32
}

// runs calls f with each run of living ranks from first up to end.
func (g *member) runs(first, end int, f func(n place.Ref, shape place.ShapeID, ranks int)) {
	for rank := first; rank < end; {
		n, role, lost := g.nodes[rank], g.role(rank), g.lost[rank]
		from := rank
		for rank++; rank < end && g.nodes[rank] == n && g.lost[rank] == lost && g.role(rank) == role; rank++ {
		}
		if !lost {
			f(n, g.ask.Roles[role].Shape, rank-from)
		}
	}
}

// lie is the runs of all living ranks. They are made once and kept until ranks
// come or go, which sets laid to nil.
func (g *member) lie() []run {
	if g.laid == nil {
		g.laid = g.sole[:0]
		for rank := 0; rank < len(g.nodes); {
			v := run{g.nodes[rank], int32(g.role(rank)), 0}
			lost := g.lost[rank]
			for ; rank < len(g.nodes) && g.nodes[rank] == v.node && g.lost[rank] == lost && int32(g.role(rank)) == v.role; rank++ {
				v.ranks++
			}
			if !lost {
				g.laid = append(g.laid, v)
			}
		}
	}
	return g.laid
}

// shelf is where ranks lie: a fleet, or what will become of it.
type shelf interface {
	Take(n place.Ref, shape place.ShapeID, ranks int)
	Give(n place.Ref, shape place.ShapeID, ranks int)
}

// takeAll takes what g holds off the free of f.
func (g *member) takeAll(f shelf) {
	for _, v := range g.lie() {
		f.Take(v.node, g.ask.Roles[v.role].Shape, int(v.ranks))
	}
}

// giveAll gives what g holds back to f.
func (g *member) giveAll(f shelf) {
	for _, v := range g.lie() {
		f.Give(v.node, g.ask.Roles[v.role].Shape, int(v.ranks))
	}
}
