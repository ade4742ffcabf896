package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/capstan-run/capstan/core"
)

// report shows a finished job and answers its outcome as the command's error.
func (a *app) report(s *session, j *core.Job) error {
	if j == nil || j.Outcome == nil {
		return core.Errorf(core.HostLost, "the job's outcome is unknown")
	}
	if a.output != "table" {
		if err := a.print(j, []string{string(j.ID)}, nil); err != nil {
			return err
		}
		err := j.Outcome.Err()
		if err == nil {
			return nil
		}
		if a.output == "name" { // the other forms hold the outcome
			a.printError(core.AsError(err))
		}
		return exitCode(j.Outcome.Kind.ExitCode())
	}
	r := j.Outcome.Report
	if t := r.Preview; t != nil && len(t.Rows) > 0 {
		a.table(t)
	}
	a.cost(j, r)
	if err := j.Outcome.Err(); err != nil {
		e := core.AsError(err)
		a.hint("%s job %s %s", a.colour(red, "✗"), j.ID, j.State)
		a.printError(e)
		where := ""
		if s.info.Occasional { // it will be gone
			where = "   (while a host runs: " + a.again("up") + ")"
		}
		a.hint("  log: %s%s", a.again("logs "+string(j.ID)), where)
		return exitCode(j.Outcome.Kind.ExitCode())
	}
	a.hint("%s job %s succeeded", a.colour(green, "✓"), j.ID)
	return nil
}

func (a *app) table(t *core.Table) {
	if t.Title != "" {
		fmt.Fprintf(a.out, "%s\n", clean(t.Title))
	}
	tw := tabwriter.NewWriter(a.out, 0, 4, 2, ' ', 0)
	for i, c := range t.Columns {
		sep := "\t"
		if i == len(t.Columns)-1 {
			sep = "\n"
		}
		fmt.Fprintf(tw, "%s%s", clean(c), sep)
	}
	for _, row := range t.Rows {
		for i, c := range row {
			sep := "\t"
			if i == len(row)-1 {
				sep = "\n"
			}
			fmt.Fprintf(tw, "%s%s", clean(c), sep)
		}
	}
	tw.Flush()
	fmt.Fprintln(a.out)
}

// shuffled tells what went through the exchange, and what of it was not read on
// its own machine.
func shuffled(r core.Report) string {
	text := size(r.Shuffled) + " shuffled"
	var far []string
	for _, rung := range []struct{ name, words string }{{"peer", "from other executors"}, {"store", "from the store"}} {
		if n := r.ReadFrom[rung.name]; n > 0 {
			far = append(far, size(n)+" "+rung.words)
		}
	}
	if len(far) > 0 {
		text += " (read: " + strings.Join(far, ", ") + ")"
	}
	return text
}

// cost tells where the result lies, what it took, and what the job counted.
func (a *app) cost(j *core.Job, r core.Report) {
	if r.Output != "" && j.Outcome.Kind == "" {
		fmt.Fprintf(a.out, "result  %s  (%s, %s)\n", r.Output, several(r.RecordsOut, "row"), size(r.BytesOut))
		fmt.Fprintf(a.out, "        read it: %s\n", a.again("store cat "+r.Output))
	}
	if r.BytesIn > 0 && r.Seconds > 0 {
		cores := "cores"
		if r.Cores == 1 {
			cores = "core"
		}
		in := size(r.BytesIn) + " in"
		if r.RecordsIn > 0 { // not every program counts them
			in += " (" + several(r.RecordsIn, "record") + ")"
		}
		line := fmt.Sprintf("cost    %s, %s, %.1f s on %.3g %s, %.1f CPU-s",
			in, shuffled(r), r.Seconds, r.Cores, cores, r.CPUSeconds)
		if r.CPUSeconds > 0 {
			line += fmt.Sprintf(": %.0f MB/s per core", float64(r.BytesIn)/1e6/r.CPUSeconds)
		}
		fmt.Fprintln(a.out, line)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Counters)) {
		fmt.Fprintf(a.out, "counter %s  %s\n", clean(name), count(r.Counters[name]))
	}
	for _, n := range r.Notes {
		a.hint("%s %s", a.colour(yellow, "note:"), clean(n))
	}
}
