package benchmarks

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/capstan-run/capstan/benchmarks/graph"
	"github.com/capstan-run/capstan/benchmarks/result"
)

func onSmallGraph(t *testing.T) Config {
	binary, root := built(t)
	return Config{Capstan: binary, Version: "test", Module: root, Cache: t.TempDir(), Workloads: []string{result.Graph},
		Launchers: []string{"process"}, Executors: []int{2}, Repeat: 1, Peers: []string{"single"}, Log: t.Output(),
		Graph: GraphConfig{Scales: []int{8}, Algorithms: graph.Algorithms(), Parts: []string{"tables"}, Patience: time.Minute}}
}

// Run ends with an error unless every answer is that of one thread.
func TestRunGraphAlgorithms(t *testing.T) {
	r, err := Run(t.Context(), onSmallGraph(t))
	if err != nil {
		t.Fatal(err)
	}
	if want := 2*len(graph.Algorithms()) - 1; len(r.Samples) != want {
		t.Errorf("%d samples, want %d", len(r.Samples), want)
	}
	for _, s := range r.Samples {
		if strings.HasPrefix(s.Series, graph.PageRank) && s.Loop <= 0 {
			t.Errorf("%s has no loop: %+v", s.Series, s)
		}
	}
	ranks := map[int]bool{}
	for _, s := range r.Steps {
		ranks[s.Rank] = true
	}
	if len(ranks) != 2 {
		t.Errorf("supersteps of %d ranks", len(ranks))
	}
}

func TestAlternateGoesOnAfterALatePeer(t *testing.T) {
	b := &bench{Config: Config{Repeat: 2, Log: t.Output()}, result: new(result.Result)}
	late := contender{result.Key{Workload: result.Graph, Series: "slow"}, func(context.Context, *result.Sample) error { return &lateError{600 * time.Second} }}
	fine := contender{result.Key{Workload: result.Graph, Series: "quick"}, func(_ context.Context, s *result.Sample) error { s.Wall = 1; return nil }}
	if err := b.alternate(t.Context(), []contender{late, fine}); err != nil {
		t.Fatal(err)
	}
	// It is not waited for again.
	if s := b.result.Samples; len(s) != 3 || !s[0].Late || s[0].Wall != 600 || s[1].Series != "quick" || s[2].Series != "quick" {
		t.Errorf("%+v", s)
	}
	if len(b.result.Notes) != 1 || !strings.Contains(b.result.Notes[0], "> 600 s") {
		t.Errorf("%q", b.result.Notes)
	}
}

// Run ends with an error unless all gangs give the one answer.
func TestRunGraphGangs(t *testing.T) {
	c := onSmallGraph(t)
	c.Graph.Algorithms, c.Graph.Parts, c.Peers = []string{graph.SSSP}, []string{"gangs"}, nil
	r, err := Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	keys := map[result.Key]bool{}
	for _, s := range r.Samples {
		keys[s.Key] = true
	}
	if len(keys) != 5*3 || len(r.Samples) != len(keys) {
		t.Errorf("%d samples of %d gangs, want 15", len(r.Samples), len(keys))
	}
}
