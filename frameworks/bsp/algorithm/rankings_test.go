package algorithm

import (
	"slices"
	"testing"

	"github.com/capstan-run/capstan/frameworks/bsp/algorithm/reference"
	"github.com/capstan-run/capstan/frameworks/bsp/graph"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
	"github.com/capstan-run/capstan/frameworks/bsp/peer/peertest"
)

func TestPageRank(t *testing.T) {
	everywhere(t, false, func(t *testing.T, s *sample, size int, change func(*graph.Config, *peer.Config)) {
		r := s.gang(t, size, "pagerank", map[string]any{"iterations": 12}, change).Run(t)
		near(t, s.floats(t, r), reference.PageRank(s.in, degrees(s.out), 12, 0.85, nil), 1e-6)
	})
}

func TestPersonalisedPageRank(t *testing.T) {
	everywhere(t, false, func(t *testing.T, s *sample, size int, change func(*graph.Config, *peer.Config)) {
		last := s.n - 1
		r := s.gang(t, size, "personalised-pagerank", map[string]any{"sources": []any{s.ids[0], s.ids[last]}, "iterations": 8}, change).Run(t)
		start := make([]float64, s.n)
		start[0] += 0.5
		start[last] += 0.5
		if last == 0 {
			start[0] = 1
		}
		near(t, s.floats(t, r), reference.PageRank(s.in, degrees(s.out), 8, 0.85, start), 1e-6)
	})
}

func TestPageRankUntilItRests(t *testing.T) {
	s := samples(t, false)["rmat"]
	r := s.gang(t, 3, "pagerank", map[string]any{"iterations": 500, "tolerance": 1e-8}, nil).Run(t)
	near(t, s.floats(t, r), reference.PageRank(s.in, degrees(s.out), 200, 0.85, nil), 1e-5)
	if n := len(r.Supersteps); n > 250 {
		t.Errorf("it took %d supersteps", n)
	}
}

// A rank is killed at every superstep; the result has the same bits.
func TestPageRankGoesOn(t *testing.T) {
	for _, name := range []string{"rmat", "hub", "texts"} {
		goesOn(t, samples(t, false)[name], "pagerank", map[string]any{"iterations": 6})
	}
}

// goesOn kills ranks at supersteps and compares the results.
func goesOn(t *testing.T, s *sample, name string, with map[string]any) {
	t.Helper()
	const size = 3
	plain := s.values(t, s.gang(t, size, name, with, nil).Run(t))
	for step := int64(2); ; step++ {
		g := s.gang(t, size, name, with, nil)
		g.Every = 1
		g.Kills = []peertest.Kill{{Rank: int(step) % size, Superstep: step, Phase: peertest.Phases[step%4]}}
		r := g.Run(t)
		if got := s.values(t, r); !slices.Equal(got, plain) {
			t.Fatalf("the result differs after a kill at superstep %d", step)
		}
		if r.Incarnations == 1 {
			return
		}
	}
}

func TestPageRankInLittleMemory(t *testing.T) {
	s := samples(t, false)["rmat"]
	want := reference.PageRank(s.in, degrees(s.out), 5, 0.85, nil)
	r := s.gang(t, 2, "pagerank", map[string]any{"iterations": 5}, func(_ *graph.Config, p *peer.Config) { p.Memory = 4 << 20 }).Run(t)
	near(t, s.floats(t, r), want, 1e-6)
}
