package result

import (
	"cmp"
	"slices"
)

// Spread is what several runs gave.
type Spread struct{ Least, Median, Most float64 }

// Of sums up values; the zero Spread for none.
func Of(values []float64) Spread {
	v := slices.Sorted(slices.Values(values))
	n := len(v)
	if n == 0 {
		return Spread{}
	}
	return Spread{v[0], (v[(n-1)/2] + v[n/2]) / 2, v[n-1]}
}

// Group sums up the samples of one key.
type Group struct {
	Key
	Runs       int
	Wall       Spread
	CPU        Spread
	Rate       Spread // MB/s per core, all processes
	WorkerRate Spread // MB/s per core, executors only; zero for peers
	Load       Spread
	Loop       Spread // seconds in a graph's algorithm
	Work       Spread // seconds in which its graph was loaded, and in those
	EdgeRate   Spread // 10^6 edges per second of those, and core
	Late       bool   // a run was given up
	Held       Spread // bytes an edge at rest
	Arrays     Spread // of those, in arrays
	Count      Spread // of what was counted instead of timed,
	Limit      float64
}

// Summarise groups samples by key, in the order in which keys first appear.
func Summarise(samples []Sample) []Group {
	byKey := map[Key][]Sample{}
	var order []Key
	for _, s := range samples {
		if byKey[s.Key] == nil {
			order = append(order, s.Key)
		}
		byKey[s.Key] = append(byKey[s.Key], s)
	}
	groups := make([]Group, len(order))
	for i, k := range order {
		set := byKey[k]
		groups[i] = Group{Key: k, Runs: len(set),
			Wall:       of(set, func(s Sample) float64 { return s.Wall }),
			CPU:        of(set, func(s Sample) float64 { return s.CPU }),
			Rate:       of(set, Sample.Rate),
			WorkerRate: of(set, Sample.WorkerRate),
			Load:       of(set, func(s Sample) float64 { return s.Load }),
			Loop:       of(set, func(s Sample) float64 { return s.Loop }),
			Work:       of(set, func(s Sample) float64 { return s.Loading + s.Loop }),
			EdgeRate:   of(set, Sample.EdgeRate),
			Late:       slices.ContainsFunc(set, func(s Sample) bool { return s.Late }),
			Held:       of(set, Sample.HeldPerEdge),
			Arrays:     of(set, Sample.ArraysPerEdge),
			Count:      of(set, func(s Sample) float64 { return s.Count }),
			Limit:      set[0].Limit,
		}
	}
	return groups
}

func of(set []Sample, figure func(Sample) float64) Spread {
	values := make([]float64, len(set))
	for i, s := range set {
		values[i] = figure(s)
	}
	return Of(values)
}

// Groups are those of a workload.
func (r *Result) Groups(workload string) []Group {
	return slices.DeleteFunc(Summarise(r.Samples), func(g Group) bool { return g.Workload != workload })
}

// Sizes are the amounts of input a workload ran over, smallest first.
func (r *Result) Sizes(workload string) []int64 {
	var sizes []int64
	for _, s := range r.Samples {
		if s.Workload == workload {
			sizes = append(sizes, s.Bytes)
		}
	}
	slices.Sort(sizes)
	return slices.Compact(sizes)
}

// Fastest is the group of a series and size with the smallest median wall
// time, over launchers and numbers of executors.
func Fastest(groups []Group, series string, bytes int64) (Group, bool) {
	of := slices.DeleteFunc(slices.Clone(groups), func(g Group) bool { return g.Series != series || g.Bytes != bytes })
	if len(of) == 0 {
		return Group{}, false
	}
	return slices.MinFunc(of, func(a, b Group) int { return cmp.Compare(a.Wall.Median, b.Wall.Median) }), true
}

// Cost is the smallest number of executors with which a series of ours is
// quicker than the single-threaded program; 0 if none of those tried.
func Cost(groups []Group, series, launcher string, bytes int64) int {
	single, ok := Fastest(groups, Single, bytes)
	if !ok {
		return 0
	}
	best := 0
	for _, g := range groups {
		if g.Series == series && g.Launcher == launcher && g.Bytes == bytes && g.Wall.Median < single.Wall.Median &&
			(best == 0 || g.Executors < best) {
			best = g.Executors
		}
	}
	return best
}
