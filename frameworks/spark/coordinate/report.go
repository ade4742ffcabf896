package coordinate

import (
	"fmt"
	"strconv"

	"github.com/capstan-run/capstan/core"
)

// maxStages bounds what progress shows: the last ones.
const maxStages = 20

// Progress is a snapshot for the user.
func (m *Machine) Progress() core.Progress {
	p := core.Progress{Note: m.note}
	if m.note == "" {
		p.Note = m.where()
	}
	if t := m.addresses(); len(t.Rows) > 0 {
		p.Tables = []core.Table{t}
	}
	if m.seen == nil {
		return p
	}
	list := m.seen.Stages
	for _, s := range list[max(0, len(list)-maxStages):] {
		p.Stages = append(p.Stages, core.Stage{Name: s.Name, Tasks: s.Tasks, Running: s.Running, Done: s.Done, Failed: s.Failed})
	}
	return p
}

// where says in a line what is awaited; "" while the application runs.
func (m *Machine) where() string {
	switch m.phase {
	case asking:
		return "asks the executors what they hold"
	case master:
		return "Spark's master starts"
	case workers:
		n := 0
		for _, r := range m.serving() {
			if m.ranks[r].serves {
				n++
			}
		}
		return fmt.Sprintf("Spark's workers register: %d of %d", n, len(m.serving()))
	}
	return ""
}

// addresses are where Spark's own pages are.
func (m *Machine) addresses() core.Table {
	t := core.Table{Title: "Spark", Columns: []string{"what", "address"}}
	if m.ready != nil {
		t.Rows = append(t.Rows, []string{"master " + m.ready.Version, m.ready.Master}, []string{"its page", m.ready.Web})
	}
	if m.seen != nil {
		t.Rows = append(t.Rows, []string{"application " + m.seen.Application, m.seen.Web})
	}
	return t
}

// Report is what the job came to.
func (m *Machine) Report() core.Report {
	r := core.Report{Counters: map[string]int64{"spark/executors lost": int64(m.losses)}}
	if m.seen != nil {
		for _, s := range m.seen.Stages {
			r.Counters["spark/tasks"] += int64(s.Done)
			r.Counters["spark/tasks failed"] += int64(s.Failed)
		}
		r.Counters["spark/stages"] = int64(len(m.seen.Stages))
	}
	if d := m.done; d != nil {
		r.BytesOut = d.Results.Bytes
		r.Preview = &core.Table{Title: "application", Columns: []string{"exit", "seconds", "result files", "event log"},
			Rows: [][]string{{strconv.Itoa(d.Code), fmt.Sprintf("%.1f", d.Wall.Seconds()), strconv.Itoa(d.Results.Files), fmt.Sprintf("%d files", d.Events.Files)}}}
	}
	return r
}
