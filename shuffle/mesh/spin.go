package mesh

import (
	"runtime"
	"sync/atomic"
)

// spinner decides how long a call looks for what it waits for before it
// sleeps. Where looking has paid lately it looks longer: on a machine with a
// core for every rank an answer comes within a microsecond, and on one without
// every look takes time from the rank that is to answer.
type spinner struct {
	level atomic.Int32
}

const (
	minSpin   = 64
	maxSpin   = 1 << 13 // about 20 µs
	spinBurst = 64      // looks before other goroutines get their turn
)

func (s *spinner) budget(worth bool) int {
	if !worth {
		return 0
	}
	return max(minSpin, int(s.level.Load()))
}

// until looks for ok and takes each look off the budget.
func (s *spinner) until(budget *int, ok func() bool) bool {
	for *budget > 0 {
		if ok() {
			return true
		}
		if *budget--; *budget%spinBurst == 0 {
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

func (s *spinner) lost() { s.level.Store(s.level.Load() / 2) }
