package coordinate

import (
	"slices"

	"github.com/capstan-run/capstan/frameworks/mapreduce/task"
)

// assign gives open tasks to free ranks, then copies stragglers.
func (m *Machine) assign(s *stage) {
	for len(s.queue) > 0 {
		if !m.assignOne(s) {
			return
		}
	}
	m.speculate(s)
}

// assignOne starts one try, and says whether it could.
func (m *Machine) assignOne(s *stage) bool {
	for _, r := range m.byFree() {
		for at, i := range s.queue {
			if i.ready() && m.accepts(i, r) {
				s.queue = slices.Delete(s.queue, at, at+1)
				m.start(i, r)
				return true
			}
		}
	}
	return false
}

func (m *Machine) start(i *item, r int) {
	t := &try{item: i, no: i.next, rank: r, began: m.now, moved: m.now, version: m.version}
	i.next++
	i.tries = append(i.tries, t)
	m.ranks[r].tries = append(m.ranks[r].tries, t)
	m.send(r, task.Down{Run: m.order(t)})
}

// order is the message that starts t.
func (m *Machine) order(t *try) *task.Run {
	run := &task.Run{Task: t.id, Try: t.no, Partitions: m.state.Partitions}
	switch t.phase {
	case task.Sample:
		run.Split = m.state.Splits[m.splitOf(t.id.Index)]
	case task.Map:
		run.Split, run.Bounds = m.state.Splits[t.id.Index], m.state.Bounds
	case task.Merge, task.Reduce:
		run.Bounds, run.Lo, run.Hi = m.state.Bounds, t.lo, t.hi
		run.Sources = slicesOf(outputs(t.sources), t.lo, t.hi)
	}
	return run
}

// stop cancels a try. Its slot stays taken until it answers.
func (m *Machine) stop(t *try) {
	if t.leaving {
		return
	}
	t.leaving = true
	m.send(t.rank, task.Down{Cancel: &task.Cancel{Task: t.id, Try: t.no}})
}

// expire fails tries that make no progress.
func (m *Machine) expire() {
	limit := m.cfg.Timeout.Milliseconds()
	if limit <= 0 {
		return
	}
	for _, k := range m.ranks {
		for _, t := range k.tries {
			if !t.leaving && m.now-t.moved >= limit {
				m.stop(t)
				m.fault(t, timedOut(t, m.cfg.Timeout), false)
				if m.ended {
					return
				}
			}
		}
	}
}
