package host

import (
	"context"
	"time"

	"github.com/capstan-run/capstan/core/gang"
)

// lookAgain bounds how long the scheduler waits for what is due: it counts in
// the clock of the wall, and somebody may set that.
const lookAgain = time.Minute

// tick lets time pass for the scheduler when something is due there.
func (h *Host) tick(ctx context.Context) {
	for {
		h.mu.Lock()
		due := h.sched.Next()
		h.mu.Unlock()
		var alarm <-chan time.Time // never, if nothing is due
		if due != 0 {
			alarm = time.After(min(time.UnixMilli(due).Sub(now()), lookAgain))
		}
		select {
		case <-ctx.Done():
			return
		case <-h.due:
		case <-alarm:
			h.mu.Lock()
			h.step(gang.Tick{Now: now().UnixMilli()})
			h.mu.Unlock()
		}
	}
}
