package work

import (
	"sync"

	"github.com/capstan-run/capstan/shuffle"
)

// rungs counts what a worker reads of exchange files.
type rungs struct {
	metrics shuffle.Metrics

	mu      sync.Mutex
	told    map[shuffle.Rung]int64
	damaged int64 // told
}

// news is what was counted since the last call.
func (r *rungs) news() (read map[shuffle.Rung]int64, damaged int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := &r.metrics
	for rung, bytes := range map[shuffle.Rung]int64{
		shuffle.RungMemory: m.MemoryBytes.Load(), shuffle.RungLocal: m.LocalBytes.Load(),
		shuffle.RungPeer: m.PeerBytes.Load(), shuffle.RungStore: m.StoreBytes.Load(),
	} {
		n := bytes - r.told[rung]
		if n == 0 {
			continue
		}
		if read == nil {
			read = map[shuffle.Rung]int64{}
		}
		if r.told == nil {
			r.told = map[shuffle.Rung]int64{}
		}
		read[rung], r.told[rung] = n, bytes
	}
	damaged = m.Corrupt.Load() - r.damaged
	r.damaged += damaged
	return read, damaged
}
