package mesh

import (
	"runtime"
	"sync/atomic"
)

// spinner decides how long a call looks for what it waits for before it
// sleeps. Where looking has paid lately it looks longer: on a machine with a
// core for every rank an answer comes within a microsecond, and on one without
// every look takes time from the rank that is to answer.
//
// Two ranks that sleep in turn find each other asleep for ever, since waking
// takes longer than a short look. So one look in probeEvery is a long one.
//
// While it looks it does not let other goroutines have their turn, unless there
// is one processor for all of them. [runtime.Gosched] wakes an idle thread of
// this process to take what was given up, and on a machine with a core for
// every rank that thread takes its core from the rank that is to answer.
type spinner struct {
	single bool // all goroutines share one processor
	level  atomic.Int32
	misses atomic.Uint32
}

const (
	minSpin    = 1 << 12 // about what sleeping and waking cost
	maxSpin    = 1 << 14 // some 50 µs
	spinBurst  = 256     // looks before other goroutines get their turn
	probeEvery = 8
	matchLooks = 32 // what a match costs, in looks
)

func (s *spinner) budget(worth bool) int {
	switch {
	case !worth:
		return 0
	case s.misses.Load()%probeEvery == probeEvery-1:
		return maxSpin
	default:
		return max(minSpin, int(s.level.Load()))
	}
}

// until looks for ok and takes each look off the budget.
func (s *spinner) until(budget *int, ok func() bool) bool {
	for *budget > 0 {
		if ok() {
			return true
		}
		if *budget--; *budget%spinBurst == 0 && s.single {
			runtime.Gosched()
		}
	}
	return false
}

func (s *spinner) won() {
	if l := s.level.Load(); l < maxSpin {
		s.level.Store(min(maxSpin, max(minSpin, 2*l)))
	}
}

func (s *spinner) lost() {
	s.level.Store(s.level.Load() / 2)
	s.misses.Add(1)
}
