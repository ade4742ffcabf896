package page

import (
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"

	"github.com/capstan-run/capstan/benchmarks/graph"
	"github.com/capstan-run/capstan/benchmarks/result"
)

// graphs is the sections of the graph workload: one for each algorithm and
// scale, one of what supersteps cost, and the chart of a job's supersteps.
func graphs(r *result.Result) []section {
	var list []section
	all := r.Groups(result.Graph)
	for _, scale := range r.Scales() {
		for _, algorithm := range graph.Algorithms() {
			g := slices.DeleteFunc(slices.Clone(all), func(g result.Group) bool {
				return g.Scale != scale || g.Loop.Most == 0 && !g.Late || !strings.HasPrefix(g.Series, algorithm+", ")
			})
			if len(g) == 0 {
				continue
			}
			ended := slices.DeleteFunc(slices.Clone(g), func(g result.Group) bool { return g.Late })
			list = append(list, section{Title: fmt.Sprintf("Graph, scale %d: %s", scale, algorithm), Groups: g, Looped: true,
				Text: "From command to result, host and JVM starts included, and of that the loop alone with the graph in memory. Every run gave the same answer, within the tolerances of LDBC Graphalytics. One that took longer than the harness waits was given up.",
				Plots: []template.HTML{
					bars(wallTitle, ranked(g, func(g result.Group) result.Spread { return g.Wall }, 1)),
					bars("Loop in seconds, shorter is better", ranked(ended, func(g result.Group) result.Spread { return g.Loop }, 1))}})
		}
	}
	list = append(list, memory(all)...)
	g := slices.DeleteFunc(slices.Clone(all), func(g result.Group) bool { return g.Loop.Most > 0 || g.Late || g.Held.Most > 0 })
	if len(g) > 0 {
		s := section{Title: "Supersteps", Groups: g,
			Text: "An empty superstep is the mean over a job of 20,000. After a kill, the time from the last superstep before it to the first after it; the answer is the same."}
		for _, empty := range []bool{true, false} {
			some := slices.DeleteFunc(slices.Clone(g), func(g result.Group) bool { return (g.Series == result.EmptySteps) != empty })
			if len(some) > 0 {
				s.Plots = append(s.Plots, bars(wallTitle, rows(some, func(g result.Group) result.Spread { return g.Wall })))
			}
		}
		list = append(list, s)
	}
	if plot := supersteps("Milliseconds of each superstep", r.Steps); plot != "" {
		list = append(list, section{Title: "A job's supersteps", Plots: []template.HTML{plot, supersteps("Without the load of the graph", looping(r.Steps))},
			Text: "The first job of the graph workload with most executors: what each rank did in each superstep."})
	}
	return list
}

// memory is the section of what executors hold at rest, if that was measured.
func memory(all []result.Group) []section {
	g := slices.DeleteFunc(slices.Clone(all), func(g result.Group) bool { return g.Held.Most == 0 })
	if len(g) == 0 {
		return nil
	}
	return []section{{Title: "Memory at rest", Groups: g, Resting: true,
		Text:  "Between two supersteps of PageRank: what the executors' processes hold of the machine's memory, by the kernel's account and after a collection of garbage, beyond what they held before they read the graph, over the edges stored. An undirected edge is stored twice.",
		Plots: []template.HTML{bars("Bytes an edge, shorter is better", rows(g, func(g result.Group) result.Spread { return g.Held }))}}}
}

// looping is the supersteps that do not load the graph, if any do.
func looping(steps []graph.Step) []graph.Step {
	all := lastOf(steps)
	some := slices.DeleteFunc(slices.Clone(all), func(s graph.Step) bool { return s.Loading })
	if len(some) == len(all) {
		return nil
	}
	return some
}

func edgeRate(s result.Spread) string {
	if s.Most == 0 {
		return ""
	}
	return figure(s.Median)
}

// phases are the parts of a superstep, in the order in which they are drawn.
var phases = []struct {
	name string
	of   func(graph.Step) time.Duration
}{
	{"compute", func(s graph.Step) time.Duration { return s.Compute }},
	{"send", func(s graph.Step) time.Duration { return s.Send }},
	{"barrier wait", func(s graph.Step) time.Duration { return s.Wait }},
	{"checkpoint", func(s graph.Step) time.Duration { return s.Checkpoint }},
}

// mostSteps is how many supersteps a chart shows: the last ones.
const mostSteps = 40

// supersteps draws a bar for each rank and superstep of a job's last
// incarnation, parted into phases, superstep after superstep.
func supersteps(title string, steps []graph.Step) template.HTML {
	steps = lastOf(steps)
	if len(steps) == 0 {
		return ""
	}
	ranks, most := 0, time.Duration(0)
	for _, s := range steps {
		ranks, most = max(ranks, s.Rank+1), max(most, s.Whole())
	}
	first, last := steps[0].Number, steps[len(steps)-1].Number
	const height, left, right = 240.0, 60.0, 10.0
	ticks := scale(most.Seconds() * 1e3)
	top := ticks[len(ticks)-1]
	y := func(d time.Duration) float64 { return topSpace + height - d.Seconds()*1e3/top*height }
	wide := (plotWidth - left - right) / float64(last-first+1)
	c := new(canvas)
	c.begin(fmt.Sprintf("%s, %d ranks side by side", title, ranks), height+topSpace+60)
	for _, v := range ticks {
		at := y(time.Duration(v * 1e6))
		c.line(left, at, plotWidth-right, at, "grid")
		c.text(left-6, at+4, "label", figure(v))
	}
	for _, s := range steps {
		bar := wide * 0.84 / float64(ranks)
		x := left + wide*float64(s.Number-first) + wide*0.08 + bar*float64(s.Rank)
		spent := time.Duration(0)
		for hue, p := range phases {
			part := p.of(s)
			c.add(`<rect x="%.1f" y="%.2f" width="%.2f" height="%.2f" class="dot c%d"><title>superstep %d, rank %d: %s %v</title></rect>`,
				x, y(spent+part), max(0.5, bar-0.5), y(spent)-y(spent+part), hue, s.Number, s.Rank, p.name, part)
			spent += part
		}
	}
	every := (last-first)/10 + 1
	for n := first; n <= last; n += every {
		c.text(left+wide*(float64(n-first)+0.5), topSpace+height+18, "tick", fmt.Sprint(n))
	}
	for hue, p := range phases {
		x := left + 130*float64(hue)
		c.add(`<rect x="%.1f" y="%.1f" width="11" height="11" class="dot c%d"/>`, x, topSpace+height+36, hue)
		c.text(x+17, topSpace+height+46, "value", p.name)
	}
	return c.end()
}

// lastOf is the last supersteps of the last incarnation.
func lastOf(steps []graph.Step) []graph.Step {
	if len(steps) == 0 {
		return nil
	}
	end := steps[len(steps)-1]
	return slices.DeleteFunc(slices.Clone(steps), func(s graph.Step) bool {
		return s.Incarnation != end.Incarnation || s.Number <= end.Number-mostSteps
	})
}
