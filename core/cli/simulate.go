package cli

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/gang"
	"github.com/capstan-run/capstan/core/queue"
	"github.com/capstan-run/capstan/core/simulate"
)

// simulation is what `capstan simulate` was asked for.
type simulation struct {
	policies    []string
	nodes, cpus int
	memory      string
	page, order string
}

func (a *app) simulateCommand() *cobra.Command {
	var s simulation
	var known []string
	long := `Replay a workload, and show what policies make of it. TRACE is a trace of the
Parallel Workloads Archive (Standard Workload Format) or the event log of a
scheduler; "-" is standard input, and "model:seed=1,jobs=4000,cpus=240,load=0.8"
a synthetic one.

Policies:
`
	for _, p := range simulate.Policies() {
		known = append(known, p.Name)
		long += fmt.Sprintf("  %-13s %s\n", p.Name, p.What)
	}
	c := &cobra.Command{
		Use: "simulate TRACE", Short: "Replay a workload under the scheduler and other policies", Long: strings.TrimSpace(long), Args: takes(1, 1),
		Example: "  capstan simulate hpc2n.swf --nodes 120 --cpus 2 --policy easy,capstan --page hpc2n.html",
		RunE:    func(_ *cobra.Command, args []string) error { return a.simulate(args[0], s) },
	}
	f := c.Flags()
	f.StringSliceVar(&s.policies, "policy", []string{simulate.Kernel}, "policies, separated by commas, or \"all\"")
	f.StringVar(&s.order, "order", "turn", "order of the queue under policy capstan: turn, priority, fifo, short or fair")
	choose(c, "order", "turn", "priority", "fifo", "short", "fair")
	f.IntVar(&s.nodes, "nodes", 0, "nodes of the machine (default: as the trace says; a log or a model has its own)")
	f.IntVar(&s.cpus, "cpus", 0, "CPUs of a node (default: as the trace says)")
	f.StringVar(&s.memory, "memory", "", "memory of a node, such as 1Gi (default: memory does not count)")
	f.StringVar(&s.page, "page", "", "write an HTML page with the machine and the queue over time to this file")
	choose(c, "policy", append(known, "all")...)
	return c
}

func (a *app) simulate(trace string, s simulation) error {
	w, err := a.trace(trace, s)
	if err != nil {
		return err
	}
	a.hint("%s: %s on %s", clean(w.Name), several(int64(len(w.Jobs)), "job"), w.Machine)
	for _, n := range w.Notes {
		a.hint("  %s: %s (line %s)", several(int64(n.Count), "record"), n.What, someLines(n))
	}
	if len(s.policies) == 1 && s.policies[0] == "all" {
		s.policies = nil
		for _, p := range simulate.Policies() {
			s.policies = append(s.policies, p.Name)
		}
	}
	var outcomes []*simulate.Outcome
	var summaries []simulate.Summary
	for _, name := range s.policies {
		o, err := simulate.Run(w, name, simulate.Options{Clock: time.Now, Kernel: gang.Config{Queues: queue.Config{
			HalfLife: (24 * time.Hour).Milliseconds(), Queues: []queue.Queue{{Name: "default", Order: s.order}}}}})
		if err != nil {
			return err
		}
		outcomes, summaries = append(outcomes, o), append(summaries, o.Summary())
	}
	if s.page != "" {
		if err := writePage(s.page, w, outcomes); err != nil {
			return err
		}
		a.hint("wrote %s", s.page)
	}
	return a.print(summaries, s.policies, func(w io.Writer) { simulationTable(w, summaries) })
}

// trace reads the workload.
func (a *app) trace(path string, s simulation) (*simulate.Workload, error) {
	if s.nodes < 0 || s.cpus < 0 {
		return nil, core.Errorf(core.Invalid, "a machine cannot have %d nodes of %d CPUs", s.nodes, s.cpus).Do("give --nodes and --cpus above 0, or leave them out")
	}
	if text, ok := strings.CutPrefix(path, "model:"); ok {
		m, err := simulate.ParseModel(text)
		if err != nil {
			return nil, err
		}
		return m.Workload()
	}
	swf := simulate.SWF{Name: filepath.Base(path), From: a.in, Nodes: s.nodes, CPUs: s.cpus}
	if s.memory != "" {
		m, err := core.ParseBytes(s.memory)
		if err != nil {
			return nil, core.Errorf(core.Invalid, "--memory %s: %v", s.memory, err).Do("an amount such as 1Gi")
		}
		swf.Memory = m
	}
	if path == "-" {
		swf.Name = "standard input"
		return source(swf).Workload()
	}
	f, err := os.Open(path)
	if err != nil {
		e := core.Errorf(core.NotFound, "the trace cannot be opened: %v", err)
		return nil, e.Do("traces are at https://www.cs.huji.ac.il/labs/parallel/workload/; unpack them first")
	}
	defer f.Close()
	swf.From = f
	return source(swf).Workload()
}

// source is swf, or the log of a scheduler if what is there begins like one.
func source(swf simulate.SWF) simulate.Source {
	b := bufio.NewReader(swf.From)
	swf.From = b
	if first, err := b.Peek(1); err == nil && first[0] == '{' {
		return simulate.Log{Name: swf.Name, From: b}
	}
	return swf
}

func writePage(path string, w *simulate.Workload, outcomes []*simulate.Outcome) error {
	var b bytes.Buffer
	if err := simulate.Page(&b, w, outcomes); err != nil {
		return err
	}
	if err := os.WriteFile(path, b.Bytes(), 0o666); err != nil {
		return core.Errorf(core.Invalid, "the page cannot be written: %v", err).Do("give --page a file in a directory that you may write to")
	}
	return nil
}

func someLines(n simulate.Note) string {
	text := strings.Trim(strings.ReplaceAll(fmt.Sprint(n.Lines), " ", ", "), "[]")
	if n.Count > len(n.Lines) {
		text += ", …"
	}
	return text
}

func simulationTable(w io.Writer, summaries []simulate.Summary) {
	fmt.Fprintln(w, "POLICY\tWAIT MEAN\tMEDIAN\tP95\tLONGEST\tSLOWDOWN\tUTILISED\tMAKESPAN\tJAIN\tWORST USER\tPASSED\tQUOTES KEPT\tDECISIONS/S\tP99")
	seconds := func(s float64) string { return count(int64(s+0.5)) + "s" }
	for _, s := range summaries {
		quotes, rate, p99 := "-", "-", "-"
		if p := s.Promises; p.Made > 0 {
			quotes = fmt.Sprintf("%d of %d", p.Kept, p.Made)
		}
		if s.Speed != nil {
			rate, p99 = count(int64(s.Speed.PerSecond)), time.Duration(s.Speed.P99*1e9).Round(time.Microsecond).String()
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%.1f\t%.1f%%\t%s\t%.2f\t%.1f\t%.1f%%\t%s\t%s\t%s\n", s.Policy,
			seconds(s.Wait.Mean), seconds(s.Wait.Median), seconds(s.Wait.P95), seconds(s.Wait.Max), s.Slowdown.Mean,
			s.Utilisation*100, days(s.Makespan), s.Fairness.Jain, s.Fairness.WorstSlowdown,
			s.Backfilled*100, quotes, rate, p99)
	}
}

// days writes a long time: "61d 3h".
func days(seconds float64) string {
	hours := int64(seconds/3600 + 0.5)
	if hours < 48 {
		return span(time.Duration(seconds * 1e9))
	}
	return fmt.Sprintf("%dd %dh", hours/24, hours%24)
}
