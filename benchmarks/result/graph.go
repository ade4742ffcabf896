package result

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Scales are those of the graphs that were run on, smallest first; 0 is none.
func (r *Result) Scales() []int {
	var list []int
	for _, s := range r.Samples {
		if s.Workload == Graph {
			list = append(list, s.Scale)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// judgeGraph holds the graph workload against its goals, scale by scale.
func (r *Result) judgeGraph() []Verdict {
	var v []Verdict
	groups := r.Groups(Graph)
	for _, scale := range r.Scales() {
		of := slices.DeleteFunc(slices.Clone(groups), func(g Group) bool { return g.Scale != scale })
		v = append(v, judgeRates(of, scale)...)
		for _, algorithm := range []string{"pagerank", "wcc", "sssp", "bfs", "cdlp", "lcc"} {
			v = append(v, judgeAlgorithm(of, algorithm, scale)...)
		}
		v = append(v, judgeSupersteps(of, scale)...)
	}
	return v
}

// theirs is the group of a series with the quickest median.
func theirs(groups []Group, algorithm, who string) (Group, bool) {
	return Fastest(groups, GraphSeries(algorithm, who), 0)
}

func judgeRates(groups []Group, scale int) []Verdict {
	var v []Verdict
	for _, way := range []struct {
		algorithm, name string
		goal            float64
	}{{"pagerank", "a declared kernel", 250}, {"compute", "Compute", 60}} {
		algorithm, goal := way.algorithm, way.goal
		best := 0.0
		for _, g := range groups {
			if g.Series == GraphSeries(algorithm, GraphKernel) && g.Executors >= 2 {
				best = max(best, g.EdgeRate.Median)
			}
		}
		if best == 0 {
			continue
		}
		v = append(v, Verdict{fmt.Sprintf("PageRank by %s, scale %d, the iterations", way.name, scale),
			fmt.Sprintf("≥ %.0f M edges/s per core", goal), fmt.Sprintf("%.0f M edges/s per core", best), best >= goal})
		if cpp, ok := theirs(groups, algorithm, CPP); ok && !cpp.Late {
			ratio := best / cpp.EdgeRate.Median
			v = append(v, Verdict{fmt.Sprintf("The same against C++, two threads, scale %d", scale), "≥ 0.6×", fmt.Sprintf("%.2f×", ratio), ratio >= 0.6})
		}
	}
	return v
}

func judgeAlgorithm(groups []Group, algorithm string, scale int) []Verdict {
	ours, ok := theirs(groups, algorithm, GraphKernel)
	if !ok {
		return nil
	}
	var v []Verdict
	if spark, ok := theirs(groups, algorithm, SparkGraph); ok {
		v = judgeGraphX(ours, spark, algorithm, scale)
	}
	single, ok := theirs(groups, algorithm, Single)
	if !ok || single.Late {
		return v
	}
	cost := math.MaxInt
	for _, g := range groups {
		if g.Series == GraphSeries(algorithm, GraphKernel) && g.Launcher == ours.Launcher && g.Loop.Median < single.Loop.Median && g.Loop.Median > 0 {
			cost = min(cost, g.Executors)
		}
	}
	measured := "none of those tried"
	if cost < math.MaxInt {
		measured = fmt.Sprintf("%d executors", cost)
	}
	return append(v, Verdict{fmt.Sprintf("Executors whose loop beats one thread of Go's, %s, scale %d", algorithm, scale), "≤ 2", measured, cost <= 2})
}

// judgeGraphX holds the ratios of GraphX's times to ours against the goal, which is
// of whole jobs; of the rest of the ratios the start of Spark is no part. Of a run
// that was given up the ratio is a bound.
func judgeGraphX(ours, spark Group, algorithm string, scale int) []Verdict {
	goal := 10.0
	if algorithm == "pagerank" {
		goal = 20
	}
	verdict := func(what, bound string, ratio float64) Verdict {
		return Verdict{fmt.Sprintf("%s of GraphX over ours, %s, scale %d", what, algorithm, scale), fmt.Sprintf("≥ %.0f×", goal),
			fmt.Sprintf("%s%.1f×", bound, ratio), ratio >= goal}
	}
	ratio := spark.Wall.Median / ours.Wall.Median
	if spark.Late {
		return []Verdict{verdict("Wall time", "> ", ratio)}
	}
	return []Verdict{verdict("Wall time", "", ratio), verdict("Loading and loop", "", spark.Work.Median/ours.Work.Median),
		verdict("Loop", "", spark.Loop.Median/ours.Loop.Median)}
}

// judgeSupersteps holds what supersteps, checkpoints, losses and little memory
// cost against their goals.
func judgeSupersteps(groups []Group, scale int) []Verdict {
	var v []Verdict
	against := func(what, series, base string, figure func(Group) Spread, goal float64) {
		for _, g := range groups {
			for _, b := range groups {
				if g.Series == GraphSeries("pagerank", series) && b.Series == GraphSeries("pagerank", base) && g.Launcher == b.Launcher {
					ratio := figure(g).Median / figure(b).Median
					v = append(v, Verdict{fmt.Sprintf("%s, scale %d, %s", what, scale, g.Launcher), fmt.Sprintf("≤ %.1f×", goal), fmt.Sprintf("%.2f×", ratio), ratio <= goal})
				}
			}
		}
	}
	for _, g := range groups {
		if g.Series == EmptySteps && g.Executors == 8 {
			v = append(v, Verdict{"Empty superstep of 8 executors, " + g.Launcher, "≤ 200 µs", fmt.Sprintf("%.0f µs", g.Wall.Median*1e6), g.Wall.Median <= 200e-6})
		}
		if g.Series == GraphSeries("pagerank", GraphKilled) {
			v = append(v, Verdict{fmt.Sprintf("Executor killed until supersteps go on, scale %d, %s", scale, g.Launcher), "≤ 3 s", fmt.Sprintf("%.2f s", g.Wall.Median), g.Wall.Median <= 3})
		}
	}
	against("Iterations with a checkpoint each 5 against none", Checkpointed, NoCheckpoint, func(g Group) Spread { return g.Loop }, 1.1)
	against("PageRank in a third of its memory", GraphThird, GraphAmple, func(g Group) Spread { return g.Wall }, 4)
	return append(v, judgeMemory(groups, scale)...)
}

// judgeMemory holds the memory at rest against its goal, and names the algorithms
// whose answers were held against NetworkX's.
func judgeMemory(groups []Group, scale int) []Verdict {
	var v []Verdict
	var same []string
	for _, g := range groups {
		if g.Held.Most > 0 {
			v = append(v, Verdict{fmt.Sprintf("Memory of PageRank at rest, an edge, scale %d, %s", scale, g.Launcher), "≤ 10 bytes",
				fmt.Sprintf("%.2f bytes, %.2f of them in arrays", g.Held.Median, g.Arrays.Median), g.Held.Median <= 10})
		}
		if algorithm, ok := strings.CutSuffix(g.Series, ", "+GraphAnswers); ok && !slices.Contains(same, algorithm) {
			same = append(same, algorithm)
		}
	}
	if len(same) == 0 {
		return v
	}
	return append(v, Verdict{fmt.Sprintf("Answers are NetworkX's, scale %d", scale), "all", strings.Join(same, ", "), true})
}
