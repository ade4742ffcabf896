package result

import (
	"fmt"
	"slices"
)

// Verdict holds a figure against its goal.
type Verdict struct {
	What     string
	Goal     string
	Measured string
	Kept     bool
}

// Judge holds what was measured against the project's goals. A goal whose
// figures were not taken is not mentioned.
func (r *Result) Judge() []Verdict {
	var v []Verdict
	if sizes := r.Sizes(WordCount); len(sizes) > 0 {
		v = append(v, judgeWordCount(r.Groups(WordCount), slices.Max(sizes))...)
	}
	v = append(v, judgeLatency(r.Groups(Latency))...)
	v = append(v, judgeFiles(r.Groups(Files))...)
	v = append(v, judgeGang(r.Groups(Gang))...)
	v = append(v, r.judgeExchange()...)
	v = append(v, r.judgeStore()...)
	v = append(v, r.judgeMesh()...)
	v = append(v, judgeSort(r.Groups(TeraSort), r.Sizes(TeraSort))...)
	v = append(v, r.judgeSkew()...)
	v = append(v, r.judgeKill()...)
	return append(v, r.judgeGraph()...)
}

func judgeSort(groups []Group, sizes []int64) []Verdict {
	var v []Verdict
	for _, bytes := range sizes {
		ours, ok := Fastest(groups, Sort, bytes)
		if !ok {
			continue
		}
		v = append(v, Verdict{"TeraSort of " + Size(bytes) + ", executors' CPU", "≥ 150 MB/s per core",
			fmt.Sprintf("%.0f MB/s per core", ours.WorkerRate.Median), ours.WorkerRate.Median >= 150})
		if theirs, ok := Fastest(groups, SparkSort, bytes); ok {
			ratio := theirs.Wall.Median / ours.Wall.Median
			v = append(v, Verdict{"Wall time of Spark's sort, its start not counted, over ours, " + Size(bytes), "≥ 3×",
				fmt.Sprintf("%.1f×", ratio), ratio >= 3})
		}
	}
	return v
}

func judgeWordCount(groups []Group, bytes int64) []Verdict {
	var v []Verdict
	size := Size(bytes)
	perCore := func(series, what string, goal float64) {
		best := 0.0
		for _, g := range groups {
			if g.Series == series && g.Bytes == bytes {
				best = max(best, g.WorkerRate.Median)
			}
		}
		if best > 0 {
			v = append(v, Verdict{"Word count of " + size + ", " + what + ", executors' CPU", fmt.Sprintf("≥ %.0f MB/s per core", goal),
				fmt.Sprintf("%.0f MB/s per core", best), best >= goal})
		}
	}
	perCore(BuiltIn, "built-in", 150)
	perCore(Lines, "lines, script taken off", 80)
	ours, ok := Fastest(groups, BuiltIn, bytes)
	if !ok {
		return v
	}
	for _, series := range []string{SparkRDD, SparkSQL} {
		if theirs, ok := Fastest(groups, series, bytes); ok {
			ratio := theirs.Wall.Median / ours.Wall.Median
			v = append(v, Verdict{"Wall time of " + series + " over the built-in's, " + size, "≥ 10×", fmt.Sprintf("%.1f×", ratio), ratio >= 10})
		}
	}
	if _, ok := Fastest(groups, Single, bytes); ok {
		cost := Cost(groups, BuiltIn, ours.Launcher, bytes)
		said := fmt.Sprintf("with %d", cost)
		if cost == 0 {
			said = "with none of the numbers tried"
		}
		v = append(v, Verdict{"Executors to pass the single-threaded program, " + size, "≤ 2", said, cost > 0 && cost <= 2})
	}
	return v
}

func judgeLatency(groups []Group) []Verdict {
	var v []Verdict
	for _, g := range groups {
		goal := map[string]float64{WarmJob: 0.3, FirstJob: 3}[g.Series]
		if goal > 0 {
			v = append(v, Verdict{g.Series + ", " + Size(g.Bytes) + ", " + g.Launcher, fmt.Sprintf("≤ %g s", goal),
				fmt.Sprintf("%.2f s", g.Wall.Median), g.Wall.Median <= goal})
		}
	}
	return v
}

func judgeFiles(groups []Group) []Verdict {
	var v []Verdict
	for _, many := range groups {
		for _, one := range groups {
			if many.Series == ManyFiles && one.Series == OneFile && one.Launcher == many.Launcher && one.Bytes == many.Bytes {
				ratio := many.Wall.Median / one.Wall.Median
				v = append(v, Verdict{"Many files against the same bytes in one, " + Size(many.Bytes) + ", " + many.Launcher, "≤ 2×",
					fmt.Sprintf("%.2f×", ratio), ratio <= 2})
			}
		}
	}
	return v
}

func judgeGang(groups []Group) []Verdict {
	var v []Verdict
	for _, g := range groups {
		switch g.Series {
		case WarmGang:
			v = append(v, Verdict{fmt.Sprintf("Warm gang of %d, %s", g.Executors, g.Launcher), "≤ 100 ms",
				fmt.Sprintf("%.0f ms", g.Wall.Median*1e3), g.Wall.Median <= 0.1})
		case ColdGang:
			for _, bare := range groups {
				if bare.Series == BareStart && bare.Executors == g.Executors && g.Launcher == "docker" {
					ratio := g.Wall.Median / bare.Wall.Median
					v = append(v, Verdict{fmt.Sprintf("Cold gang of %d against the bare engine", g.Executors), "≤ 1.3×",
						fmt.Sprintf("%.2f×", ratio), ratio <= 1.3})
				}
			}
		}
	}
	return v
}

// Size writes an amount for people: "1 GB", "90 MB".
func Size(n int64) string {
	f := float64(n)
	for _, u := range []string{"B", "kB", "MB", "GB"} {
		if f < 999.5 { // above, three digits are 1,000
			return fmt.Sprintf("%.3g %s", f, u)
		}
		f /= 1000
	}
	return fmt.Sprintf("%.3g TB", f)
}
