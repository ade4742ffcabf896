package page

import (
	"fmt"
	"html/template"
	"math"
	"slices"
	"strings"

	"github.com/capstan-run/capstan/benchmarks/result"
)

// Measures of a plot, in user units: pixels at full width.
const (
	plotWidth  = 860
	labelWidth = 270
	rightSpace = 70
	rowHeight  = 26
	topSpace   = 34
	axisSpace  = 30
)

// row is a bar: a name, its value, and whether it is one of ours.
type row struct {
	name   string
	spread result.Spread
	ours   bool
}

// canvas writes SVG.
type canvas struct{ strings.Builder }

func (c *canvas) add(format string, args ...any) { fmt.Fprintf(&c.Builder, format+"\n", args...) }

func (c *canvas) text(x, y float64, class, s string) {
	c.add(`<text x="%.1f" y="%.1f" class="%s">%s</text>`, x, y, class, template.HTMLEscapeString(s))
}

func (c *canvas) line(x1, y1, x2, y2 float64, class string) {
	c.add(`<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" class="%s"/>`, x1, y1, x2, y2, class)
}

func (c *canvas) begin(title string, height float64) {
	c.add(`<svg viewBox="0 0 %d %.0f" role="img" aria-label="%s">`, plotWidth, height, template.HTMLEscapeString(title))
	c.text(0, 16, "title", title)
}

// end closes the drawing. What stands in it was escaped as it was written.
func (c *canvas) end() template.HTML {
	c.add("</svg>")
	return template.HTML(c.String())
}

// bars draws a bar for each row, from the top down.
func bars(title string, rows []row) template.HTML {
	most := 0.0
	for _, r := range rows {
		most = max(most, r.spread.Most)
	}
	ticks := scale(most)
	top := ticks[len(ticks)-1]
	x := func(v float64) float64 { return labelWidth + v/top*(plotWidth-labelWidth-rightSpace) }
	bottom := float64(topSpace + rowHeight*len(rows))
	c := new(canvas)
	c.begin(title, bottom+axisSpace)
	for _, v := range ticks {
		c.line(x(v), topSpace-6, x(v), bottom, "grid")
		c.text(x(v), bottom+16, "tick", figure(v))
	}
	for i, r := range rows {
		y := float64(topSpace + rowHeight*i)
		class := "peer"
		if r.ours {
			class = "ours"
		}
		c.text(labelWidth-8, y+rowHeight*0.62, "label", r.name)
		c.add(`<rect x="%d" y="%.1f" width="%.1f" height="%d" class="%s"/>`, labelWidth, y+4, x(r.spread.Median)-labelWidth, rowHeight-8, class)
		c.whisker(x(r.spread.Least), x(r.spread.Most), y+rowHeight/2)
		c.text(x(r.spread.Most)+7, y+rowHeight*0.62, "value", figure(r.spread.Median))
	}
	return c.end()
}

func (c *canvas) whisker(from, to, y float64) {
	c.line(from, y, to, y, "whisker")
	c.line(from, y-4, from, y+4, "whisker")
	c.line(to, y-4, to, y+4, "whisker")
}

// cost draws wall time over the number of executors, with the peers as level
// lines: where a curve falls below a line it has passed that peer. Peers more
// than three times slower than everything of ours would flatten the rest: they
// stand in the title.
func cost(groups []result.Group) template.HTML {
	var counts []int
	most := 0.0
	for _, g := range groups {
		if g.Executors > 0 {
			counts = append(counts, g.Executors)
			most = max(most, g.Wall.Most)
		}
	}
	slices.Sort(counts)
	counts = slices.Compact(counts)
	title := "Wall time in seconds over the number of executors; dashed: peers"
	var peers []result.Group
	for _, g := range groups {
		switch {
		case g.Executors > 0:
		case g.Wall.Median <= 3*most:
			peers = append(peers, g)
		default:
			title += fmt.Sprintf("; beyond the plot: %s, %s s", g.Series, figure(g.Wall.Median))
		}
	}
	if len(counts) < 2 || len(peers) == 0 {
		return ""
	}
	for _, g := range peers {
		most = max(most, g.Wall.Median)
	}
	return drawCost(title, groups, peers, counts, scale(most))
}

