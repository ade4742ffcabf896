package reference

import (
	"cmp"
	"slices"
)

// Clustering is the local clustering coefficient of each vertex of an undirected
// graph without loops and repeats: the algorithm forward, on vertices in the
// order of their degrees.
func Clustering(g *Graph) []float64 {
	order, starts, up := g.upward()
	n := g.N()
	triangles, marked := make([]uint64, n), make([]bool, n)
	for a := range n {
		list := up[starts[a]:starts[a+1]]
		for _, b := range list {
			marked[b] = true
		}
		for _, b := range list {
			for _, c := range up[starts[b]:starts[b+1]] {
				if marked[c] {
					triangles[a]++
					triangles[b]++
					triangles[c]++
				}
			}
		}
		for _, b := range list {
			marked[b] = false
		}
	}
	values := make([]float64, n)
	for i, v := range order {
		if d := float64(g.degree(v)); d >= 2 {
			values[v] = 2 * float64(triangles[i]) / (d * (d - 1))
		}
	}
	return values
}

func (g *Graph) degree(v uint32) uint64 { return g.Offsets[v+1] - g.Offsets[v] }

// upward is the vertices in the order of falling degrees, and by place in that
// order the places of those neighbours that come before.
func (g *Graph) upward() (order []uint32, starts []int, up []uint32) {
	n := g.N()
	order = make([]uint32, n)
	for v := range order {
		order[v] = uint32(v)
	}
	slices.SortFunc(order, func(a, b uint32) int { return cmp.Or(cmp.Compare(g.degree(b), g.degree(a)), cmp.Compare(a, b)) })
	place := make([]uint32, n)
	for i, v := range order {
		place[v] = uint32(i)
	}
	up, starts = make([]uint32, 0, len(g.Targets)/2), make([]int, n+1)
	for i, v := range order {
		for _, t := range g.Row(int(v)) {
			if place[t] < uint32(i) {
				up = append(up, place[t])
			}
		}
		slices.Sort(up[starts[i]:])
		starts[i+1] = len(up)
	}
	return order, starts, up
}
