package coordinate

import (
	"slices"

	"github.com/capstan-run/capstan/frameworks/mpi/task"
)

// fence takes an executor into a barrier.
func (m *Machine) fence(w *world, x int, f *task.Fence) {
	switch k := &w.executors[x]; {
	case f.Run != w.run:
	case f.N == w.passed.N: // it has not heard that all were in
		m.send(w, x, task.Down{Fenced: &w.passed})
	case f.N == w.passed.N+1:
		k.in, k.put = f.N, f.Put
		m.meet(w)
	}
}

// meet lets all ranks out of a barrier that all are in (law C2).
func (m *Machine) meet(w *world) {
	if w.again || w.stopping || m.ending != nil {
		return // those who have ended were told to
	}
	n := w.passed.N + 1
	in := func(x int) bool { return w.executors[x].in == n }
	some := false
	for x := range w.executors {
		if !in(x) && w.left(x) > 0 {
			return
		}
		some = some || in(x)
	}
	if !some {
		return
	}
	all := task.Fenced{Run: w.run, N: n}
	for x := range w.executors {
		if in(x) {
			all.All = slices.Concat(all.All, w.executors[x].put)
		}
	}
	w.passed = all
	for x := range w.executors {
		if in(x) {
			w.executors[x].in, w.executors[x].put = 0, nil
			m.send(w, x, task.Down{Fenced: &w.passed})
		}
	}
}

// recall finds the last barrier that all went through: one of them has what all
// had put.
func (w *world) recall(holds []*task.Holds) {
	for _, h := range holds {
		if h.Run == w.run && h.Passed != nil && h.Passed.N > w.passed.N {
			w.passed = *h.Passed
		}
	}
}

// regain rebuilds the barrier that a world is in (law C3).
func (m *Machine) regain(w *world, holds []*task.Holds) {
	for x, h := range holds {
		if h.Run == w.run && h.Fence != nil {
			m.fence(w, x, h.Fence)
		}
	}
}
