package algorithm

import (
	"context"
	"flag"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/capstan-run/capstan/frameworks/bsp/graph/graphtest"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
)

var hubScale = flag.Int("hubscale", 11, "of the graph with a hub: 2 to that many vertices")

// hubGraph has a vertex, number 0, with an eighth of all edges, and 7 edges for
// each of the others: some of them in threes, the rest at random.
func hubGraph(t testing.TB, scale int, weighted bool) *sample {
	n := uint32(1) << scale
	edges := graphtest.Uniform(int(n), int(5*n), 11)
	for v := uint32(1); v < n; v++ {
		w := float64(1 + v%7)
		edges = append(edges, graphtest.Edge{Source: 0, Target: v, Weight: w})
		if v+2 < n {
			edges = append(edges, graphtest.Edge{Source: v, Target: v + 1, Weight: w}, graphtest.Edge{Source: v, Target: v + 2, Weight: w})
		}
	}
	return newSample(t, int(n), edges, false, weighted, decimal)
}

// onThread runs a program on a thread of its own, whose time is then the rank's.
type onThread struct{ peer.Program }

func (o onThread) Run(ctx context.Context, p *peer.Peer) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return o.Program.Run(ctx, p)
}

func threadTime(t testing.TB) time.Duration {
	const thread = 1 // RUSAGE_THREAD
	var u syscall.Rusage
	if err := syscall.Getrusage(thread, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// load is what a rank did in a superstep.
type load struct {
	edges int64
	cpu   time.Duration
}

// loads runs an algorithm on 4 ranks, and returns what each did in those
// supersteps in which any followed edges: by superstep, then by rank.
func (s *sample) loads(t testing.TB, name string, with map[string]any) [][]load {
	const size = 4
	g := s.gang(t, size, name, with, nil)
	make4, config := g.Program, g.Config
	g.Program = func() peer.Program { return onThread{make4()} }
	ranks := make([][]load, size)
	g.Config = func(rank int, c *peer.Config) {
		config(rank, c)
		c.Cores = 1
		before := time.Duration(0)
		inner := c.Observe
		c.Observe = func(o peer.Superstep) {
			l := load{edges: o.Edges}
			if !o.Ended { // then the thread is another
				now := threadTime(t)
				l.cpu, before = now-before, now
			}
			ranks[rank] = append(ranks[rank], l)
			inner(o)
		}
	}
	g.Run(t)
	var steps [][]load
	for i := range ranks[0] {
		step := make([]load, size)
		for r := range ranks {
			step[r] = ranks[r][i]
		}
		if slices.ContainsFunc(step, func(l load) bool { return l.edges > 0 }) {
			steps = append(steps, step)
		}
	}
	return steps
}

// hubJobs are the algorithms on graphs, with what they need.
var hubJobs = []struct {
	use  string
	with map[string]any
}{
	{"pagerank", nil}, {"personalised-pagerank", map[string]any{"sources": []any{"1"}}},
	{"bfs", map[string]any{"source": "1"}}, {"sssp", map[string]any{"source": "1"}}, {"wcc", nil},
	{"cdlp", nil}, {"lcc", nil}, {"triangles", nil}, {"kcore", nil}, {"scc", nil}, {"matching", nil},
	{"mst", nil}, {"matvec", nil}, {"randomwalk", nil},
}

// TestHubStallsNobody: though a vertex has an eighth of all edges, those that the
// slowest ranks follow, superstep by superstep, are little more than a rank's
// share. What it took is logged.
func TestHubStallsNobody(t *testing.T) {
	for _, j := range hubJobs {
		t.Run(j.use, func(t *testing.T) {
			s := hubGraph(t, *hubScale, j.use == "sssp" || j.use == "mst")
			var slowest, mean time.Duration
			var most, all int64
			for _, step := range s.loads(t, j.use, j.with) {
				var top load
				for _, l := range step {
					top.edges, top.cpu = max(top.edges, l.edges), max(top.cpu, l.cpu)
					all, mean = all+l.edges, mean+l.cpu/time.Duration(len(step))
				}
				most, slowest = most+top.edges, slowest+top.cpu
			}
			unfair := 4 * float64(most) / float64(all)
			if !(unfair <= 1.5) {
				t.Errorf("the slowest ranks follow %d of %d edges, %.2f times their share", most, all, unfair)
			}
			t.Logf("%s: the slowest ranks follow %.2f times their share of edges and compute %v, %.2f times the mean",
				j.use, unfair, slowest, float64(slowest)/float64(mean))
		})
	}
}
