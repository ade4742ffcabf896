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
		"size": result.Size, "seconds": seconds, "spread": spread, "name": name, "rate": func(s result.Spread) string {
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
		{result.Gang, "Starting a gang", "From the gang's grant until its last executor has joined. The bare engine is timed until it has started every container."},
	} {
		if g := r.Groups(w.workload); len(g) > 0 {
			list = append(list, section{Title: w.title, Text: w.text, Groups: g,
				Plots: []template.HTML{bars("Wall time, seconds", rows(g, func(g result.Group) result.Spread { return g.Wall }))}})
		}
	}
	return list
}

func wordCount(groups []result.Group, bytes int64) section {
	s := section{Title: "Word count of " + result.Size(bytes), Groups: groups, Rates: true,
		Text: "From command to result on disk, host and JVM starts included. Every run gave the same counts."}
	if single, ok := result.Fastest(groups, result.Single, bytes); ok {
		s.Base, s.Factor, s.BaseName = single.Wall.Median, true, result.Single
	}
	byWall := slices.Clone(groups)
	slices.SortStableFunc(byWall, func(a, b result.Group) int { return cmp.Compare(a.Wall.Median, b.Wall.Median) })
	s.Plots = append(s.Plots, bars("Wall time, seconds", rows(byWall, func(g result.Group) result.Spread { return g.Wall })))
	s.Plots = append(s.Plots, bars("MB/s per core: input over the CPU time of all processes, the user's script taken off",
		rows(groups, func(g result.Group) result.Spread { return g.Rate })))
	ours := slices.DeleteFunc(slices.Clone(groups), func(g result.Group) bool { return g.Executors == 0 })
	if len(ours) > 0 {
		s.Plots = append(s.Plots, bars("MB/s per core: input over the CPU time of the executors, the user's script taken off",
			rows(ours, func(g result.Group) result.Spread { return g.WorkerRate })))
	}
	if p := cost(groups); p != "" {
		s.Plots = append(s.Plots, p)
	}
	return s
}

func rows(groups []result.Group, figure func(result.Group) result.Spread) []row {
	var list []row
	for _, g := range groups {
		list = append(list, row{name(g.Key), figure(g), g.Executors > 0 && g.Series != result.BareStart})
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

func seconds(v float64) string { return fmt.Sprintf("%.3g", v) }

func spread(s result.Spread) string {
	if s.Most == 0 {
		return ""
	}
	return fmt.Sprintf("%.3g (%.3g to %.3g)", s.Median, s.Least, s.Most)
}
