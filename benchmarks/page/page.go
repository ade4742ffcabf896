package page

import (
	"bytes"
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"slices"
	"strings"

	"github.com/capstan-run/capstan/benchmarks/result"
)

//go:embed page.html
var source string

// Render makes the page of r.
func Render(r *result.Result) ([]byte, error) {
	t, err := template.New("page").Funcs(template.FuncMap{
		"size": result.Size, "edges": edgeRate, "spread": spread, "wall": wall, "name": name, "bytes": func(s result.Spread) string { return fmt.Sprintf("%.2f", s.Median) }, "rate": func(s result.Spread) string {
			if s.Most == 0 {
				return ""
			}
			return fmt.Sprintf("%.0f", s.Median)
		},
	}).Parse(source)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = t.Execute(&b, struct {
		*result.Result
		Verdicts []result.Verdict
		Sections []section
		Hues     []int
	}{r, r.Judge(), sections(r), []int{0, 1, 2, 3, 4, 5}})
	return b.Bytes(), err
}

// section is a part of the page: plots, and the table behind them.
type section struct {
	Title, Text string
	Plots       []template.HTML
	Groups      []result.Group
	Rates       bool // the table shows CPU time and rates
	Counts      bool // the table shows counts and limits
	Sized       bool // the table shows sizes
	Looped      bool // the table shows loops and edges
	Resting     bool // the table shows bytes an edge
	Factor      bool // the table shows wall times as multiples of Base
	Base        float64
	BaseName    string
}

// Multiple is a group's wall time as a multiple of the base.
func (s section) Multiple(g result.Group) string {
	if s.Base == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f×", g.Wall.Median/s.Base)
}

func sections(r *result.Result) []section {
	var list []section
	groups := r.Groups(result.WordCount)
	sizes := r.Sizes(result.WordCount)
	slices.Reverse(sizes)
	for _, bytes := range sizes {
		list = append(list, wordCount(slices.DeleteFunc(slices.Clone(groups), func(g result.Group) bool { return g.Bytes != bytes }), bytes))
	}
	for _, w := range []struct{ workload, title, text string }{
		{result.Latency, "Latency of a small job", "From command to result. The first job starts a host for the occasion, from an empty state directory; the warm host has run a job of this shape before."},
		{result.Files, "Many small files", "The same bytes in many files and in one, each with a host started for the occasion."},
		{result.TeraSort, "Sorting records of 100 bytes", "From command to result on disk, the host's start included; of Spark the sort alone, without its start. Every run's output was in order, with the sum of the input."},
		{result.Skew, "Sums of skewed keys", "From command to result, the host's start included. Half of all rows are of one key, or of one group of keys that go to one partition, against as many rows of as many keys drawn evenly. Every run gave the right sums."},
		{result.Kill, "One executor killed", "A sort on a running host, from command to result. One process of the gang is killed when half the tasks of a stage are done; the output of every run is the same, byte by byte."},
		{result.Gang, "Starting a gang", "From the gang's grant until its last executor has joined. The bare engine is timed until it has started every container."},
	} {
		if g := r.Groups(w.workload); len(g) > 0 {
			list = append(list, section{Title: w.title, Text: w.text, Groups: g,
				Plots: []template.HTML{bars(wallTitle, rows(g, func(g result.Group) result.Spread { return g.Wall }))}})
		}
	}
	list = append(list, graphs(r)...)
	return append(list, dataPlane(r)...)
}

// dataPlane is the sections of the libraries that carry data.
func dataPlane(r *result.Result) []section {
	var list []section
	wall := func(g result.Group) result.Spread { return g.Wall }
	list = append(list, exchange(r)...)
	if g := r.Groups(result.Store); len(g) > 0 {
		list = append(list, section{Title: "Store", Groups: g,
			Text:  "Objects of 64 MiB, four at once, against the embedded server: by minio-go alone, by the store's client, and through an attempt's gate.",
			Plots: []template.HTML{bars("Seconds for 64 MiB, shorter is better", rows(g, wall))}})
	}
	for _, bytes := range r.Sizes(result.Mesh) {
		g := slices.DeleteFunc(r.Groups(result.Mesh), func(g result.Group) bool { return g.Bytes != bytes })
		list = append(list, section{Title: "Mesh, messages of " + result.Size(bytes), Groups: g,
			Text:  "Round trips between two processes over shared memory; over TCP, messages one after the other.",
			Plots: []template.HTML{bars(wallTitle, rows(g, wall))}})
	}
	return list
}