func drawCost(title string, groups, peers []result.Group, counts []int, ticks []float64) template.HTML {
	const height, left, right = 320.0, 46.0, 270.0
	top := ticks[len(ticks)-1]
	y := func(v float64) float64 { return height - v/top*(height-topSpace) }
	x := func(i int) float64 { return left + (float64(i)+0.5)*(plotWidth-left-right)/float64(len(counts)) }
	c := new(canvas)
	c.begin(title, height+48)
	for _, v := range ticks {
		c.line(left, y(v), plotWidth-right, y(v), "grid")
		c.text(left-6, y(v)+4, "label", figure(v))
	}
	for i, n := range counts {
		c.text(x(i), height+18, "tick", fmt.Sprint(n))
	}
	c.text((left+plotWidth-right)/2, height+38, "tick", "executors")
	var ends []end
	for _, p := range peers {
		c.line(left, y(p.Wall.Median), plotWidth-right, y(p.Wall.Median), "level")
		ends = append(ends, end{y(p.Wall.Median), p.Series, "value"})
	}
	for hue, curve := range curves(groups) {
		class := fmt.Sprintf("c%d", hue%6)
		var points []string
		for _, g := range curve {
			at := x(slices.Index(counts, g.Executors))
			points = append(points, fmt.Sprintf("%.1f,%.1f", at, y(g.Wall.Median)))
			c.line(at, y(g.Wall.Least), at, y(g.Wall.Most), "whisker")
			c.add(`<circle cx="%.1f" cy="%.1f" r="4" class="dot %s"/>`, at, y(g.Wall.Median), class)
		}
		c.add(`<polyline points="%s" class="curve %s"/>`, strings.Join(points, " "), class)
		last := curve[len(curve)-1]
		ends = append(ends, end{y(last.Wall.Median), fmt.Sprintf("%s, %s", strings.TrimPrefix(last.Series, "capstan "), last.Launcher), "value t" + class})
	}
	for _, e := range apart(ends, 15) {
		c.text(plotWidth-right+8, e.y+4, e.class, e.name)
	}
	return c.end()
}

// end is a name at the end of a curve.
type end struct {
	y           float64
	name, class string
}

// apart moves names until they are at least gap apart.
func apart(list []end, gap float64) []end {
	slices.SortStableFunc(list, func(a, b end) int { return int(math.Copysign(1, a.y-b.y)) })
	for i := len(list) - 2; i >= 0; i-- {
		list[i].y = min(list[i].y, list[i+1].y-gap)
	}
	return list
}

// curves groups ours by series and launcher, each by rising executors.
func curves(groups []result.Group) [][]result.Group {
	var list [][]result.Group
	at := map[[2]string]int{}
	for _, g := range groups {
		if g.Executors == 0 {
			continue
		}
		k := [2]string{g.Series, g.Launcher}
		i, ok := at[k]
		if !ok {
			i = len(list)
			at[k], list = i, append(list, nil)
		}
		list[i] = append(list[i], g)
	}
	for _, c := range list {
		slices.SortFunc(c, func(a, b result.Group) int { return a.Executors - b.Executors })
	}
	return list
}

// scale is round values from 0 to at least most, about five of them.
func scale(most float64) []float64 {
	if most <= 0 {
		most = 1
	}
	step := math.Pow(10, math.Floor(math.Log10(most/5)))
	for _, m := range []float64{1, 2, 5, 10} {
		if step*m*6 >= most {
			step *= m
			break
		}
	}
	ticks := []float64{0}
	for i := 1; ticks[len(ticks)-1] < most; i++ {
		ticks = append(ticks, float64(i)*step)
	}
	return ticks
}
