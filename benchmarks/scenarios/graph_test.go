package scenarios

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/capstan-run/capstan/frameworks/bsp/algorithm/reference"
)

// graphOf writes a graph of n vertices, the first of which has an edge to a third
// of the others, into the input, and answers it as the references see it.
func (l *lab) graphOf(n, edges int) *reference.Graph {
	l.t.Helper()
	rng := rand.New(rand.NewPCG(11, uint64(n)))
	var text, list strings.Builder
	var from, to []uint32
	add := func(a, b int) {
		from, to = append(from, uint32(a)), append(to, uint32(b))
		fmt.Fprintln(&text, a, b)
	}
	for v := range n {
		fmt.Fprintln(&list, v)
		if v%3 == 1 {
			add(0, v)
		}
	}
	for range edges {
		add(rng.IntN(n/2), rng.IntN(n/2)) // so that there is more than one component
	}
	l.write("in/edges.txt", text.String())
	l.write("in/vertices.txt", list.String())
	return reference.Build(n, from, to, nil, false)
}

// TestGraphAnswer runs two algorithms on gangs of many sizes, their vertices dealt
// out in every way: the answers are those of one thread, the components to the
// byte and the ranks within the tolerance of LDBC Graphalytics.
func TestGraphAnswer(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, launcher string) {
		l := open(t, launcher)
		g := l.graphOf(900, 500)
		components := reference.Components(g)
		degree := make([]uint32, g.N())
		for v := range degree {
			degree[v] = uint32(len(g.Row(v)))
		}
		ranks := reference.PageRank(g, degree, 10, 0.85, nil)
		sizes := []int{1, 2, 3, 5, 8}
		if launcher == "docker" {
			sizes = []int{2} // containers cost most of a second each
		}
		for i, size := range sizes {
			for k, partition := range []string{"edges", "hash", "range"} {
				algorithm := []string{"wcc", "pagerank"}[(i+k)%2]
				name := fmt.Sprintf("%s-%d-%s", algorithm, size, partition)
				doc := l.write(name+".yaml", fmt.Sprintf(`apiVersion: capstan/v1
kind: BSP
metadata: {name: graph}
gang: {size: %d, cpu: 200m, memory: 128Mi}
spec:
  input: {path: "file://%s/edges.txt"}
  graph: {directed: false, partition: %s, vertices: {path: "file://%[2]s/vertices.txt"}}
  algorithm: {use: %[4]s}
  output: {path: "s3://results/%[5]s"}
`, size, l.in(), partition, algorithm, name))
				l.ok("run", "-q", doc)
				rows := strings.Split(sorted(l.ok("store", "cat", "s3://results/"+name)), "\n")
				if len(rows) != g.N() {
					t.Fatalf("%s: %d rows", name, len(rows))
				}
				for _, row := range rows {
					id, text, _ := strings.Cut(row, "\t")
					v, value := atoi(t, id), 0.0
					if value, _ = strconv.ParseFloat(text, 64); algorithm == "wcc" && value != float64(components[v]) ||
						algorithm == "pagerank" && math.Abs(value-ranks[v]) > 1e-4*ranks[v] {
						t.Errorf("%s: vertex %d has %s; its component is %v, its rank %v", name, v, text, components[v], ranks[v])
					}
				}
			}
		}
	})
}
