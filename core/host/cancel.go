package host

import (
	"context"
	"time"

	"github.com/capstan-run/capstan/core"
)

// Cancel asks a job to end. A job that ended already stays as it is.
func (h *Host) Cancel(ref, reason string) (core.Job, error) {
	why := core.Errorf(core.Cancelled, "cancelled by the user")
	if reason != "" {
		why.What += ": " + reason
	}
	h.mu.Lock()
	j, err := h.find(ref)
	asked := false
	if err == nil {
		asked = h.cancelLocked(j, why)
	}
	h.mu.Unlock()
	if err != nil {
		return core.Job{}, err
	}
	if asked {
		err = h.persist(j)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return j.rec.Job, err
}

// cancelLocked ends j for the given reason: at once while it waits, else by
// asking its coordinator first. It reports whether that is news, which the
// caller then persists. h.mu is held.
func (h *Host) cancelLocked(j *job, why *core.Error) bool {
	if j.rec.Job.State.Final() || j.cancel != nil {
		return false
	}
	j.cancel = why
	j.rec.Cancel = &cancelled{Kind: why.Kind, What: why.What, Remedy: why.Remedy}
	a := j.attempt
	switch {
	case a == nil || a.ctx.Err() != nil:
		// Between two attempts: the next one finds it.
	case !a.running || j.rec.Job.State != core.Running:
		a.end(why)
	default:
		a.askToEnd(why)
	}
	return true
}

// askToEnd lets the coordinator end by itself, for a while. h.mu is held.
func (a *attempt) askToEnd(why *core.Error) {
	a.side.tell(core.CancelAsked{Reason: why.What})
	a.h.goRun(func(ctx context.Context) {
		select {
		case <-ctx.Done():
		case <-a.ctx.Done():
		case <-time.After(a.grace()):
			a.cancel(why)
		}
	})
}

// grace is how long the coordinator has to end: a gang's own grace, where that
// is longer than the host's.
func (a *attempt) grace() time.Duration {
	a.h.mu.Lock()
	defer a.h.mu.Unlock()
	longest := a.h.cfg.Grace
	for _, ask := range a.job.rec.Plan.Gangs {
		longest = max(longest, time.Duration(ask.Grace))
	}
	return longest
}
