package host

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/capstan-run/capstan/core/gang"
)

// retire ends the lease: from now on nobody is heard, and nothing may be added
// to what tearDown removes. h.mu is held.
func (g *gangRun) retire() {
	g.gone = true
	g.cancel()
	for _, m := range g.members {
		m.lost = true
		delete(g.attempt.h.members, m.id)
	}
}

// tearDown stops the gang's executors and removes its directory. It runs
// outside the lock and returns when nothing is left.
func (g *gangRun) tearDown() { g.torn.Do(g.clear) }

func (g *gangRun) clear() {
	h := g.attempt.h
	h.mu.Lock()
	g.retire()
	var ids []string
	for _, m := range g.members {
		ids = append(ids, m.id)
	}
	fenced := slices.Concat(g.state.Fenced, ids)
	listeners, dir := g.listeners, g.state.Dir
	h.mu.Unlock()
	for _, id := range ids {
		h.server.Fence(id)
	}
	for _, l := range listeners {
		l.Close()
	}
	g.work.Wait()
	h.stopExecutors(ids)
	h.volumes.release(g)
	for _, id := range fenced {
		h.server.Forget(id)
	}
	h.removeGangDir(dir)
}

// release ends a gang that its coordinator let go, and queues it again if the
// coordinator has asked for it meanwhile.
func (g *gangRun) release(why string) {
	a, h := g.attempt, g.attempt.h
	h.persistPatiently(a.ctx, a.job, g.event("released", fmt.Sprintf("gang %s: %s", g.state.Ask.Name, why))...)
	g.tearDown()
	h.mu.Lock()
	defer h.mu.Unlock()
	if a.over() {
		return // the end of the attempt releases it
	}
	if g.noted {
		g.keepPlace()
	}
	// An element may be granted again at once.
	delete(a.gangs, g.state.Ask.Name)
	g.forget()
	// It goes whatever it holds by now: a grant that came since retire was not
	// taken up, so the lease would be the wrong one to name.
	h.step(gang.Release{Now: now().UnixMilli(), Gang: g.id, Ended: g.ending})
	if g.again != nil {
		a.addGang(*g.again)
		a.gangs[g.again.Name].wanted = true
	}
}

// stopExecutors stops ids, insisting while the host lives.
func (h *Host) stopExecutors(ids []string) {
	if len(ids) == 0 {
		return
	}
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(h.ctx), 30*time.Second)
		err := h.cfg.Launcher.Stop(ctx, ids...)
		cancel()
		if err == nil {
			return
		}
		h.log.Warn("stop executors", "ids", ids, "err", err)
		select {
		case <-h.ctx.Done():
			return // the next host stops what it does not know
		case <-time.After(wait):
		}
	}
}
