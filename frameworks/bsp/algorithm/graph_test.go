package algorithm

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/capstan-run/capstan/frameworks/bsp/algorithm/reference"
	"github.com/capstan-run/capstan/frameworks/bsp/graph"
	"github.com/capstan-run/capstan/frameworks/bsp/graph/graphtest"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
	"github.com/capstan-run/capstan/frameworks/bsp/peer/peertest"
	"github.com/capstan-run/capstan/frameworks/dataset/input"
)

// sample is a graph in files and as the references see it. Vertex v has the id
// ids[v].
type sample struct {
	n                  int
	edges              []graphtest.Edge
	directed, weighted bool
	ids                []string
	file               string
	config             graph.Config
	in, out            *reference.Graph
}

// newSample writes a graph: edges in one file, the first vertices of each ten in
// a list of vertices, which so names those that have no edges.
func newSample(t testing.TB, n int, edges []graphtest.Edge, directed, weighted bool, id func(v int) string) *sample {
	t.Helper()
	s := &sample{n: n, edges: edges, directed: directed, weighted: weighted}
	var list, text bytes.Buffer
	for v := range n {
		s.ids = append(s.ids, id(v))
		fmt.Fprintln(&list, s.ids[v])
	}
	var from, to []uint32
	var weights []float64
	for _, e := range edges {
		fmt.Fprintf(&text, "%s\t%s", s.ids[e.Source], s.ids[e.Target])
		if weighted {
			fmt.Fprintf(&text, "\t%v", e.Weight)
		}
		text.WriteByte('\n')
		from, to, weights = append(from, e.Source), append(to, e.Target), append(weights, e.Weight)
	}
	dir := t.TempDir()
	s.file = filepath.Join(dir, "edges.tsv")
	vertices := filepath.Join(dir, "vertices.txt")
	for path, b := range map[string][]byte{s.file: text.Bytes(), vertices: list.Bytes()} {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.config = graph.Config{Directed: directed, Weighted: weighted}
	s.config.Vertices.Splits = []input.Split{whole(t, vertices)}
	s.out = reference.Build(n, from, to, weights, directed)
	s.in = s.out
	if directed {
		s.in = reference.Build(n, to, from, weights, true)
	}
	return s
}

func whole(t testing.TB, path string) input.Split {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	f := input.File{URL: input.FileURL(path), Size: info.Size()}
	return input.Split{Ranges: []input.Range{{File: f, Length: f.Size}}, Bytes: f.Size}
}

// splits cuts the file for rank of size.
func (s *sample) splits(t testing.TB, rank, size int) []input.Split {
	all := whole(t, s.file)
	f := all.Ranges[0].File
	var mine []input.Split
	const pieces = 7 // more than ranks or fewer
	for i := range int64(pieces) {
		if int(i)%size == rank {
			at, end := f.Size*i/pieces, f.Size*(i+1)/pieces
			mine = append(mine, input.Split{Ranges: []input.Range{{File: f, Offset: at, Length: end - at}}, Bytes: end - at})
		}
	}
	return mine
}

// gang runs an algorithm on the sample.
func (s *sample) gang(t testing.TB, size int, name string, with map[string]any, change func(*graph.Config, *peer.Config)) peertest.Gang {
	c := s.config
	var base peer.Config
	if change != nil {
		change(&c, &base)
	}
	return peertest.Gang{Size: size,
		Program: func() peer.Program {
			prog, err := New(name, Setup{Graph: c, With: with})
			if err != nil {
				t.Fatal(err)
			}
			return prog
		},
		Config: func(rank int, pc *peer.Config) {
			pc.Splits = s.splits(t, rank, size)
			if base.Memory > 0 {
				pc.Memory = base.Memory
			}
			if base.Cores > 0 {
				pc.Cores = base.Cores
			}
		},
	}
}

// values is the result by vertex.
func (s *sample) values(t testing.TB, r *peertest.Result) []string {
	t.Helper()
	at := map[string]int{}
	for v, id := range s.ids {
		at[id] = v
	}
	values := make([]string, s.n)
	rows := 0
	for _, rank := range r.Rows {
		for _, row := range rank {
			v, ok := at[row.Key]
			if !ok || values[v] != "" {
				t.Fatalf("row %v is of no vertex, or twice", row)
			}
			values[v] = row.Value
			rows++
		}
	}
	if rows != s.n {
		t.Fatalf("%d rows for %d vertices", rows, s.n)
	}
	return values
}

func (s *sample) floats(t testing.TB, r *peertest.Result) []float64 {
	t.Helper()
	values := make([]float64, s.n)
	for v, text := range s.values(t, r) {
		x, err := strconv.ParseFloat(text, 64)
		if err != nil {
			t.Fatal(err)
		}
		values[v] = x
	}
	return values
}

func near(t testing.TB, got, want []float64, tolerance float64) {
	t.Helper()
	for v, x := range got {
		if x != want[v] && !(math.Abs(x-want[v]) <= tolerance*math.Abs(want[v])) {
			t.Fatalf("vertex %d has %v, not %v", v, x, want[v])
		}
	}
}

func degrees(g *reference.Graph) []uint32 {
	d := make([]uint32, g.N())
	for v := range d {
		d[v] = uint32(len(g.Row(v)))
	}
	return d
}

func decimal(v int) string { return strconv.Itoa(v) }

// samples are graphs of all sorts.
func samples(t testing.TB, weighted bool) map[string]*sample {
	star := graphtest.Uniform(300, 600, 5)
	for v := range 300 {
		star = append(star, graphtest.Edge{Source: 7, Target: uint32(v), Weight: 1 + float64(v)/7}, graphtest.Edge{Source: uint32(v), Target: 7, Weight: float64(v)})
	}
	return map[string]*sample{
		"rmat":       newSample(t, 1<<9, graphtest.RMAT(9, 8, 1), false, weighted, decimal),
		"directed":   newSample(t, 1<<9, graphtest.RMAT(9, 4, 2), true, weighted, decimal),
		"few edges":  newSample(t, 400, graphtest.Uniform(400, 350, 3), false, weighted, decimal),
		"far apart":  newSample(t, 300, graphtest.Uniform(300, 900, 4), true, weighted, func(v int) string { return strconv.Itoa(v*v*1e12 - 1e9) }),
		"texts":      newSample(t, 200, graphtest.Uniform(200, 500, 6), false, weighted, func(v int) string { return fmt.Sprintf("vertex %c %d", 'z'-v%26, v) }),
		"hub":        newSample(t, 300, star, true, weighted, decimal),
		"no edges":   newSample(t, 5, nil, true, weighted, decimal),
		"one vertex": newSample(t, 1, nil, false, weighted, decimal),
	}
}

// everywhere runs check for every sample, gang size and partitioner.
func everywhere(t *testing.T, weighted bool, check func(t *testing.T, s *sample, size int, change func(*graph.Config, *peer.Config))) {
	for name, s := range samples(t, weighted) {
		for _, size := range []int{1, 2, 3, 5, 8} {
			for _, by := range []string{graph.ByEdges, graph.ByHash, graph.ByRange} {
				t.Run(fmt.Sprintf("%s/%d/%s", name, size, by), func(t *testing.T) {
					check(t, s, size, func(c *graph.Config, p *peer.Config) { c.Partition, p.Cores = by, 1+size%2 })
				})
			}
		}
	}
}