// exchange is the sections of the exchange: what was measured in CPU time, in
// wall time, and counted, and the sweep.
func exchange(r *result.Result) []section {
	var list []section
	all := r.Groups(result.Exchange)
	only := func(keep func(result.Group) bool) []result.Group {
		return slices.DeleteFunc(slices.Clone(all), func(g result.Group) bool { return !keep(g) })
	}
	if g := only(func(g result.Group) bool { return g.Rate.Most > 0 }); len(g) > 0 {
		list = append(list, section{Title: "Local exchange", Groups: g, Rates: true,
			Text: "Rows of 100 bytes scattered into partitions, written, opened, verified and read, beside the bare operations they cannot do without.",
			Plots: []template.HTML{bars("MB per CPU-second, longer is better",
				ranked(g, func(g result.Group) result.Spread { return g.Rate }, -1))}})
	}
	for _, bytes := range r.Sizes(result.Exchange) {
		g := only(func(g result.Group) bool { return g.Bytes == bytes && g.Rate.Most == 0 && g.Wall.Most > 0 })
		if len(g) > 0 {
			list = append(list, section{Title: "Exchange of " + result.Size(bytes) + " by the disk and against Spark", Groups: g,
				Text:  "Beyond its budget of memory, synced and read back, beside direct I/O of the same bytes. The shuffles write the same records into 200 partitions and look at every record they read back, with as many threads; of Spark the fastest round in each way, its start not counted.",
				Plots: []template.HTML{bars(wallTitle, rows(g, func(g result.Group) result.Spread { return g.Wall }))}})
		}
	}
	if g := only(func(g result.Group) bool { return g.Limit > 0 }); len(g) > 0 {
		list = append(list, section{Title: "Requests of an exchange by way of the store", Groups: g, Counts: true,
			Text: "Each executor uploads the objects of a wave's tasks as one, and reads its neighbouring partitions of all of them."})
	}
	if g := r.Groups(result.Sweep); len(g) > 0 {
		list = append(list, section{Title: "Exchange over bytes, partitions, tiers and codecs", Groups: g, Rates: true, Sized: true,
			Text: "The same rows, in two rounds each."})
	}
	return list
}

func wordCount(groups []result.Group, bytes int64) section {
	s := section{Title: "Word count of " + result.Size(bytes), Groups: groups, Rates: true,
		Text: "From command to result on disk, host and JVM starts included. Every run gave the same counts."}
	if single, ok := result.Fastest(groups, result.Single, bytes); ok {
		s.Base, s.Factor, s.BaseName = single.Wall.Median, true, result.Single
	}
	s.Plots = append(s.Plots, bars(wallTitle, ranked(groups, func(g result.Group) result.Spread { return g.Wall }, 1)))
	s.Plots = append(s.Plots, bars("MB/s per core, longer is better: input over the CPU time of all processes, the user's script taken off",
		ranked(groups, func(g result.Group) result.Spread { return g.Rate }, -1)))
	ours := slices.DeleteFunc(slices.Clone(groups), func(g result.Group) bool { return g.Executors == 0 })
	if len(ours) > 0 {
		s.Plots = append(s.Plots, bars("MB/s per core, longer is better: input over the CPU time of the executors alone, the user's script taken off",
			ranked(ours, func(g result.Group) result.Spread { return g.WorkerRate }, -1)))
	}
	if p := cost(groups); p != "" {
		s.Plots = append(s.Plots, p)
	}
	return s
}

const wallTitle = "Wall time in seconds, shorter is better"

// ranked is rows, by rising medians if sign is 1 and by falling ones if -1.
func ranked(groups []result.Group, figure func(result.Group) result.Spread, sign int) []row {
	list := rows(groups, figure)
	slices.SortStableFunc(list, func(a, b row) int { return sign * cmp.Compare(a.spread.Median, b.spread.Median) })
	return list
}

func rows(groups []result.Group, figure func(result.Group) result.Spread) []row {
	var list []row
	for _, g := range groups {
		what := name(g.Key)
		if g.Late {
			what += ", given up"
		}
		list = append(list, row{what, figure(g), g.Ours()})
	}
	return list
}

// name is a key's name within a plot.
func name(k result.Key) string {
	if k.Launcher == "" {
		return k.Series
	}
	return fmt.Sprintf("%s, %s × %d", strings.TrimPrefix(k.Series, "capstan "), k.Launcher, k.Executors)
}

// figure writes a number with three digits, or all of those before the point.
func figure(v float64) string {
	if v >= 999.5 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3g", v)
}

// wall is a group's wall time; of one that was given up, what it took longer than.
func wall(g result.Group) string {
	if g.Late {
		return fmt.Sprintf("> %.0f", g.Wall.Least)
	}
	return spread(g.Wall)
}

func spread(s result.Spread) string {
	if s.Most == 0 {
		return ""
	}
	if s.Most < 1e-3 {
		return fmt.Sprintf("%s (%s to %s) µs", figure(s.Median*1e6), figure(s.Least*1e6), figure(s.Most*1e6))
	}
	return fmt.Sprintf("%s (%s to %s)", figure(s.Median), figure(s.Least), figure(s.Most))
}
