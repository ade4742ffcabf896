package host

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/gang"
)

// grow starts the executors by which an elastic gang grows. Its coordinator
// hears of each when it has joined. h.mu is held.
func (g *gangRun) grow(act gang.Grow) {
	if !g.holds(act.Lease) {
		return
	}
	g.notices = slices.DeleteFunc(g.notices, func(e core.Event) bool { _, is := e.(core.Shrink); return is }) // it is over
	for i, node := range act.Nodes {
		rank := act.First + i
		if rank == len(g.members) {
			g.members = append(g.members, nil)
			g.state.Members = append(g.state.Members, memberState{})
		}
		g.enlist(rank, node)
	}
	g.tell("grown", fmt.Sprintf("gang %s grows to %d executors", g.state.Ask.Name, act.First+len(act.Nodes)))
}

// shrinks says that an elastic gang will lose its last ranks, so that its
// coordinator gives them nothing more to do. h.mu is held.
func (g *gangRun) shrinks(act gang.Shrink) {
	if !g.holds(act.Lease) {
		return
	}
	until := time.UnixMilli(act.Until).UTC()
	g.warn(core.Shrink{Gang: g.state.Ask.Name, Ranks: act.Ranks, Until: until, Reason: act.Reason})
	g.tell("shrinks", fmt.Sprintf("gang %s goes on with %d executors from %s: %s", g.state.Ask.Name, len(g.members)-len(act.Ranks),
		until.Format(time.RFC3339), act.Reason))
}

// tell notes what becomes of a gang that is up. h.mu is held.
func (g *gangRun) tell(kind, text string) {
	a := g.attempt
	a.job.rec.Job.Progress.Note = text
	a.job.notify()
	event := g.event(kind, text)
	a.h.goRun(func(context.Context) { a.h.persist(a.job, event...) })
}

// stretch is how many executors the elastic gangs of j have, 0 if it has none.
// Host.mu is held.
func (j *job) stretch() (n int) {
	if j.attempt == nil || !elastic(j.rec.Job.Spec.Gang) {
		return 0
	}
	for _, g := range j.attempt.gangs {
		if g.gone || g.state.Lease == 0 {
			continue
		}
		for _, m := range g.members {
			if m != nil && !m.lost {
				n++
			}
		}
	}
	return n
}

// elastic reports whether a gang, or a role of it, may have more executors at one
// time than at another.
func elastic(g core.Gang) bool {
	stretches := func(size, least, most int) bool { return least != 0 && least != size || most != 0 && most != size }
	return stretches(g.Size, g.Min, g.Max) ||
		slices.ContainsFunc(g.Roles, func(r core.Role) bool { return stretches(r.Size, r.Min, r.Max) })
}
