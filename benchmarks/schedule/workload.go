package schedule

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"

	"github.com/capstan-run/capstan/core"
)

// Config is what to measure.
type Config struct {
	Only []string // workloads by name; none: all
	// Scale divides clusters and loads by so much, to try them out. Goals are
	// held only against the whole. Default 1.
	Scale int
	Dir   string    // for journals; emptied at the end. "": the system's
	Log   io.Writer // a line for each workload; nil for none
}

// workload is one thing to measure.
type workload struct {
	name, about string
	run         func(context.Context, Config, *report) error
}

// workloads is all there are, in the order in which they run.
func workloads() []workload {
	return []workload{
		{"gangs", "a gang of 1,000 on 10,000 nodes and one of 10,000 on 100,000, with every predicate", gangs},
		{"decisions", "gangs of one and of four ranks through their lives, on 5,000 nodes", decisions},
		{"durable", "placements that are on disk before agents are told of them over gRPC", durable},
		{"kueue-baseline", "15,000 workloads in 30 queues, as Kueue's load generator makes them, in real time", kueueLoad(baseline())},
		{"kueue-large", "50,000 workloads in 1,000 queues, likewise", kueueLoad(large())},
		{"kueue-topology", "15,000 gangs on 640 nodes in 10 racks, likewise", kueueLoad(topology())},
		{"preemption", "a gang that displaces more than 700 others, on 2,000 nodes", preemption},
		{"round", "one round over 320,000 gangs that wait, on 1,000 nodes", round},
		{"answers", "why, plan and what-if against a round over the same line", answers},
		{"restart", "5,000 nodes and 150,000 tasks taken over from an earlier life", restart},
		{"replay", "the log of a random life, replayed", replay},
		{"scaling", "the cost of a decision against nodes and against gangs that wait", scaling},
	}
}

// Names is the workloads there are.
func Names() []string {
	var names []string
	for _, w := range workloads() {
		names = append(names, w.name)
	}
	return names
}

// Run measures and returns a row for each figure. What was measured before an
// error is returned with it.
func Run(ctx context.Context, c Config) ([]Row, error) {
	for _, name := range c.Only {
		if !slices.Contains(Names(), name) {
			return nil, core.Errorf(core.Invalid, "there is no workload %q", name).At("--only").Do("one of " + strings.Join(Names(), ", "))
		}
	}
	c.Scale = max(c.Scale, 1)
	// Steps are charged to the thread that makes them.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var rows []Row
	for _, w := range workloads() {
		if len(c.Only) > 0 && !slices.Contains(c.Only, w.name) {
			continue
		}
		if c.Log != nil {
			fmt.Fprintf(c.Log, "%-15s %s\n", w.name, w.about)
		}
		r := &report{workload: w.name, whole: c.Scale == 1}
		err := w.run(ctx, c, r)
		rows = append(rows, r.rows...)
		if err != nil {
			return rows, fmt.Errorf("%s: %w", w.name, err)
		}
		runtime.GC() // what one workload leaves is not the next one's to clear up
	}
	return rows, ctx.Err()
}

// part is n divided by the scale, at least least.
func (c Config) part(n, least int) int { return max(n/c.Scale, least) }
