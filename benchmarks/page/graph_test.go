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
				steps = append(steps, graph.Step{Incarnation: incarnation, Number: n + 1, Rank: rank, Compute: 4e6, Send: 1e6, Wait: 2e6, Checkpoint: 1e6})
			}
		}
	}
	r := &result.Result{Steps: steps, Samples: []result.Sample{{Key: result.Key{Workload: result.Graph, Series: "pagerank, capstan", Executors: 2, Scale: 20},
		Wall: 5, Loop: 2, Edges: 4e9}}}
	doc, err := Render(r)
	if err != nil {
		t.Fatal(err)
	}
	page := string(doc)
	if got := strings.Count(page, "<title>superstep "); got != mostSteps*2*len(phases) {
		t.Errorf("%d parts of bars, want %d", got, mostSteps*2*len(phases))
	}
	for _, want := range []string{"superstep 50, rank 1: checkpoint 1ms", "superstep 11, rank 0: compute 4ms", "barrier wait", "Graph, scale 20: pagerank", ">1000<"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if strings.Contains(page, "superstep 10, ") {
		t.Error("a superstep before the last forty is drawn")
	}
}
