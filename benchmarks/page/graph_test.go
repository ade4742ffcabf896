package page

import (
	"strings"
	"testing"

	"github.com/capstan-run/capstan/benchmarks/graph"
	"github.com/capstan-run/capstan/benchmarks/result"
)

func TestSuperstepsAreDrawnByRankAndPhase(t *testing.T) {
	var steps []graph.Step
	for _, incarnation := range []int{1, 2} {
		for n := range int64(50) {
			for rank := range 2 {
				steps = append(steps, graph.Step{Incarnation: incarnation, Number: n + 1, Loading: n < 12, Rank: rank, Compute: 4e6, Send: 1e6, Wait: 2e6, Checkpoint: 1e6})
			}
		}
	}
	r := &result.Result{Steps: steps, Samples: []result.Sample{{Key: result.Key{Workload: result.Graph, Series: "pagerank, capstan", Executors: 2, Scale: 20},
		Wall: 5, Loop: 2, Edges: 4e9},
		{Key: result.Key{Workload: result.Graph, Series: "pagerank, GraphX", Scale: 20}, Wall: 600, Late: true},
		{Key: result.Key{Workload: result.Graph, Series: "pagerank, memory at rest", Executors: 2, Scale: 20}, Wall: 5, Held: 640, Arrays: 520, Stored: 100}}}
	doc, err := Render(r)
	if err != nil {
		t.Fatal(err)
	}
	page := string(doc)
	// Once all of the last forty, and once those that do not load.
	if got, want := strings.Count(page, "<title>superstep "), (mostSteps+38)*2*len(phases); got != want {
		t.Errorf("%d parts of bars, want %d", got, want)
	}
	for _, want := range []string{"superstep 50, rank 1: checkpoint 1ms", "superstep 11, rank 0: compute 4ms", "barrier wait", "Graph, scale 20: pagerank", ">1000<", "GraphX, given up", "<td>&gt; 600</td>", "<td>6.40</td><td>5.20</td>"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if strings.Contains(page, "superstep 10, ") {
		t.Error("a superstep before the last forty is drawn")
	}
}
