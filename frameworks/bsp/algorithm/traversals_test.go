package algorithm

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/bsp/algorithm/reference"
	"github.com/capstan-run/capstan/frameworks/bsp/graph"
	"github.com/capstan-run/capstan/frameworks/bsp/graph/graphtest"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
)

func TestBreadthFirst(t *testing.T) {
	everywhere(t, false, func(t *testing.T, s *sample, size int, change func(*graph.Config, *peer.Config)) {
		source := s.n / 3
		r := s.gang(t, size, "bfs", map[string]any{"source": s.ids[source]}, change).Run(t)
		want := reference.BFS(s.out, uint32(source))
		for v, got := range s.values(t, r) {
			if got != strconv.FormatInt(want[v], 10) {
				t.Fatalf("vertex %d has depth %s, not %d", v, got, want[v])
			}
		}
	})
}

func TestShortestPaths(t *testing.T) {
	everywhere(t, true, func(t *testing.T, s *sample, size int, change func(*graph.Config, *peer.Config)) {
		source := s.n / 3
		r := s.gang(t, size, "sssp", map[string]any{"source": s.ids[source]}, change).Run(t)
		if got, want := s.floats(t, r), reference.ShortestPaths(s.out, uint32(source)); !slices.Equal(got, want) {
			near(t, got, want, 0)
		}
	})
}

func TestComponents(t *testing.T) {
	everywhere(t, false, func(t *testing.T, s *sample, size int, change func(*graph.Config, *peer.Config)) {
		r := s.gang(t, size, "wcc", nil, change).Run(t)
		roots := reference.Components(s.out)
		want := make([]string, s.n)
		for v, root := range roots {
			if id := s.ids[v]; want[root] == "" || before(id, want[root]) {
				want[root] = id
			}
		}
		for v, got := range s.values(t, r) {
			if got != want[roots[v]] {
				t.Fatalf("vertex %d has label %s, not %s", v, got, want[roots[v]])
			}
		}
	})
}

// before is the order of ids: integers by value, texts by their bytes.
func before(a, b string) bool {
	x, errX := strconv.ParseInt(a, 10, 64)
	y, errY := strconv.ParseInt(b, 10, 64)
	if errX == nil && errY == nil {
		return x < y
	}
	return a < b
}

// A long path has one vertex in each frontier, and looks down all the way; its
// middle is a star, for which it looks up.
func TestBreadthFirstChangesDirection(t *testing.T) {
	var edges []graphtest.Edge
	const n = 4000
	for v := range uint32(60) {
		edges = append(edges, graphtest.Edge{Source: v, Target: v + 1})
	}
	for v := uint32(61); v < n-60; v++ {
		edges = append(edges, graphtest.Edge{Source: 60, Target: v}, graphtest.Edge{Source: v, Target: n - 60})
	}
	for v := uint32(n - 60); v < n-1; v++ {
		edges = append(edges, graphtest.Edge{Source: v, Target: v + 1})
	}
	s := newSample(t, n, edges, false, false, decimal)
	want := reference.BFS(s.out, 0)
	for _, size := range []int{1, 2, 5} {
		r := s.gang(t, size, "bfs", map[string]any{"source": 0}, nil).Run(t)
		for v, got := range s.values(t, r) {
			if got != strconv.FormatInt(want[v], 10) {
				t.Fatalf("%d ranks: vertex %d has depth %s, not %d", size, v, got, want[v])
			}
		}
	}
}

func TestTraversalsGoOn(t *testing.T) {
	all := samples(t, true)
	for _, name := range []string{"rmat", "hub", "texts"} {
		s := all[name]
		source := map[string]any{"source": s.ids[1]}
		goesOn(t, s, "bfs", source)
		goesOn(t, s, "sssp", source)
		goesOn(t, s, "wcc", nil)
	}
}

func TestSourceThatIsNone(t *testing.T) {
	s := samples(t, false)["rmat"]
	for _, id := range []string{"no such", "513", "-1"} {
		_, err := s.gang(t, 2, "bfs", map[string]any{"source": id}, nil).Try(t)
		if err == nil || !strings.Contains(err.Error(), id) {
			t.Errorf("source %q: %v", id, err)
		}
	}
}

func TestNegativeWeight(t *testing.T) {
	s := newSample(t, 3, []graphtest.Edge{{Source: 0, Target: 1, Weight: 1}, {Source: 1, Target: 2, Weight: -2}}, true, true, decimal)
	_, err := s.gang(t, 2, "sssp", map[string]any{"source": "0"}, nil).Try(t)
	if e := core.AsError(err); e == nil || !strings.Contains(e.What, "vertex 1") || e.Remedy == "" {
		t.Fatalf("error %+v", err)
	}
}
