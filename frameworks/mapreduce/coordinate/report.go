package coordinate

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/mapreduce/task"
)

// result puts together what the finished tasks made, in task order.
func (m *Machine) result() *Result {
	r, damaged := &Result{}, int64(0)
	last := m.maps
	if m.reduces != nil {
		last = m.reduces
	}
	for _, s := range m.stages() {
		for _, i := range s.items {
			r.add(i.done)
			damaged += i.done.Damaged
			if i.done.Index != nil {
				r.Report.Shuffled += i.done.Index.Size
			}
		}
	}
	if damaged > 0 {
		m.note("damaged map output was found %d times, and read from elsewhere or made again", damaged)
	}
	for _, i := range m.maps.items {
		r.Report.RecordsIn += i.done.RecordsIn
	}
	var rows []task.PreviewRow
	for _, i := range last.items {
		r.Report.RecordsOut += i.done.RecordsOut
		rows = append(rows, i.done.Preview...)
	}
	for _, s := range m.state.Splits {
		r.Report.BytesIn += s.Bytes
	}
	for _, p := range r.Parts {
		if p.Kind == "result" {
			r.Report.BytesOut += p.Bytes
		}
	}
	r.Report.Preview = m.preview(rows)
	return r
}

// add takes what counts of any task.
func (r *Result) add(d *task.Done) {
	r.Parts = append(r.Parts, d.Parts...)
	r.Parts = append(r.Parts, d.SideParts...)
	r.Report.CPUSeconds += float64(d.CPUNanos) / 1e9
	r.Report.DeadLetters += d.DeadLetters
	for rung, bytes := range d.ReadFrom {
		if r.Report.ReadFrom == nil {
			r.Report.ReadFrom = map[string]int64{}
		}
		r.Report.ReadFrom[string(rung)] += bytes
	}
	for name, n := range d.Counters {
		if r.Report.Counters == nil {
			r.Report.Counters = map[string]int64{}
		}
		r.Report.Counters[name] += n
	}
}

// preview merges the tasks' candidates into the rows to show. The order is the
// one by which a task chose them: else rows would be missing.
func (m *Machine) preview(rows []task.PreviewRow) *core.Table {
	p := m.cfg.Preview
	if p == nil || len(rows) == 0 {
		return nil
	}
	slices.SortStableFunc(rows, func(a, b task.PreviewRow) int {
		var c int
		keys := cmp.Or(bytes.Compare(a.Sort, b.Sort), cmp.Compare(a.Key, b.Key))
		switch {
		case p.By == "key":
			c = keys
		case a.IsNum && !b.IsNum:
			return -1
		case b.IsNum && !a.IsNum:
			return 1
		case a.IsNum:
			c = cmp.Compare(a.Num, b.Num)
		default:
			c = cmp.Compare(a.Value, b.Value)
		}
		if p.Order == "descending" {
			c = -c
		}
		return cmp.Or(c, keys, cmp.Compare(a.Value, b.Value))
	})
	if len(rows) > p.Limit {
		rows = rows[:p.Limit]
	}
	size := "smallest"
	if p.Order == "descending" {
		size = "largest"
	}
	t := &core.Table{Title: fmt.Sprintf("%d %s by %s", len(rows), size, p.By), Columns: []string{"key", "value"}}
	for _, r := range rows {
		t.Rows = append(t.Rows, []string{r.Key, r.Value})
	}
	return t
}

// stages lists the stages that hold results.
func (m *Machine) stages() []*stage {
	switch {
	case m.maps == nil:
		return nil
	case m.reduces == nil:
		return []*stage{m.maps}
	case len(m.merges.items) == 0:
		return []*stage{m.maps, m.reduces}
	}
	return []*stage{m.maps, m.merges, m.reduces}
}

// Progress is a snapshot for the user. Its counters are those of finished tasks.
func (m *Machine) Progress() core.Progress {
	if m.state.Result != nil {
		return core.Progress{Stages: m.snapshots(), Counters: m.state.Result.Report.Counters, Note: "committing"}
	}
	p := core.Progress{Stages: m.snapshots()}
	var sum Result
	for _, s := range m.stages() {
		for _, i := range s.items {
			if i.done != nil {
				sum.add(&task.Done{Counters: i.done.Counters})
			}
		}
	}
	p.Counters = sum.Report.Counters
	if n := len(m.state.Notes); n > 0 {
		p.Note = m.state.Notes[n-1]
	}
	return p
}

func (m *Machine) snapshots() []core.Stage {
	var list []core.Stage
	if m.sample != nil {
		list = append(list, m.sample.snapshot())
	}
	for _, s := range m.stages() {
		list = append(list, s.snapshot())
	}
	// How many tasks will share the partitions is not known before the map stage
	// is done.
	if m.maps != nil && m.reduces == nil && m.state.Partitions > 0 {
		list = append(list, core.Stage{Name: string(task.Reduce), Tasks: m.state.Partitions, AtMost: m.state.Partitions > 1})
	}
	return list
}

// Report is the report of a job whose last effect was End without an error.
// Seconds, Cores and Output are the caller's to fill in.
func (m *Machine) Report() core.Report {
	if m.state.Result == nil {
		return core.Report{Notes: m.state.Notes}
	}
	r := m.state.Result.Report
	r.Notes = append(slices.Clone(r.Notes), m.state.Notes...)
	return r
}
