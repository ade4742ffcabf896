package mpi

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// Row is one figure of a part beside MPICH's and its goal.
type Row struct {
	Part   string  `json:"part"`
	What   string  `json:"what"`
	Unit   string  `json:"unit"`
	Ours   float64 `json:"ours"`
	Theirs float64 `json:"theirs,omitempty"` // 0: nobody's is known
	// Ratio is ours over theirs.
	Ratio float64 `json:"ratio,omitempty"`
	// Goal is the bound of Ratio, or with Absolute of Ours: at least that with
	// More, else at most. 0: none.
	Goal     float64 `json:"goal,omitempty"`
	Absolute bool    `json:"absolute,omitempty"`
	More     bool    `json:"more,omitempty"`
	Note     string  `json:"note,omitempty"`
}

// Verdict is "kept" or "missed"; "" without a goal, or without MPICH's figure
// where that is needed.
func (r Row) Verdict() string {
	v := r.Ratio
	if r.Absolute {
		v = r.Ours
	}
	switch {
	case r.Goal == 0 || v == 0:
		return ""
	case r.More && v >= r.Goal, !r.More && v <= r.Goal:
		return "kept"
	}
	return "missed"
}

func (r Row) goal() string {
	sign, of := "≤ ", "×"
	if r.More {
		sign = "≥ "
	}
	if r.Absolute {
		of = " " + r.Unit
	}
	if r.Goal == 0 {
		return ""
	}
	return sign + amount(r.Goal) + of
}

// amount is a figure with three digits that mean something.
func amount(v float64) string {
	switch {
	case v == 0:
		return "-"
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	case v >= 0.1:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.4f", v)
}

// Print writes rows as a table.
func Print(w io.Writer, rows []Row) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "PART\tWHAT\tOURS\tMPICH\tRATIO\tGOAL\tVERDICT\tNOTE")
	for _, r := range rows {
		ratio := "-"
		if r.Ratio > 0 {
			ratio = amount(r.Ratio) + "×"
		}
		fmt.Fprintf(t, "%s\t%s\t%s %s\t%s\t%s\t%s\t%s\t%s\n", r.Part, r.What, amount(r.Ours), r.Unit, amount(r.Theirs), ratio, r.goal(), r.Verdict(), r.Note)
	}
	return t.Flush()
}

// series is the nanoseconds of the batches of one player.
type series []float64

// quarter is the slowest of the fastest quarter (P3).
func (s series) quarter() float64 { return s.at(4) }

func (s series) median() float64 { return s.at(2) }

func (s series) at(part int) float64 {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	return sorted[(len(sorted)-1)/part]
}

// report gathers the rows of a part.
type report struct {
	part string
	rows []Row
}

func (r *report) add(row Row) {
	row.Part = r.part
	if row.Theirs > 0 {
		row.Ratio = row.Ours / row.Theirs
	}
	r.rows = append(r.rows, row)
}

// times adds what a batch's step took, with a goal for the ratio.
func (r *report) times(what string, ours, theirs series, goal float64) {
	unit, scale := unitOf(ours.quarter())
	r.add(Row{What: what, Unit: unit, Ours: ours.quarter() / scale, Theirs: theirs.quarter() / scale, Goal: goal,
		Note: medians(ours, theirs, scale)})
}

// rates adds the bytes a second of messages, with a goal for the ratio.
func (r *report) rates(what string, bytes int, ours, theirs series, goal float64) {
	rate := func(s series) float64 {
		if s.quarter() == 0 {
			return 0
		}
		return float64(bytes) / s.quarter()
	}
	unit, scale := unitOf(ours.quarter())
	r.add(Row{What: what, Unit: "GB/s", Ours: rate(ours), Theirs: rate(theirs), Goal: goal, More: true,
		Note: fmt.Sprintf("%s %s; %s", amount(ours.quarter()/scale), unit, medians(ours, theirs, scale))})
}

func medians(ours, theirs series, scale float64) string {
	note := "median " + amount(ours.median()/scale)
	if len(theirs) > 0 {
		note += ", MPICH's " + amount(theirs.median()/scale)
	}
	return note
}

// unitOf is the unit in which ns reads well, and its nanoseconds.
func unitOf(ns float64) (string, float64) {
	if ns < 1e6 {
		return "µs", float64(time.Microsecond)
	}
	return "ms", float64(time.Millisecond)
}
