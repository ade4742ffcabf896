// Package reference holds the plainest fast program of each algorithm: one
// thread, the whole graph in memory, no framework. Tests take their answers
// from it, and benchmarks ask how many cores it takes to beat it (McSherry,
// Isard and Murray, "Scalability! But at what COST?", 2015).
package reference

import (
	"math"
	"slices"
)

// Graph is edges by vertex, vertices being 0..N-1: the neighbours of v are
// Targets[Offsets[v]:Offsets[v+1]], ascending.
type Graph struct {
	Offsets []uint64
	Targets []uint32
	Weights []float64 // by edge, or nil
}

// N is the number of vertices.
func (g *Graph) N() int { return len(g.Offsets) - 1 }

// Row is the neighbours of v.
func (g *Graph) Row(v int) []uint32 { return g.Targets[g.Offsets[v]:g.Offsets[v+1]] }

// Build makes a graph of n vertices and the edges from sources to targets.
// weights may be nil. Of an undirected graph each edge stands in both rows, a
// loop once.
func Build(n int, sources, targets []uint32, weights []float64, directed bool) *Graph {
	g := &Graph{Offsets: make([]uint64, n+1)}
	both := func(i int) bool { return !directed && sources[i] != targets[i] }
	for i, s := range sources {
		g.Offsets[s+1]++
		if both(i) {
			g.Offsets[targets[i]+1]++
		}
	}
	for v := range n {
		g.Offsets[v+1] += g.Offsets[v]
	}
	g.Targets = make([]uint32, g.Offsets[n])
	if weights != nil {
		g.Weights = make([]float64, len(g.Targets))
	}
	next := slices.Clone(g.Offsets)
	put := func(i int, s, t uint32) {
		g.Targets[next[s]] = t
		if weights != nil {
			g.Weights[next[s]] = weights[i]
		}
		next[s]++
	}
	for i, s := range sources {
		put(i, s, targets[i])
		if both(i) {
			put(i, targets[i], s)
		}
	}
	g.sort()
	return g
}

func (g *Graph) sort() {
	type edge struct {
		target uint32
		weight float64
	}
	var pairs []edge
	for v := range g.N() {
		row := g.Row(v)
		if g.Weights == nil {
			slices.Sort(row)
			continue
		}
		w := g.Weights[g.Offsets[v]:g.Offsets[v+1]]
		pairs = pairs[:0]
		for i, t := range row {
			pairs = append(pairs, edge{t, w[i]})
		}
		slices.SortFunc(pairs, func(a, b edge) int { return int(int64(a.target) - int64(b.target)) })
		for i, p := range pairs {
			row[i], w[i] = p.target, p.weight
		}
	}
}

// PageRank is the ranks after so many iterations. in is the edges by the vertex
// they reach, outDegree how many leave each. start is the chances to start over
// at each vertex; nil: the same for all.
func PageRank(in *Graph, outDegree []uint32, iterations int, damping float64, start []float64) []float64 {
	n := in.N()
	ranks, says := make([]float64, n), make([]float64, n)
	at := func(v int) float64 {
		if start == nil {
			return 1 / float64(n)
		}
		return start[v]
	}
	for v := range ranks {
		ranks[v] = at(v)
	}
	for range iterations {
		dangling := 0.0
		for v, d := range outDegree {
			if d == 0 {
				dangling += ranks[v]
				says[v] = 0
			} else {
				says[v] = ranks[v] / float64(d)
			}
		}
		again := 1 - damping + damping*dangling
		for v := range ranks {
			sum := 0.0
			for _, t := range in.Targets[in.Offsets[v]:in.Offsets[v+1]] {
				sum += says[t]
			}
			ranks[v] = again*at(v) + damping*sum
		}
	}
	return ranks
}

// Unreached is the depth of what BFS does not reach.
const Unreached = math.MaxInt64

// BFS is each vertex's number of edges from source.
func BFS(out *Graph, source uint32) []int64 {
	depth := make([]int64, out.N())
	for v := range depth {
		depth[v] = Unreached
	}
	depth[source] = 0
	for queue := []uint32{source}; len(queue) > 0; {
		v := queue[0]
		queue = queue[1:]
		for _, t := range out.Row(int(v)) {
			if depth[t] == Unreached {
				depth[t] = depth[v] + 1
				queue = append(queue, t)
			}
		}
	}
	return depth
}

// Components is, by vertex, the least vertex of its component, whatever way
// edges lead: a forest of disjoint sets with halved paths, the smaller root on
// top.
func Components(g *Graph) []uint32 {
	parent := make([]uint32, g.N())
	for v := range parent {
		parent[v] = uint32(v)
	}
	find := func(v uint32) uint32 {
		for parent[v] != v {
			parent[v] = parent[parent[v]]
			v = parent[v]
		}
		return v
	}
	for v := range parent {
		a := find(uint32(v))
		for _, t := range g.Row(v) {
			if b := find(t); a < b {
				parent[b] = a
			} else if b < a {
				parent[a] = b
				a = b
			}
		}
	}
	for v := range parent {
		parent[v] = find(uint32(v))
	}
	return parent
}

// ShortestPaths is each vertex's distance from source: Dijkstra's algorithm
// with a heap.
func ShortestPaths(out *Graph, source uint32) []float64 {
	distance := make([]float64, out.N())
	for v := range distance {
		distance[v] = math.Inf(1)
	}
	distance[source] = 0
	q := queue{{source, 0}}
	for len(q) > 0 {
		next := q.pop()
		if next.distance > distance[next.vertex] {
			continue
		}
		first := out.Offsets[next.vertex]
		for i, t := range out.Row(int(next.vertex)) {
			if d := next.distance + out.Weights[first+uint64(i)]; d < distance[t] {
				distance[t] = d
				q.push(reached{t, d})
			}
		}
	}
	return distance
}

type reached struct {
	vertex   uint32
	distance float64
}

// queue is a heap by distance.
type queue []reached

func (q *queue) push(x reached) {
	*q = append(*q, x)
	h := *q
	i := len(h) - 1
	for ; i > 0 && x.distance < h[(i-1)/2].distance; i = (i - 1) / 2 {
		h[i] = h[(i-1)/2]
	}
	h[i] = x
}

func (q *queue) pop() reached {
	h := *q
	top, last := h[0], h[len(h)-1]
	h = h[:len(h)-1]
	*q = h
	i := 0
	for {
		child := 2*i + 1
		if child >= len(h) {
			break
		}
		if child+1 < len(h) && h[child+1].distance < h[child].distance {
			child++
		}
		if last.distance <= h[child].distance {
			break
		}
		h[i] = h[child]
		i = child
	}
	if len(h) > 0 {
		h[i] = last
	}
	return top
}
