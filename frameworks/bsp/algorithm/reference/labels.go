package reference

// Labels is label propagation (CDLP) on an undirected graph: each vertex takes
// the label that most of its neighbours have, of several the least, so many
// times. It counts in an array as long as the graph.
func Labels(g *Graph, iterations int) []uint32 {
	n := g.N()
	labels, next, counts := make([]uint32, n), make([]uint32, n), make([]uint32, n)
	for v := range labels {
		labels[v] = uint32(v)
	}
	for range iterations {
		for v := range n {
			best, most := labels[v], uint32(0)
			for _, t := range g.Row(v) {
				l := labels[t]
				counts[l]++
				if c := counts[l]; c > most || c == most && l < best {
					best, most = l, c
				}
			}
			for _, t := range g.Row(v) {
				counts[labels[t]] = 0
			}
			next[v] = best
		}
		labels, next = next, labels
	}
	return labels
}
