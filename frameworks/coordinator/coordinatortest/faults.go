package coordinatortest

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// coordinator is who does a step that no rank does.
const coordinator = -1

// faults are what goes wrong in a run.
type faults struct {
	killAt int // the step at which victim dies; 0: none
	victim int // coordinator or a rank
	before bool
	storm  *weather // nil: none
}

type same func(t *testing.T, what string, f faults)

// killCoordinator kills the coordinator at each of its steps, before and after
// it.
func killCoordinator(t *testing.T, steps []int, same same) {
	for i, who := range steps {
		if who != coordinator {
			continue
		}
		for _, before := range []bool{true, false} {
			same(t, fmt.Sprintf("coordinator killed at step %d, before it: %v", i+1, before), faults{killAt: i + 1, victim: coordinator, before: before})
		}
	}
}

func killExecutors(t *testing.T, steps []int, same same) {
	for i, who := range steps {
		if who != coordinator {
			same(t, fmt.Sprintf("rank %d killed at step %d", who, i+1), faults{killAt: i + 1, victim: who})
		}
	}
}

func storm(t *testing.T, seeds int, same same) {
	for seed := range uint64(seeds) {
		same(t, fmt.Sprintf("storm of seed %d", seed), faults{storm: newWeather(seed)})
	}
}

// weather is chance. The world asks it under its lock.
type weather struct {
	rnd   *rand.Rand
	rough int // faults still to come
	worst time.Duration
}

func newWeather(seed uint64) *weather {
	w := &weather{rnd: rand.New(rand.NewPCG(seed, 1))}
	w.rough = 1 + w.rnd.IntN(6)
	w.worst = time.Duration(1+w.rnd.IntN(300)) * time.Millisecond
	return w
}

// strikes reports whether a step goes wrong, one in so many.
func (w *weather) strikes(in int) bool {
	if w == nil || w.rough == 0 || w.rnd.IntN(in) > 0 {
		return false
	}
	w.rough--
	return true
}

// delay is how late a message comes.
func (w *weather) delay() time.Duration {
	if w == nil {
		return 0
	}
	return time.Duration(w.rnd.Int64N(int64(w.worst)))
}

// again reports whether a second copy of a message comes, and how much later.
func (w *weather) again() (time.Duration, bool) {
	if w == nil || w.rnd.IntN(5) > 0 {
		return 0, false
	}
	return w.delay() * 4, true
}
