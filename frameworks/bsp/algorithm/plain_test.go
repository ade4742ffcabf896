package algorithm

import (
	"fmt"
	"maps"
	"slices"
	"sort"
	"strconv"

	"github.com/capstan-run/capstan/frameworks/bsp/peer/peertest"
)

// plain is the plainest program for an algorithm: its value for each vertex.
type plain func(s sketch) []string

// rowsOf pairs the vertices with a reference's values.
func rowsOf(s sketch, values []string) []peertest.Row {
	rows := make([]peertest.Row, s.n)
	for v := range rows {
		rows[v] = peertest.Row{Key: s.name(v), Value: values[v]}
	}
	slices.SortFunc(rows, func(a, b peertest.Row) int {
		if a.Key+"\x00"+a.Value < b.Key+"\x00"+b.Value {
			return -1
		}
		return 1
	})
	return rows
}

// plainLabels passes labels on so many times.
func plainLabels(iterations int) plain {
	return func(s sketch) []string {
		out, in := s.adjacency()
		labels := make([]int, s.n)
		for v := range labels {
			labels[v] = v
		}
		for range iterations {
			next := slices.Clone(labels)
			for v := range labels {
				count := map[int]int{}
				for _, w := range out[v] {
					count[labels[w]]++
				}
				if s.directed {
					for _, w := range in[v] {
						count[labels[w]]++
					}
				}
				best := -1
				for _, l := range slices.Sorted(maps.Keys(count)) {
					if best < 0 || count[l] > count[best] {
						best = l
					}
				}
				if best >= 0 {
					next[v] = best
				}
			}
			labels = next
		}
		return s.names(labels)
	}
}

func (s sketch) names(of []int) []string {
	names := make([]string, len(of))
	for i, v := range of {
		names[i] = s.name(v)
	}
	return names
}

// plainClustering looks at each pair of neighbours.
func plainClustering(s sketch) []string {
	joined := map[[2]int]bool{}
	for _, e := range s.edges {
		joined[[2]int{e.from, e.to}] = true
		if !s.directed {
			joined[[2]int{e.to, e.from}] = true
		}
	}
	values := make([]string, s.n)
	for v, near := range s.neighbourhood() {
		edges := 0
		for a := range near {
			for b := range near {
				if a != b && joined[[2]int{a, b}] {
					edges++
				}
			}
		}
		values[v] = "0"
		if d := len(near); d >= 2 {
			values[v] = strconv.FormatFloat(float64(edges)/float64(d*(d-1)), 'g', -1, 64)
		}
	}
	return values
}

// plainTriangles looks at each pair of neighbours.
func plainTriangles(s sketch) []string {
	all := s.neighbourhood()
	values := make([]string, s.n)
	for v, near := range all {
		n := 0
		for a := range near {
			for b := range near {
				if a < b && all[a][b] {
					n++
				}
			}
		}
		values[v] = fmt.Sprint(n)
	}
	return values
}

// plainCores takes away who has fewer than k neighbours left, for each k.
func plainCores(s sketch) []string {
	all := s.neighbourhood()
	core := make([]int, s.n)
	gone := make([]bool, s.n)
	for k := 1; k <= s.n; k++ {
		for again := true; again; {
			again = false
			for v, near := range all {
				left := 0
				for w := range near {
					if !gone[w] {
						left++
					}
				}
				if !gone[v] && left < k {
					gone[v], again = true, true
				}
			}
		}
		for v := range core {
			if !gone[v] {
				core[v] = k
			}
		}
	}
	values := make([]string, s.n)
	for v, k := range core {
		values[v] = fmt.Sprint(k)
	}
	return values
}

// plainComponents asks of each pair whether they reach each other.
func plainComponents(s sketch) []string {
	out, _ := s.adjacency()
	reach := make([]map[int]bool, s.n)
	for v := range reach {
		reach[v] = map[int]bool{v: true}
		for todo := []int{v}; len(todo) > 0; {
			at := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			for _, w := range out[at] {
				if !reach[v][w] {
					reach[v][w] = true
					todo = append(todo, w)
				}
			}
		}
	}
	labels := make([]int, s.n)
	for v := range labels {
		for w := 0; w <= v; w++ {
			if reach[v][w] && reach[w][v] {
				labels[v] = w
				break
			}
		}
	}
	return s.names(labels)
}

// plainMatching takes edges one by one. Places are the vertices' own numbers, or
// their ids where those are small, which is the same.
func plainMatching(seed uint64, place func(v int) uint32) plain {
	return func(s sketch) []string {
		var edges [][2]int
		for v, near := range s.neighbourhood() {
			for w := range near {
				if v < w {
					edges = append(edges, [2]int{v, w})
				}
			}
		}
		order := func(e [2]int) edgeOrder { return newEdgeOrder(seed, place(e[0]), place(e[1])) }
		sort.Slice(edges, func(i, j int) bool { return order(edges[i]).less(order(edges[j])) })
		partner := make([]int, s.n)
		for v := range partner {
			partner[v] = v
		}
		for _, e := range edges {
			if partner[e[0]] == e[0] && partner[e[1]] == e[1] {
				partner[e[0]], partner[e[1]] = e[1], e[0]
			}
		}
		return s.names(partner)
	}
}

// plainForest is Kruskal's algorithm: lines (vertex, vertex and weight).
func plainForest(s sketch) []peertest.Row {
	edges := slices.Clone(s.edges)
	for i, e := range edges {
		if !s.weighted {
			edges[i].weight = 1
		}
		if e.from > e.to {
			edges[i].from, edges[i].to = e.to, e.from
		}
	}
	sort.Slice(edges, func(i, j int) bool {
		a, b := edges[i], edges[j]
		if a.weight != b.weight {
			return a.weight < b.weight
		}
		return a.from < b.from || a.from == b.from && a.to < b.to
	})
	tree := make([]int, s.n)
	for v := range tree {
		tree[v] = v
	}
	var rows []peertest.Row
	for _, e := range edges {
		if tree[e.from] == tree[e.to] {
			continue
		}
		rows = append(rows, peertest.Row{Key: s.name(e.from), Value: fmt.Sprintf("%s %v", s.name(e.to), e.weight)})
		from, to := tree[e.from], tree[e.to]
		for v := range tree {
			if tree[v] == from {
				tree[v] = to
			}
		}
	}
	slices.SortFunc(rows, func(a, b peertest.Row) int {
		if a.Key+"\x00"+a.Value < b.Key+"\x00"+b.Value {
			return -1
		}
		return 1
	})
	return rows
}

// plainProduct multiplies by the matrix of the edges so many times, from ones.
func plainProduct(s sketch, iterations int, transpose bool) []float64 {
	x := make([]float64, s.n)
	for v := range x {
		x[v] = 1
	}
	for range iterations {
		y := make([]float64, s.n)
		add := func(from, to int, w float64) {
			if transpose {
				from, to = to, from
			}
			y[from] += w * x[to]
		}
		for _, e := range s.edges {
			w := 1.0
			if s.weighted {
				w = e.weight
			}
			add(e.from, e.to, w)
			if !s.directed && e.from != e.to {
				add(e.to, e.from, w)
			}
		}
		x = y
	}
	return x
}
