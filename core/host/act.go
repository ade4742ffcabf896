package host

import (
	"context"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/gang"
)

// step runs one event through the scheduler and carries out its actions.
// h.mu is held.
func (h *Host) step(e gang.Event) gang.Result {
	h.record(e)
	due := h.sched.Next()
	res := h.sched.Step(e)
	if h.sched.Next() != due {
		select {
		case h.due <- struct{}{}:
		default: // it will look anyway
		}
	}
	for _, a := range res.Actions {
		h.act(a)
	}
	return res
}

// act carries out one decision. h.mu is held; whatever blocks goes its own way.
func (h *Host) act(a gang.Action) {
	switch a := a.(type) {
	case gang.Grant:
		if g := h.gangOf(a.Gang); g != nil {
			g.granted(a)
		}
	case gang.Revoke:
		if g := h.gangs[a.Gang]; g != nil {
			g.revoked(a)
		}
	case gang.Grow:
		if g := h.gangs[a.Gang]; g != nil {
			g.grow(a)
		}
	case gang.Shrink:
		if g := h.gangs[a.Gang]; g != nil {
			g.shrinks(a)
		}
	case gang.GiveWay:
		if g := h.gangs[a.Gang]; g != nil {
			g.noticed(a)
		}
	case gang.Refuse:
		if whole, index, ok := h.wholeOf(a.Gang); ok {
			whole.refuseElements([]core.ArrayRange{{First: index, Last: index, Step: 1}}, a.Err())
			return
		}
		if g := h.gangs[a.Gang]; g != nil {
			err := a.Err()
			if len(a.Elements) > 0 {
				g.refuseElements(a.Elements, err)
				return
			}
			if g.failure != nil {
				err = g.failure
			}
			if g.hopes() {
				g.giveUp(err)
			} else {
				g.attempt.end(err)
			}
		}
	case gang.Expire:
		if g := h.gangs[a.Gang]; g != nil {
			if g.whole != nil {
				g.elementExpired(a)
				return
			}
			w := g.attempt.job.rec.Job.Spec.Metadata.Walltime
			h.cancelLocked(g.attempt.job, core.Errorf(core.TimedOut, "the job's walltime of %s is over", w).
				Do("raise metadata.walltime, or give the gang more cores"))
		}
	case gang.Replace:
		if g := h.gangs[a.Gang]; g != nil {
			g.replace(a)
		}
	case gang.Lost:
		if g := h.gangs[a.Gang]; g != nil {
			for _, r := range a.Ranks {
				m, why := g.members[r], "node "+string(a.Node)+" went down"
				if notice, ok := g.foretold(r); ok {
					why = notice
				}
				h.goRun(func(context.Context) { h.lose(m, why, false) })
			}
		}
	}
}
