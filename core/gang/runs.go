package gang

import "github.com/capstan-run/capstan/core/place"

// runs calls f with each run of living ranks from first up to end that lie on
// one node and are of one role. Neighbours in rank mostly are, so what is done
// once for each run is done far less often than once for each rank.
// It returns how many runs there are.
func (g *member) runs(first, end int, f func(n place.Ref, shape place.ShapeID, ranks int)) (runs int) {
	for rank := first; rank < end; {
		n, role, lost := g.nodes[rank], g.role(rank), g.lost[rank]
		from := rank
		for rank++; rank < end && g.nodes[rank] == n && g.lost[rank] == lost && g.role(rank) == role; rank++ {
		}
		if !lost {
			f(n, g.ask.Roles[role].Shape, rank-from)
			runs++
		}
	}
	return runs
}

// shelf is where ranks lie: a fleet, or what will become of it.
type shelf interface {
	Take(n place.Ref, shape place.ShapeID, ranks int)
	Give(n place.Ref, shape place.ShapeID, ranks int)
}

// takeAll takes what g holds off the free of f, and giveAll gives it back. They
// return how many changes that is.
func (g *member) takeAll(f shelf) int { return g.runs(0, len(g.nodes), f.Take) }
func (g *member) giveAll(f shelf) int { return g.runs(0, len(g.nodes), f.Give) }
