package schedule

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// Row is one figure of a workload beside its goal.
type Row struct {
	Workload string  `json:"workload"`
	What     string  `json:"what"`
	Figure   float64 `json:"figure"`
	Unit     string  `json:"unit"`
	// Goal is what the figure has to be: at least that with More, else at most.
	// 0: it has none.
	Goal float64 `json:"goal,omitempty"`
	More bool    `json:"more,omitempty"`
	Note string  `json:"note,omitempty"`
}

// Verdict is "met" or "missed"; "" of a row without a goal.
func (r Row) Verdict() string {
	switch {
	case r.Goal == 0:
		return ""
	case r.More && r.Figure >= r.Goal, !r.More && r.Figure <= r.Goal:
		return "met"
	}
	return "missed"
}

func (r Row) goal() string {
	switch {
	case r.Goal == 0:
		return ""
	case r.More:
		return "≥ " + amount(r.Goal) + " " + r.Unit
	}
	return "≤ " + amount(r.Goal) + " " + r.Unit
}

// amount is a figure with three digits that mean something.
func amount(v float64) string {
	switch {
	case v == float64(int64(v)) || v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	case v >= 1:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.4f", v)
}

// Print writes rows as a table.
func Print(w io.Writer, rows []Row) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "WORKLOAD\tWHAT\tFIGURE\tGOAL\tVERDICT\tNOTE")
	for _, r := range rows {
		fmt.Fprintf(t, "%s\t%s\t%s %s\t%s\t%s\t%s\n", r.Workload, r.What, amount(r.Figure), r.Unit, r.goal(), r.Verdict(), r.Note)
	}
	return t.Flush()
}

// report gathers the rows of a workload.
type report struct {
	workload string
	whole    bool // goals are held against the figures
	rows     []Row
}

func (r *report) add(row Row) {
	row.Workload = r.workload
	if !r.whole {
		row.Goal = 0
	}
	r.rows = append(r.rows, row)
}

// latency adds what single steps took: the goal is for the 99th percentile.
func (r *report) latency(what string, t *times, goal float64) {
	if len(t.cpu) == 0 {
		return // it was ended before: no sample, no figure
	}
	cpu, wall := t.cpu.summary(), t.wall.summary()
	r.add(Row{What: what + ", p99", Figure: cpu.p99, Unit: "ms", Goal: goal,
		Note: fmt.Sprintf("CPU of %d steps: p50 %s, max %s; wall p50 %s, p99 %s, max %s", len(t.cpu), amount(cpu.p50), amount(cpu.max),
			amount(wall.p50), amount(wall.p99), amount(wall.max))})
}
