package coordinate

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/batch/task"
)

// maxRows bounds the table of a report: failures first.
const maxRows = 50

// rows are the last tries of tasks, for the report's table.
type rows struct {
	list []row
	cpu  time.Duration
	more int // that were not kept
}

type row struct {
	index  int64
	array  bool
	rank   int
	node   core.NodeID
	result task.Done
}

// add keeps a try: in place of the task's earlier one, if there is room, or if
// it failed and one that did not can go.
func (t *rows) add(g *gang, r int, d *task.Done) {
	t.cpu += d.CPU
	n := row{g.index, g.array, r, g.nodes[r], *d}
	n.result.Tail, n.result.Streams = "", nil
	at := slices.IndexFunc(t.list, func(o row) bool { return o.index == g.index && o.rank == r })
	if at < 0 && len(t.list) < maxRows {
		t.list = append(t.list, n)
		return
	}
	if at < 0 {
		t.more++
		if d.Code == 0 && d.Fault == nil {
			return
		}
		at = slices.IndexFunc(t.list, func(o row) bool { return o.result.Code == 0 && o.result.Fault == nil })
	}
	if at >= 0 {
		t.list[at] = n
	}
}

// table is what the report shows.
func (t *rows) table(title string) *core.Table {
	if len(t.list) == 0 {
		return nil
	}
	slices.SortFunc(t.list, func(a, b row) int { return cmp.Or(cmp.Compare(a.index, b.index), cmp.Compare(a.rank, b.rank)) })
	array := t.list[0].array
	out := &core.Table{Title: title, Columns: []string{"rank", "node", "exit", "seconds", "cpu", "max rss"}}
	if array {
		out.Columns = append([]string{"index"}, out.Columns...)
	}
	if t.more > 0 {
		out.Title += fmt.Sprintf(" (%d of %d shown)", len(t.list), len(t.list)+t.more)
	}
	for _, r := range t.list {
		d := &r.result
		cells := []string{
			strconv.Itoa(r.rank), string(r.node), exit(d),
			fmt.Sprintf("%.1f", d.Wall.Seconds()), fmt.Sprintf("%.1f", d.CPU.Seconds()), peak(d),
		}
		if array {
			cells = append([]string{strconv.FormatInt(r.index, 10)}, cells...)
		}
		out.Rows = append(out.Rows, cells)
	}
	return out
}

func peak(d *task.Done) string {
	if d.AtMost {
		return "≤ " + d.MaxRSS.Short()
	}
	return d.MaxRSS.Short()
}

// exit is how a try ended, in a word.
func exit(d *task.Done) string {
	switch {
	case d.Fault != nil:
		return "not run"
	case d.TimedOut:
		return "timed out"
	case d.Signal != 0:
		return fmt.Sprintf("signal %d", d.Signal)
	}
	return strconv.Itoa(d.Code)
}

// Progress is a snapshot for the user.
func (m *Machine) Progress() core.Progress {
	s := core.Stage{Name: "tasks"}
	if m.cfg.Array != nil {
		s.Name, s.Tasks = "elements", m.cfg.Array.Len()
		s.Done, s.Failed, s.Running = m.tally.OK.Len(), m.tally.Failed.Len(), len(m.gangs)
		return core.Progress{Stages: []core.Stage{s}, Note: m.note, Counters: m.counters()}
	}
	s.Tasks = 1
	if !m.cfg.Body.ByGang() {
		s.Tasks = m.cfg.Gang.Size
	}
	if m.tally.OK.Len() > 0 {
		s.Done = s.Tasks
	}
	for _, g := range m.gangs { // there is one
		for _, k := range g.ranks {
			switch {
			case k.busy():
				s.Running++
			case k.state == ended:
				s.Done++
			}
			s.Failed += k.failures
		}
	}
	return core.Progress{Stages: []core.Stage{s}, Note: m.note, Counters: m.counters()}
}

func (m *Machine) counters() map[string]int64 {
	c := map[string]int64{"batch/tries": m.tally.Tries}
	if m.tally.Lost > 0 {
		c["batch/executors lost"] = m.tally.Lost
	}
	if m.cfg.Array != nil {
		c["batch/elements ok"], c["batch/elements failed"] = int64(m.tally.OK.Len()), int64(m.tally.Failed.Len())
	}
	return c
}

// Report is what the job tells at its end. Seconds and Cores are the caller's to
// fill in.
func (m *Machine) Report() core.Report {
	title := "tasks"
	if m.cfg.Array != nil {
		title = fmt.Sprintf("%d elements ok, %d failed", m.tally.OK.Len(), m.tally.Failed.Len())
	}
	return core.Report{CPUSeconds: m.rows.cpu.Seconds(), Counters: m.counters(), Preview: m.rows.table(title)}
}
