package result

import "testing"

func TestJudgeGraph(t *testing.T) {
	sample := func(series string, executors int, wall, loop float64) Sample {
		s := Sample{Key: Key{Workload: Graph, Series: series, Executors: executors, Scale: 20}, Wall: wall, Loading: 1, Loop: loop, Edges: 1e9}
		if executors > 0 {
			s.Launcher = "process"
		}
		return s
	}
	r := &Result{Samples: []Sample{
		sample("pagerank, capstan", 1, 4, 3), sample("pagerank, capstan", 2, 3, 1.5),
		sample("pagerank, single-threaded Go", 0, 5, 2), sample("pagerank, GraphX", 0, 63, 30), sample("pagerank, C++, two threads", 0, 2, 1),
		sample("bfs, capstan", 2, 3, 3), sample("bfs, single-threaded Go", 0, 5, 2), sample("bfs, GraphX", 0, 27, 9),
		{Key: Key{Workload: Graph, Series: "lcc, GraphX", Scale: 20}, Wall: 600, Late: true}, sample("lcc, capstan", 2, 40, 30),
		{Key: Key{Workload: Graph, Series: "pagerank, " + GraphAtRest, Launcher: "process", Executors: 2, Scale: 20}, Held: 1000, Arrays: 500, Stored: 80},
		sample("scc directed, "+GraphAnswers, 2, 1, 1), sample("mst, "+GraphAnswers, 2, 1, 1),
		sample("pagerank, "+GraphKilled, 2, 3.5, 0), sample("pagerank, "+Checkpointed, 2, 3, 10.5), sample("pagerank, "+NoCheckpoint, 2, 3, 10),
	}}
	want := map[string]struct {
		measured string
		kept     bool
	}{
		"PageRank by a declared kernel, scale 20, the iterations":             {"333 M edges/s per core", true},
		"The same against C++, two threads, scale 20":                         {"0.67×", true},
		"Wall time of GraphX over ours, pagerank, scale 20":                   {"21.0×", true},
		"Executors whose loop beats one thread of Go's, pagerank, scale 20":   {"2 executors", true},
		"Wall time of GraphX over ours, bfs, scale 20":                        {"9.0×", false},
		"Executors whose loop beats one thread of Go's, bfs, scale 20":        {"none of those tried", false},
		"Loop of GraphX over ours, pagerank, scale 20":                        {"20.0×", true},
		"Loading and loop of GraphX over ours, pagerank, scale 20":            {"12.4×", false},
		"Loading and loop of GraphX over ours, bfs, scale 20":                 {"2.5×", false},
		"Loop of GraphX over ours, bfs, scale 20":                             {"3.0×", false},
		"Wall time of GraphX over ours, lcc, scale 20":                        {"> 15.0×", true},
		"Memory of PageRank at rest, an edge, scale 20, process":              {"12.50 bytes, 6.25 of them in arrays", false},
		"Answers are NetworkX's, scale 20":                                    {"scc directed, mst", true},
		"Executor killed until supersteps go on, scale 20, process":           {"3.50 s", false},
		"Iterations with a checkpoint each 5 against none, scale 20, process": {"1.05×", true},
	}
	verdicts := r.Judge()
	if len(verdicts) != len(want) {
		t.Errorf("%d verdicts, want %d", len(verdicts), len(want))
	}
	for _, v := range verdicts {
		if w := want[v.What]; v.Measured != w.measured || v.Kept != w.kept {
			t.Errorf("%s: %s, kept %t; want %s, %t", v.What, v.Measured, v.Kept, w.measured, w.kept)
		}
	}
}
