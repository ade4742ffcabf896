package mpisuite

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// tally counts the cases of a directory.
type tally struct{ cases, both, onlyTheirs, onlyOurs, neither int }

func (t *tally) add(theirs, ours bool) {
	t.cases++
	switch {
	case theirs && ours:
		t.both++
	case theirs:
		t.onlyTheirs++
	case ours:
		t.onlyOurs++
	default:
		t.neither++
	}
}

// write writes the table of all cases that ran under both launchers, and below it
// those that have not passed under both, with why.
func (r *record) write(w io.Writer, theirs, ours string) error {
	counts, dirs, rest := r.tallies(theirs, ours)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "directory\tcases\tboth\tonly %s\tonly %s\tneither\t\n", theirs, ours)
	var sum tally
	for _, d := range dirs {
		c := counts[d]
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\t\n", d, c.cases, c.both, c.onlyTheirs, c.onlyOurs, c.neither)
		sum = tally{sum.cases + c.cases, sum.both + c.both, sum.onlyTheirs + c.onlyTheirs, sum.onlyOurs + c.onlyOurs, sum.neither + c.neither}
	}
	fmt.Fprintf(t, "all\t%d\t%d\t%d\t%d\t%d\t\n", sum.cases, sum.both, sum.onlyTheirs, sum.onlyOurs, sum.neither)
	if err := t.Flush(); err != nil {
		return err
	}
	slices.Sort(rest)
	_, err := fmt.Fprint(w, strings.Join(rest, ""))
	return err
}

func (r *record) tallies(theirs, ours string) (counts map[string]*tally, dirs, rest []string) {
	counts = map[string]*tally{}
	seen := map[string]bool{}
	for _, run := range r.runs {
		a, hasA := r.last(run.Case, theirs)
		b, hasB := r.last(run.Case, ours)
		if seen[run.Case] || !hasA || !hasB {
			continue
		}
		seen[run.Case] = true
		dir, _, _ := strings.Cut(run.Dir, "/")
		if counts[dir] == nil {
			counts[dir] = &tally{}
			dirs = append(dirs, dir)
		}
		counts[dir].add(a.Outcome == Passed, b.Outcome == Passed)
		if a.Outcome != Passed || b.Outcome != Passed {
			rest = append(rest, line(a, b))
		}
	}
	return counts, dirs, rest
}

// line tells of a case that has not passed under both launchers: first those
// that only theirs passes, which are bugs of ours.
func line(theirs, ours Run) string {
	kind := "neither"
	switch {
	case theirs.Outcome == Passed:
		kind = "* only " + theirs.Launcher
	case ours.Outcome == Passed:
		kind = "only " + ours.Launcher
	}
	of := func(r Run) string {
		if r.Why == "" {
			return string(r.Outcome)
		}
		return string(r.Outcome) + ", " + r.Why
	}
	known := ""
	if theirs.Known != "" {
		known = " (known: " + theirs.Known + ")"
	}
	return fmt.Sprintf("%s: %s%s\n    %s: %s\n    %s: %s\n", kind, theirs.Case, known, theirs.Launcher, of(theirs), ours.Launcher, of(ours))
}
