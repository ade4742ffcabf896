package graph

import (
	"sync"
	"sync/atomic"
)

// parallel calls f for each piece of work, on at most cores goroutines, this
// one among them, and returns when all are done.
func parallel[W any](work []W, cores int, f func(W)) {
	var next atomic.Int64
	take := func() {
		for i := next.Add(1) - 1; int(i) < len(work); i = next.Add(1) - 1 {
			f(work[i])
		}
	}
	var others sync.WaitGroup
	for range min(cores, len(work)) - 1 {
		others.Go(take)
	}
	take()
	others.Wait()
}
