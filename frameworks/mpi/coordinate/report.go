package coordinate

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/mpi/task"
)

// maxRows bounds tables of ranks.
const maxRows = 256

// totals are what ranks have cost.
type totals struct{ cpu time.Duration }

func (t *totals) add(e *task.Ended) { t.cpu += e.CPU }

// Progress is a snapshot for the user.
func (m *Machine) Progress() core.Progress {
	s := core.Stage{Name: "ranks"}
	table := core.Table{Title: "ranks", Columns: []string{"rank", "node", "state", "cpu", "waits for", "last output"}}
	for _, w := range m.all() {
		s.Tasks += w.layout.Ranks
		for r := range w.layout.Ranks {
			s.Done, s.Failed, s.Running = tell(w, r, s.Done, s.Failed, s.Running)
			if len(table.Rows) < maxRows {
				table.Rows = append(table.Rows, row(w, r))
			}
		}
	}
	return core.Progress{Stages: []core.Stage{s}, Note: cmp.Or(m.hang(), m.note), Counters: m.counters(), Tables: []core.Table{table}}
}

func tell(w *world, r, done, failed, running int) (int, int, int) {
	switch e := w.ended[r]; {
	case e == nil && w.run > 0:
		running++
	case e == nil:
	case e.Lost() || e.Code != 0:
		failed++
	default:
		done++
	}
	return done, failed, running
}

// row is a rank's line.
func row(w *world, r int) []string {
	name := strconv.Itoa(r)
	if w.spawned {
		name = w.name() + "/" + name
	}
	l := w.looks[r]
	cells := []string{name, w.node(w.layout.Executor(r)), "waiting", "", "", l.Last}
	if l.Wait != nil {
		cells[4] = l.Wait.String()
	}
	switch e := w.ended[r]; {
	case e != nil:
		cells[2], cells[3] = how(e), fmt.Sprintf("%.1f s", e.CPU.Seconds())
	case w.run > 0:
		cells[2], cells[3] = cmp.Or(l.Phase, "starting"), fmt.Sprintf("%.1f s", l.CPU.Seconds())
	}
	return cells
}

func (m *Machine) counters() map[string]int64 {
	c := map[string]int64{}
	if m.state.Restarts > 0 {
		c["mpi/restarts"] = int64(m.state.Restarts)
	}
	if m.state.Lost > 0 {
		c["mpi/ranks lost"] = m.state.Lost
	}
	return c
}

// Report is what the job tells at its end. Seconds and Cores are the caller's to
// fill in.
func (m *Machine) Report() core.Report {
	return core.Report{CPUSeconds: m.tries.cpu.Seconds(), Counters: m.counters(), Notes: m.notes, Exit: m.exit}
}

// Names of what was published, for tests and the user.
func (m *Machine) published() []string { return slices.Sorted(maps.Keys(m.names)) }
