package coordinate

import (
	"fmt"
	"slices"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/bsp/task"
	"github.com/capstan-run/capstan/frameworks/dataset/output"
)

// result puts together what the ranks made, in their order.
func (m *Machine) result() *Result {
	var rows []task.PreviewRow
	var side []output.Part
	res := &Result{Report: core.Report{Counters: map[string]int64{}}}
	rep := &res.Report
	for r, k := range m.ranks {
		d := k.done
		m.meter.total(r, d.Total)
		res.Parts, side, rows = append(res.Parts, d.Parts...), append(side, d.Side...), append(rows, d.Preview...)
		rep.CPUSeconds += float64(d.CPUNanos) / 1e9
		rep.RecordsIn += d.RecordsIn
		if res.Columns == nil {
			res.Columns = d.Columns
		}
		for name, n := range d.Counters {
			rep.Counters[name] += n
		}
	}
	for _, s := range m.state.Splits {
		rep.BytesIn += s.Bytes
	}
	for _, p := range res.Parts {
		rep.RecordsOut += p.Rows
		rep.BytesOut += p.Bytes
	}
	res.Parts = append(res.Parts, side...)
	rep.Preview = m.preview(rows)
	m.costs(rep)
	return res
}

// costs sums up what supersteps cost, for counters and a line of the report.
func (m *Machine) costs(rep *core.Report) {
	var all task.Superstep
	var last int64
	for _, g := range m.meter.ranks {
		all.Add(g.spent)
		all.Add(g.total)
		last = max(last, g.total.Number)
	}
	rep.Shuffled = all.Bytes
	c := rep.Counters
	c["bsp/supersteps"], c["bsp/messages"], c["bsp/message bytes"] = last, all.Messages, all.Bytes
	if all.Edges > 0 {
		c["bsp/edges"] = all.Edges
		rep.Notes = append(rep.Notes, fmt.Sprintf("%d edges followed, %s a second", all.Edges, count(m.meter.edgesPerSecond())))
	}
	if all.Spilled > 0 {
		c["bsp/spilled bytes"] = all.Spilled
	}
	if m.state.Repaired > 0 {
		c["bsp/repairs"] = int64(m.state.Repaired)
	}
	n := max(1, int64(len(m.meter.ranks)))
	note := fmt.Sprintf("%d supersteps; a rank on the average: compute %s, send %s, wait %s, checkpoints %s",
		last, nanos(all.Compute/n), nanos(all.Send/n), nanos(all.Wait/n), nanos(all.Checkpoint/n))
	if all.Load > 0 {
		note += fmt.Sprintf("; of that, until the input was loaded: %s", nanos(all.Load/n))
	}
	rep.Notes = append(rep.Notes, note)
	if s := m.straggler(); s != "" {
		rep.Notes = append(rep.Notes, s)
	}
}

// preview merges the ranks' candidates into the rows to show.
func (m *Machine) preview(rows []task.PreviewRow) *core.Table {
	p := m.cfg.Preview
	if p == nil || len(rows) == 0 {
		return nil
	}
	rows = slices.Clone(rows)
	slices.SortStableFunc(rows, func(a, b task.PreviewRow) int { return task.Compare(a, b, p.By == "key", p.Order == "descending") })
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
