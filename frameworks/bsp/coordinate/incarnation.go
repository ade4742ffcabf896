package coordinate

import (
	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/bsp/task"
)

// begin starts the next incarnation (laws C1, C4).
func (m *Machine) begin() {
	m.beginning = true
	m.unsaved = 0
	m.state.Incarnation++
	clear(m.writing)
	for _, k := range m.ranks {
		k.done, k.brought = nil, false
	}
	m.save(func() {
		m.beginning = false
		if !m.ready() {
			return // one was lost meanwhile: advance tries again when it is back
		}
		m.beginAll()
	})
}

func (m *Machine) beginAll() {
	hosts := make([]string, len(m.ranks))
	for r, k := range m.ranks {
		hosts[r] = k.hello.Host
	}
	splits := m.cfg.Deal(m.state.Splits, len(m.ranks))
	resume := m.state.resume()
	if resume != nil {
		m.note("going on after superstep %d", resume.Superstep)
	} else if m.state.Incarnation > 1 {
		m.note("beginning anew")
	}
	m.running = true
	m.meter.begin()
	for r, k := range m.ranks {
		k.runs = m.state.Incarnation
		m.send(r, task.Down{Begin: &task.Begin{Incarnation: m.state.Incarnation, Hosts: hosts, Splits: splits[r], Vertices: m.state.Vertices,
			Resume: resume, Keep: m.state.kept()}})
	}
}

// breakUp ends the incarnation under way: its ranks are stopped, and the next
// one begins when all are back. It counts as a repair.
func (m *Machine) breakUp(reason string) {
	m.lastLoss = reason
	m.stopAll()
	if far := m.meter.farthest(); far > m.state.Farthest {
		m.state.Farthest, m.state.Repairs = far, 0
	}
	m.state.Repairs++
	m.state.Repaired++
	if m.state.Repairs > m.cfg.Repairs {
		m.end(m.gaveUp())
	}
}

// stopAll ends the runs of the incarnation.
func (m *Machine) stopAll() {
	m.running = false
	for r, k := range m.ranks {
		if k.up && k.runs != 0 {
			m.send(r, task.Down{Stop: &task.Stop{Incarnation: m.state.Incarnation}})
		}
		k.done = nil
	}
}

// endedRun takes a run that ended without a result.
func (m *Machine) endedRun(r int, e *task.Ended) {
	k := m.ranks[r]
	if e.Incarnation != k.runs {
		return
	}
	k.runs = 0
	if e.Incarnation != m.state.Incarnation {
		return
	}
	m.meter.reached(r, e.Superstep)
	switch {
	case e.Fatal:
		m.end(m.programError(r, e))
	case e.Damaged:
		m.strikeOut(r, e)
	case m.running:
		text := core.AsError(&e.Err).Error()
		m.note("rank %d cannot go on: %s", r, oneLine(text))
		m.breakUp(text)
	}
}

// done takes the result of a rank.
func (m *Machine) done(k *rank, d *task.Done) {
	if d.Incarnation == k.runs {
		k.runs = 0
	}
	if d.Incarnation != m.state.Incarnation || !m.running {
		return
	}
	k.done = d
	for _, k := range m.ranks {
		if k.done == nil {
			return
		}
	}
	m.running = false
	m.state.Result = m.result()
	m.save(func() {})
}
