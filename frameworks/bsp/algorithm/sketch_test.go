package algorithm

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/capstan-run/capstan/frameworks/bsp/graph"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
	"github.com/capstan-run/capstan/frameworks/bsp/peer/peertest"
	"github.com/capstan-run/capstan/frameworks/dataset/input"
)

// sketch is a graph as references see it: vertices 0..n-1, named by name, which
// keeps their order.
type sketch struct {
	directed, weighted bool
	n                  int
	edges              []sketchEdge
	name               func(v int) string
}

type sketchEdge struct {
	from, to int
	weight   float64
}

// small numbers, numbers of 64 bits, and texts.
var namings = map[string]func(int) string{
	"small": func(v int) string { return fmt.Sprint(v) },
	"large": func(v int) string { return fmt.Sprint(int64(v)*6_000_000_000_001 - 9_000_000_000_000) },
	"texts": func(v int) string { return fmt.Sprintf("v%04d", v) },
}

// sketches are graphs of every shape that has broken a program of this kind.
func sketches() map[string]sketch {
	g := map[string]sketch{}
	add := func(name string, directed bool, n int, pairs ...int) {
		s := sketch{directed: directed, n: n, name: namings["small"]}
		for i := 0; i < len(pairs); i += 2 {
			s.edges = append(s.edges, sketchEdge{pairs[i], pairs[i+1], 1})
		}
		g[name] = s
	}
	add("empty", true, 0)
	add("isolated", true, 5)
	add("loop", true, 2, 0, 0)
	add("loop both ways", false, 2, 0, 0, 0, 1)
	add("double", true, 3, 0, 1, 0, 1, 1, 0, 1, 2)
	add("double both ways", false, 3, 0, 1, 1, 0, 1, 2, 1, 2)
	var path, star, clique, ring []int
	for v := range 30 {
		path = append(path, v, v+1)
		star = append(star, v+1, 0)
		ring = append(ring, v, (v+1)%30)
		for w := range v {
			if v < 12 {
				clique = append(clique, w, v)
			}
		}
	}
	for _, directed := range []bool{true, false} {
		way := map[bool]string{true: " directed", false: ""}[directed]
		add("path"+way, directed, 31, path...)
		add("star"+way, directed, 31, star...)
		add("ring"+way, directed, 30, ring...)
		add("clique"+way, directed, 13, clique...)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for i, name := range []string{"small", "large", "texts"} {
		s := randomSketch(r, 60, 150+60*i, i%2 == 0)
		s.name = namings[name]
		g["random "+name] = s
		s = randomSketch(r, 40, 200, i%2 == 1)
		s.weighted, s.name = true, namings[name]
		g["weighted "+name] = s
	}
	return g
}

// randomSketch has loops, repeats and vertices without edges; a few vertices
// have many edges.
func randomSketch(r *rand.Rand, n, edges int, directed bool) sketch {
	s := sketch{directed: directed, n: n, name: namings["small"]}
	pick := func() int { return int(float64(n) * r.Float64() * r.Float64() * 0.95) }
	for range edges {
		s.edges = append(s.edges, sketchEdge{pick(), pick(), float64(r.IntN(9))})
	}
	return s
}

// files writes the sketch, and returns its edges in several splits and its
// vertices in one.
func (s sketch) files(t testing.TB) (edges []input.Split, vertices input.Split) {
	t.Helper()
	var lines, names strings.Builder
	for _, e := range s.edges {
		fmt.Fprintf(&lines, "%s %s", s.name(e.from), s.name(e.to))
		if s.weighted {
			fmt.Fprintf(&lines, " %v", e.weight)
		}
		lines.WriteByte('\n')
	}
	for v := range s.n {
		fmt.Fprintln(&names, s.name(v))
	}
	return splitsOf(t, lines.String(), 7), splitsOf(t, names.String(), 1)[0]
}

// splitsOf writes a file and cuts it into n splits.
func splitsOf(t testing.TB, text string, n int) []input.Split {
	t.Helper()
	path := filepath.Join(t.TempDir(), "in.txt")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	file := input.File{URL: input.FileURL(path), Size: int64(len(text))}
	var splits []input.Split
	for i := range int64(n) {
		from, to := file.Size*i/int64(n), file.Size*(i+1)/int64(n)
		splits = append(splits, input.Split{Ranges: []input.Range{{File: file, Offset: from, Length: to - from}}, Bytes: to - from})
	}
	return splits
}

// trial is one way to run an algorithm on a sketch.
type trial struct {
	size      int
	partition string
	memory    int64
	every     int64
	kills     []peertest.Kill
}

// outcome is what a gang made: its lines, sorted.
type outcome struct {
	rows       []peertest.Row
	counters   map[string]int64
	supersteps int64
	runs       int // 1 unless somebody was killed
}

// run runs an algorithm.
func (s sketch) run(t testing.TB, name string, with map[string]any, tr trial) outcome {
	t.Helper()
	edges, vertices := s.files(t)
	setup := Setup{With: with, Graph: graph.Config{Directed: s.directed, Weighted: s.weighted, Partition: tr.partition,
		Vertices: graph.VertexInput{Splits: []input.Split{vertices}}}}
	return runTrial(t, name, setup, edges, input.Options{Buffer: 1 << 12}, tr)
}

// runTrial deals the splits out to the ranks.
func runTrial(t testing.TB, name string, setup Setup, splits []input.Split, reading input.Options, tr trial) outcome {
	t.Helper()
	g := peertest.Gang{Size: tr.size, Every: tr.every, Kills: tr.kills,
		Program: func() peer.Program {
			p, err := New(name, setup)
			if err != nil {
				t.Fatal(err)
			}
			return p
		},
		Config: func(rank int, c *peer.Config) {
			c.Cores, c.Memory, c.Reading = 2, tr.memory, reading
			for i := rank; i < len(splits); i += tr.size {
				c.Splits = append(c.Splits, splits[i])
			}
		}}
	result := g.Run(t)
	rows := slices.Concat(result.Rows...)
	slices.SortFunc(rows, func(a, b peertest.Row) int {
		return strings.Compare(a.Key+"\x00"+a.Value, b.Key+"\x00"+b.Value)
	})
	return outcome{rows, result.Counters, int64(len(result.Supersteps)), result.Incarnations}
}

var partitions = []string{graph.ByEdges, graph.ByHash, graph.ByRange}

// sizes are the gang sizes that must not change an answer.
var sizes = []int{1, 2, 3, 5, 8}

// adjacency is the sketch's neighbours out and in, with repeats; of an undirected
// sketch both are the same. A loop stands there once.
func (s sketch) adjacency() (out, in [][]int) {
	out, in = make([][]int, s.n), make([][]int, s.n)
	for _, e := range s.edges {
		out[e.from] = append(out[e.from], e.to)
		if !s.directed && e.from == e.to {
			continue
		}
		in[e.to] = append(in[e.to], e.from)
	}
	if !s.directed {
		for v := range out {
			out[v] = append(out[v], in[v]...)
		}
		in = out
	}
	return out, in
}

// neighbourhood is who is joined with whom, whatever the direction.
func (s sketch) neighbourhood() []map[int]bool {
	all := make([]map[int]bool, s.n)
	for v := range all {
		all[v] = map[int]bool{}
	}
	for _, e := range s.edges {
		if e.from != e.to {
			all[e.from][e.to], all[e.to][e.from] = true, true
		}
	}
	return all
}
