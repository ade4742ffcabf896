package coordinate

import (
	"fmt"
	"strings"

	"github.com/capstan-run/capstan/frameworks/mpi/task"
	"github.com/capstan-run/capstan/frameworks/mpi/waits"
)

// maxNamed bounds how many ranks of a deadlock are named.
const maxNamed = 8

// seen is what a rank was doing when its worker looked last.
type seen struct {
	task.Look
	held bool // it waited for the same at the look before
}

// look takes what a rank is doing.
func (w *world) look(l task.Look) {
	before := w.looks[l.Rank].Wait
	held := before != nil && l.Wait != nil && before.Number == l.Wait.Number
	w.looks[l.Rank] = seen{l, held}
}

// deadlock names ranks of which each waits for the next, and the last for the
// first; "" where there are none. It believes only waits that two looks have
// found, since what a rank waits for may be on its way.
func (w *world) deadlock() string {
	held := map[int]waits.Wait{}
	for r, l := range w.looks {
		if l.held {
			held[r] = *l.Wait
		}
	}
	stuck := map[int]waits.Wait{}
	for _, r := range waits.Deadlock(held, w.layout.Ranks) {
		stuck[r] = held[r]
	}
	cycle := waits.Cycle(stuck)
	if len(cycle) == 0 {
		return ""
	}
	var parts []string
	for _, r := range cycle[:min(len(cycle), maxNamed)] {
		parts = append(parts, fmt.Sprintf("rank %d waits in %s", r, stuck[r]))
	}
	if more := len(cycle) - maxNamed; more > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(parts, "; ") + ": a deadlock"
}

// hang is the first deadlock of the job.
func (m *Machine) hang() string {
	for _, w := range m.all() {
		if text := w.deadlock(); text != "" {
			return text
		}
	}
	return ""
}
