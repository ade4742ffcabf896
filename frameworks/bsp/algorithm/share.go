package algorithm

import (
	"sync"
	"sync/atomic"

	"github.com/capstan-run/capstan/frameworks/bsp/graph"
)

// sharesPerCore is how many shares of a loop a core has on average. Shares are
// taken as cores come free, so one with a slow vertex delays nothing but itself.
const sharesPerCore = 16

// share runs f for ranges of local vertices that together are all of them, on so
// many cores. The ranges have about the same number of edges of list. f is told
// which core it runs on, 0 <= core < cores.
func share(cores int, list *graph.CSR, f func(core, from, to int)) {
	if cores <= 1 {
		if n := list.Vertices(); n > 0 {
			f(0, 0, n)
		}
		return
	}
	cuts := list.Cuts(cores * sharesPerCore)
	var next atomic.Int64
	var wait sync.WaitGroup
	for core := range min(cores, len(cuts)) {
		wait.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(cuts)); i = next.Add(1) - 1 {
				f(core, cuts[i].First, cuts[i].End)
			}
		})
	}
	wait.Wait()
}
