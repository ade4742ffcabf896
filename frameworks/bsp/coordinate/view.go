package coordinate

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/bsp/task"
)

func (m *Machine) steps(k *rank, s *task.Steps) {
	if s.Incarnation == m.state.Incarnation && m.running {
		m.meter.take(slices.Index(m.ranks, k), s)
	}
}

// Progress is a snapshot for the user.
func (m *Machine) Progress() core.Progress {
	p := core.Progress{Stages: []core.Stage{m.stage()}, Tables: []core.Table{m.rankTable(), m.stepTable()}}
	switch {
	case m.state.Result != nil:
		p.Note = "committing"
		p.Counters = m.state.Result.Report.Counters
	case !m.running && m.state.Repaired > 0:
		p.Note = "repairing the gang: " + oneLine(m.lastLoss)
	default:
		p.Note = m.straggler()
		if n := len(m.state.Notes); n > 0 && p.Note == "" {
			p.Note = m.state.Notes[n-1]
		}
	}
	return p
}

// stage counts supersteps that every rank has ended. How many there will be
// nobody knows.
func (m *Machine) stage() core.Stage {
	s := core.Stage{Name: "supersteps", Failed: m.state.Repaired}
	for r, g := range m.meter.ranks {
		if n := int(g.total.Number); r == 0 || n < s.Done {
			s.Done = n
		}
		s.Records += g.total.Messages
	}
	s.Tasks = s.Done
	if m.running {
		s.Tasks++
		s.Running = 1
	}
	return s
}

// stragglerTimes is how much more than the median rank one computes to be
// named, and stragglerNanos for how long at least.
const (
	stragglerTimes = 1.5
	stragglerNanos = int64(time.Second)
	// slowestNanos is the same for one superstep: below it all is noise.
	slowestNanos = int64(time.Millisecond)
)

// straggler names the rank that the others wait for, "" if none.
func (m *Machine) straggler() string {
	totals := make([]task.Superstep, len(m.meter.ranks))
	for r, g := range m.meter.ranks {
		totals[r] = g.total
	}
	r, times := slowest(totals)
	if times < stragglerTimes || totals[r].Compute < stragglerNanos {
		return ""
	}
	return fmt.Sprintf("rank %d computes %.1f times as long as the median rank", r, times)
}

// rankTable is what each rank has spent, over all incarnations.
func (m *Machine) rankTable() core.Table {
	t := core.Table{Title: "ranks", Columns: []string{"RANK", "STATE", "SUPERSTEP", "COMPUTE", "SEND", "WAIT", "CHECKPOINT", "MESSAGES", "SENT", "SPILLED", "EDGES/S"}}
	for r, g := range m.meter.ranks {
		all := g.spent
		all.Add(g.total)
		t.Rows = append(t.Rows, append([]string{strconv.Itoa(r), m.stateOf(r), strconv.FormatInt(g.total.Number, 10)},
			nanos(all.Compute), nanos(all.Send), nanos(all.Wait), nanos(all.Checkpoint),
			strconv.FormatInt(all.Messages, 10), size(all.Bytes), size(all.Spilled), edgeRate(all)))
	}
	return t
}

func (m *Machine) stateOf(r int) string {
	k := m.rank(r)
	switch {
	case k == nil:
		return "waits for a place"
	case k.done != nil || m.state.Result != nil:
		return "done"
	case !k.up:
		return "lost"
	case k.hello == nil:
		return "starting"
	case m.running:
		return "running"
	case k.runs != 0:
		return "stopping"
	}
	return "waits for the others"
}

// stepTable is the last supersteps: times are those of the rank that took
// longest, messages and active vertices the sums.
func (m *Machine) stepTable() core.Table {
	t := core.Table{Title: "supersteps", Columns: []string{"SUPERSTEP", "STAGE", "COMPUTE", "SEND", "WAIT", "CHECKPOINT", "MESSAGES", "ACTIVE", "SLOWEST"}}
	for _, s := range m.meter.steps {
		var top, sum task.Superstep
		for _, o := range s.ranks {
			top.Compute, top.Send = max(top.Compute, o.Compute), max(top.Send, o.Send)
			top.Wait, top.Checkpoint = max(top.Wait, o.Wait), max(top.Checkpoint, o.Checkpoint)
			sum.Messages += o.Messages
			sum.Active += o.Active
			sum.Loading = sum.Loading || o.Loading
		}
		active, slow := strconv.FormatInt(sum.Active, 10), "-"
		if sum.Active < 0 {
			active = "-"
		}
		if r, times := slowest(s.ranks); times >= stragglerTimes && top.Compute >= slowestNanos {
			slow = fmt.Sprintf("rank %d, %.1fx", r, times)
		}
		t.Rows = append(t.Rows, []string{strconv.FormatInt(s.number, 10), sum.Stage(), nanos(top.Compute), nanos(top.Send), nanos(top.Wait),
			nanos(top.Checkpoint), strconv.FormatInt(sum.Messages, 10), active, slow})
	}
	return t
}

// nanos is a time in three digits or so.
func nanos(n int64) string {
	d := time.Duration(n)
	switch {
	case d >= time.Minute:
		return d.Round(time.Second).String()
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d >= time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	}
	return d.Round(time.Microsecond).String()
}

// count is a number in three digits or so.
func count(x float64) string {
	for _, unit := range []struct {
		size float64
		name string
	}{{1e9, " billion"}, {1e6, " million"}} {
		if x >= unit.size {
			return fmt.Sprintf("%.3g%s", x/unit.size, unit.name)
		}
	}
	return strconv.FormatInt(int64(x), 10)
}

// edgeRate is how many edges a rank follows in a second of those supersteps in
// which it follows any.
func edgeRate(s task.Superstep) string {
	if s.Following <= 0 {
		return "-"
	}
	return count(float64(s.Edges) / float64(s.Following) * 1e9)
}

func size(n int64) string { return core.Bytes(n).String() }

func median(list []int64) int64 {
	slices.Sort(list)
	return list[(len(list)-1)/2]
}
