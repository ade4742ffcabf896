package store

import (
	"log/slog"
	"sync"
	"time"
)

// again is after how long a wait that lasts is told once more.
const again = 30 * time.Second

// Tell is the default Config whose calls say in log that they wait for the
// store, and that it is back: once for all calls that wait together. nil: nowhere.
func Tell(log *slog.Logger) Config {
	if log == nil {
		return Config{}
	}
	t := &teller{log: log}
	return Config{Waiting: t.waiting, Recovered: t.recovered}
}

type teller struct {
	log  *slog.Logger
	mu   sync.Mutex
	told time.Time // zero: nobody waits
}

func (t *teller) waiting(w Wait) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.told.IsZero() && time.Since(t.told) < again {
		return
	}
	t.told = time.Now()
	t.log.Warn("waiting for the store", "verb", w.Verb, "path", w.Path, "for", w.For.Round(time.Millisecond), "error", w.Cause)
}

func (t *teller) recovered(w Wait) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.told.IsZero() {
		return
	}
	t.told = time.Time{}
	t.log.Info("the store is back", "after", w.For.Round(time.Millisecond))
}
