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
		"size": result.Size, "spread": spread, "name": name, "rate": func(s result.Spread) string {
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
		{result.Gang, "Starting a gang", "From the gang's grant until its last executor has joined. The bare engine is timed until it has started every container."},
	} {
		if g := r.Groups(w.workload); len(g) > 0 {
			list = append(list, section{Title: w.title, Text: w.text, Groups: g,
				Plots: []template.HTML{bars(wallTitle, rows(g, func(g result.Group) result.Spread { return g.Wall }))}})
		}
	}
	return append(list, dataPlane(r)...)
}

// dataPlane is the sections of the libraries that carry data.
func dataPlane(r *result.Result) []section {
	var list []section
	wall := func(g result.Group) result.Spread { return g.Wall }
	if g := r.Groups(result.Exchange); len(g) > 0 {
		list = append(list, section{Title: "Local exchange", Groups: g, Rates: true,
			Text: "Rows of 100 bytes scattered into partitions, written, opened, verified and read, beside the bare operations they cannot do without.",
			Plots: []template.HTML{bars("MB per CPU-second, longer is better",
				ranked(g, func(g result.Group) result.Spread { return g.Rate }, -1))}})
	}
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
		list = append(list, row{name(g.Key), figure(g), g.Ours()})
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

func spread(s result.Spread) string {
	if s.Most == 0 {
		return ""
	}
	if s.Most < 1e-3 {
		return fmt.Sprintf("%s (%s to %s) µs", figure(s.Median*1e6), figure(s.Least*1e6), figure(s.Most*1e6))
	}
	return fmt.Sprintf("%s (%s to %s)", figure(s.Median), figure(s.Least), figure(s.Most))
}
