package host

import (
	"context"
	"fmt"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/gang"
)

// memberJoined counts a member in; the last one brings the gang up. h.mu is held.
func (g *gangRun) memberJoined(m *member, running bool) {
	h := g.attempt.h
	if g.gone || g.attempt.over() {
		return
	}
	if m.joined {
		if g.state.Up && !running && !m.lost {
			h.server.Start(m.id)
		}
		return
	}
	m.joined = true
	h.server.SetGeneration(m.id, g.attempt.job.rec.Generation)
	if m.fresh {
		m.fresh = false
		h.server.Start(m.id)
		if g.wanted {
			g.attempt.side.tell(core.ExecutorReplaced{Gang: g.state.Ask.Name, Rank: m.rank})
		}
		g.do(func(ctx context.Context) {
			h.persistPatiently(ctx, g.attempt.job, g.event("executor-replaced", fmt.Sprintf("rank %d runs again", m.rank))...)
		})
		return
	}
	if g.state.Up {
		if !running { // the former host died before it could tell it to start
			h.server.Start(m.id)
		}
		g.adoptedOne()
		return
	}
	h.step(gang.MemberJoined{Now: now().UnixMilli(), Gang: g.id, Lease: g.state.Lease, Rank: m.rank})
	for _, o := range g.members {
		if !o.joined {
			return
		}
	}
	g.comeUp()
}

// comeUp opens the barrier: every member has joined. h.mu is held.
func (g *gangRun) comeUp() {
	h, a := g.attempt.h, g.attempt
	g.state.Up = true
	h.step(gang.Started{Now: now().UnixMilli(), Gang: g.id, Lease: g.state.Lease})
	for _, m := range g.members {
		h.server.SetGeneration(m.id, a.job.rec.Generation)
		h.server.Start(m.id)
	}
	if a.job.rec.Job.Started.IsZero() {
		a.job.rec.Job.Started = now()
	}
	a.job.rec.Job.State = core.Running
	a.job.notify()
	n := len(g.members)
	g.do(func(ctx context.Context) {
		h.persistPatiently(ctx, a.job, g.event("gang-up", upText(g.state.Ask.Name, n))...)
	})
	if g.wanted {
		a.side.tell(g.upEvent(false))
	}
	g.warnOfDrains()
}

// upEvent describes the gang to the coordinator. h.mu is held.
func (g *gangRun) upEvent(resumed bool) core.GangUp {
	up := core.GangUp{Gang: g.state.Ask.Name, Size: len(g.members), Resumed: resumed}
	for r, m := range g.members {
		up.Nodes = append(up.Nodes, m.node)
		if m.lost || m.fresh {
			up.Lost = append(up.Lost, r)
		}
	}
	return up
}

func (g *gangRun) setGeneration(gen int64) {
	for _, m := range g.members {
		if m != nil && m.joined && !m.lost {
			g.attempt.h.server.SetGeneration(m.id, gen)
		}
	}
}

func upText(name string, n int) string {
	if n == 1 {
		return "gang " + name + ": its executor is up"
	}
	return fmt.Sprintf("gang %s: all %d executors are up", name, n)
}

func executors(n int) string {
	if n == 1 {
		return "1 executor"
	}
	return fmt.Sprintf("%d executors", n)
}
