package host

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/gang"
)

// errGaveWay ends an attempt whose place another took: the next begins when
// there is room again, and none of the job's retries is used up.
var errGaveWay = errors.New("it gave way")

// noticed passes the notice on to the coordinator, so that it may keep what its
// work needs to go on. h.mu is held.
func (g *gangRun) noticed(act gang.GiveWay) {
	if !g.holds(act.Lease) {
		return
	}
	g.stay(act.Reason) // of the same reason, with another deadline
	g.noted = true
	until := time.UnixMilli(act.Until).UTC()
	g.warn(core.GiveWay{Gang: g.state.Ask.Name, Until: until, Reason: act.Reason})
	g.tell("give-way", fmt.Sprintf("gang %s has to give way by %s: %s", g.state.Ask.Name, until.Format(time.RFC3339), act.Reason))
}

// stay takes back the notice that g had for a reason, if it had one: the gang keeps
// its place. What it has to give way for still, it is told once more. h.mu is held.
func (g *gangRun) stay(reason string) {
	n := len(g.notices)
	g.notices = slices.DeleteFunc(g.notices, func(e core.Event) bool {
		v, ok := e.(core.GiveWay)
		return ok && !v.Final && v.Reason == reason
	})
	if len(g.notices) == n {
		return
	}
	say := func(core.Event) {}
	if g.wanted {
		say = g.attempt.side.tell
	}
	say(core.Stay{Gang: g.state.Ask.Name})
	g.noted = false
	for _, e := range g.notices {
		if _, ok := e.(core.GiveWay); ok {
			g.noted = true
			say(e)
		}
	}
}

// stay takes back the notices that the drain of a node gave. h.mu is held.
func (h *Host) stay(node core.NodeID) {
	for _, g := range h.gangs {
		if n := len(g.notices); n > 0 {
			if g.stay(drainOf(node)); len(g.notices) < n {
				g.tell("stay", fmt.Sprintf("gang %s stays: nothing on node %s has to move any more", g.state.Ask.Name, node))
				g.attempt.job.rec.Job.Progress.Note = ""
			}
		}
	}
}

// drainOf is the reason of the notices that the drain of a node gives, as the
// scheduler words it.
func drainOf(node core.NodeID) string { return fmt.Sprintf("node %s is being drained", node) }

// warn tells the coordinator what g will lose, and keeps it for one that comes
// before that has happened. h.mu is held.
func (g *gangRun) warn(notice core.Event) {
	g.notices = append(g.notices, notice)
	if g.wanted {
		g.attempt.side.tell(notice)
	}
}

// remind tells a coordinator that has just heard of g what an earlier one was
// told and is still to come. h.mu is held.
func (g *gangRun) remind() {
	g.notices = slices.DeleteFunc(g.notices, func(e core.Event) bool { return !until(e).After(now()) })
	for _, e := range g.notices {
		g.attempt.side.tell(e)
	}
}

// warnOfDrains gives a gang that has come up the notice that those had who ran when
// the drain of a node of theirs was ordered. h.mu is held.
func (g *gangRun) warnOfDrains() {
	notice := gang.GiveWay{Gang: g.id, Lease: g.state.Lease}
	for _, m := range g.members {
		if at := g.attempt.h.policy.Drains[m.node]; at != 0 && (notice.Until == 0 || at < notice.Until) {
			notice.Until, notice.Reason = at, drainOf(m.node)
		}
	}
	if notice.Until > now().UnixMilli() {
		g.noticed(notice)
	}
}

// foretold is the reason of a notice that a rank would be lost by now; ok is false
// for one that had none. h.mu is held.
func (g *gangRun) foretold(rank int) (reason string, ok bool) {
	for _, e := range g.notices {
		switch e := e.(type) {
		case core.GiveWay:
			if !e.Until.After(now()) {
				return e.Reason, true
			}
		case core.Shrink:
			if slices.Contains(e.Ranks, rank) {
				return e.Reason, true
			}
		}
	}
	return "", false
}

// until is when what a notice tells of happens.
func until(notice core.Event) time.Time {
	switch e := notice.(type) {
	case core.GiveWay:
		return e.Until
	case core.Shrink:
		return e.Until
	}
	return time.Time{}
}

// evicted takes away a gang that was up. An attempt that can go on without it
// hears that its executors are lost and waits for it; another ends, and the
// next begins in its place in line. h.mu is held.
func (g *gangRun) evicted(act gang.Revoke) {
	a := g.attempt
	if a.over() {
		return
	}
	if g.hopes() {
		if g.wanted {
			for rank := range g.members {
				a.side.tell(core.ExecutorLost{Gang: g.state.Ask.Name, Rank: rank, Reason: act.Reason})
			}
		}
		g.requeue(act)
		return
	}
	for _, o := range a.gangs {
		o.keepPlace()
	}
	a.end(&core.Error{Kind: core.Failed, What: "its place was taken: " + act.Reason, Err: errGaveWay})
}

// keepPlace remembers where g stands in line, for when it is asked for again.
// h.mu is held.
func (g *gangRun) keepPlace() {
	j := g.attempt.job
	if j.arrivals == nil {
		j.arrivals = map[gang.ID]uint64{}
	}
	if v, ok := g.attempt.h.sched.Gang(g.id); ok && g.whole == nil {
		j.arrivals[g.id] = v.Arrival
	}
}
