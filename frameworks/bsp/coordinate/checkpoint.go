package coordinate

import (
	"slices"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/bsp/task"
)

// written takes a rank's part of a checkpoint; with the last one it counts (law
// C3). It may come whole after a rank was lost: what that one wrote stays.
func (m *Machine) written(r int, w *task.Written) {
	if w.Incarnation != m.state.Incarnation || m.beginning || m.older(w.Checkpoint) {
		return
	}
	parts := m.writing[w.Superstep]
	if parts == nil {
		parts = make([]*task.Written, len(m.ranks))
		m.writing[w.Superstep] = parts
	}
	parts[r] = w
	for _, p := range parts {
		if p == nil {
			return
		}
	}
	m.keep(parts)
}

// older reports whether c is no news: a newer one of the incarnation counts.
func (m *Machine) older(c task.Checkpoint) bool {
	last := m.state.resume()
	return last != nil && last.Superstep >= c.Superstep
}

func (m *Machine) keep(parts []*task.Written) {
	k := Kept{Checkpoint: parts[0].Checkpoint, Size: len(parts)}
	for _, p := range parts {
		k.Bytes += p.Bytes
	}
	list := append(slices.Clone(m.state.Kept), k)
	m.state.Kept = list[max(0, len(list)-keptAtMost):]
	for s := range m.writing {
		if s <= k.Superstep {
			delete(m.writing, s)
		}
	}
	m.state.Repairs = 0
	m.unsaved++
	if m.yield != nil || m.now-m.keptAt >= saveEvery || m.unsaved == mostUnsaved {
		m.saveKept()
	}
}

// Checkpoints of small supersteps come faster than saves are worth: they are
// saved so often, in milliseconds, or when there are so many.
const (
	saveEvery   = 250
	mostUnsaved = 8
)

// saveKept saves which checkpoints count; then the files of others can go.
func (m *Machine) saveKept() {
	m.unsaved, m.keptAt = 0, m.now
	m.save(func() {
		for r, o := range m.ranks {
			if o.up {
				m.send(r, task.Down{Committed: &task.Committed{Keep: m.state.kept()}})
			}
		}
		m.yieldAfter()
	})
}

// strikeOut forgets a checkpoint that a rank cannot read (law C4). That costs
// supersteps and is no repair.
func (m *Machine) strikeOut(r int, e *task.Ended) {
	bad := m.state.resume()
	if bad == nil || m.struck == m.state.Incarnation {
		return // another rank found the same
	}
	m.struck = m.state.Incarnation
	m.state.Kept = slices.Clone(m.state.Kept[:len(m.state.Kept)-1])
	m.note("the checkpoint after superstep %d cannot be read by rank %d: %s", bad.Superstep, r, oneLine(core.AsError(&e.Err).Error()))
	if m.running {
		m.stopAll()
	}
}
