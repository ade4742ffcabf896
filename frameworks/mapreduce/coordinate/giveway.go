package coordinate

import (
	"slices"
	"time"

	"github.com/capstan-run/capstan/frameworks/mapreduce/task"
)

// DefaultGrace is core.Gang.Grace's.
const DefaultGrace = 30 * time.Second

// leave is a gang that gives way:
//
//	notice ─── from: no task is handed out ─── idle, or by: ─→ save ─→ release
//
// Times are in milliseconds, as Step's.
type leave struct {
	from  int64
	by    int64
	saved bool
}

// giveWay has the gang work on while it may, and go before it has to (law M9).
func (m *Machine) giveWay(e GiveWay) {
	if m.leave != nil || m.state.Result != nil || len(m.ranks) == 0 {
		return
	}
	spare := min(1000, (e.By-m.now)/4) // for saving and for the way to the host
	m.leave = &leave{from: e.By - m.cfg.Grace.Milliseconds(), by: e.By - spare}
	m.note("the gang gives way: %s", e.Reason)
}

// stay has the gang work on, unless it is as good as gone.
func (m *Machine) stay() {
	if m.leave != nil && !m.leave.saved {
		m.leave = nil
		m.note("the gang stays")
	}
}

// shrink gives ranks that will be lost nothing more to do.
func (m *Machine) shrink(e Shrink) {
	for _, r := range e.Ranks {
		if k := m.rank(r); k != nil {
			k.leaving = true
		}
	}
	m.note("the gang shrinks to %d executors: %s", m.staying(), e.Reason)
}

func (m *Machine) staying() int {
	n := 0
	for _, k := range m.ranks {
		if !k.leaving {
			n++
		}
	}
	return n
}

// winding reports whether no task is handed out any more.
func (m *Machine) winding() bool { return m.leave != nil && m.now >= m.leave.from }

// leaving reports whether it is time to go: nothing runs, or time is nearly over.
// A job of which all tasks are done stays: what is left needs no executor.
func (m *Machine) leaving() bool {
	if !m.winding() || m.complete() {
		return false
	}
	runs := func(k *rank) bool { return k.up && len(k.tries) > 0 }
	return m.now >= m.leave.by || !slices.ContainsFunc(m.ranks, runs)
}

// complete reports whether every task there will be is done.
func (m *Machine) complete() bool {
	if m.sample != nil || !m.maps.complete() {
		return false
	}
	return m.state.Partitions == 0 || m.state.Planned && m.merges.complete() && m.reduces.complete()
}

// goAway saves what is done, then lets the place go.
func (m *Machine) goAway() {
	if !m.leave.saved {
		m.leave.saved = true
		m.state.Done = m.keep()
		m.save()
		return
	}
	for _, k := range m.ranks {
		tries := k.tries
		k.up, k.tries = false, nil
		for _, t := range tries {
			t.drop()
			t.requeue()
		}
	}
	m.ranks, m.leave, m.away = nil, nil, true
	if !m.cfg.Outlives {
		m.forgetOutput()
	}
	m.emit(Release{})
}

// keep lists what is done and can be read without the gang.
func (m *Machine) keep() []task.Done {
	var list []task.Done
	for _, s := range m.stages() {
		for _, i := range s.items {
			if i.done != nil && (i.done.Index == nil || m.cfg.Outlives) && s.phase != task.Sample {
				list = append(list, *i.done)
			}
		}
	}
	for _, h := range m.held {
		list = append(list, *h.done)
	}
	return list
}

// forgetOutput opens the tasks again whose exchange files are gone with the gang.
func (m *Machine) forgetOutput() {
	for _, s := range m.stages() {
		for _, i := range s.items {
			if i.done != nil && i.done.Index != nil {
				i.reopen()
				m.settled = false
			}
		}
	}
}

// takeSaved takes what an earlier generation had done when its gang gave way.
func (m *Machine) takeSaved() {
	if m.state.Result != nil {
		return
	}
	for n := range m.state.Done {
		m.done(0, &m.state.Done[n])
	}
}
