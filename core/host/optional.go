package host

import (
	"context"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/gang"
)

// hopes reports whether the attempt goes on without g. Before its coordinator
// runs there is nobody to tell, and a job that cannot start should say so.
// h.mu is held.
func (g *gangRun) hopes() bool { return g.state.Ask.Optional && g.attempt.running }

// giveUp ends an optional gang that will not come up, tells the coordinator,
// and queues it again if that has asked meanwhile. h.mu is held.
func (g *gangRun) giveUp(err *core.Error) {
	h, a := g.attempt.h, g.attempt
	if g.gone {
		return
	}
	g.gone = true
	delete(a.job.rec.Gangs, g.state.Ask.Name)
	event := g.event("gang-refused", "gang "+g.state.Ask.Name+": "+err.Error())
	h.goRun(func(context.Context) {
		h.persistPatiently(a.ctx, a.job, event...)
		g.tearDown()
		h.mu.Lock()
		defer h.mu.Unlock()
		if a.over() {
			return
		}
		h.step(gang.Release{Now: now().UnixMilli(), Gang: g.id})
		delete(a.gangs, g.state.Ask.Name)
		g.forget()
		if g.wanted || g.again != nil {
			a.side.tell(core.GangRefused{Gang: g.state.Ask.Name, Err: err})
		}
		if g.again != nil {
			a.addGang(*g.again)
			a.gangs[g.again.Name].wanted = true
		}
	})
}
