package work

import (
	"sync"

	"golang.org/x/sys/unix"
)

// ledger shares the process's CPU time, that of ended children included, out
// among the tries that run: evenly, while several run at once.
type ledger struct {
	mu      sync.Mutex
	running int
	last    int64 // CPU nanoseconds of the process at the last change
	share   int64 // of a try that has run since the beginning
}

// begin starts an account.
func (l *ledger) begin() (start int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.turn()
	l.running++
	return l.share
}

// end closes an account and answers its CPU nanoseconds.
func (l *ledger) end(start int64) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.turn()
	l.running--
	return l.share - start
}

func (l *ledger) turn() {
	now := max(processCPU(), l.last) // the kernel rounds the parts of the sum
	if l.running > 0 {
		l.share += (now - l.last) / int64(l.running)
	}
	l.last = now
}

func processCPU() int64 {
	var total int64
	for _, who := range []int{unix.RUSAGE_SELF, unix.RUSAGE_CHILDREN} {
		var u unix.Rusage
		if unix.Getrusage(who, &u) == nil {
			total += u.Utime.Nano() + u.Stime.Nano()
		}
	}
	return total
}
