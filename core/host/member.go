package host

import (
	"context"
	"fmt"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/gang"
)

// member is one executor of a gang.
type member struct {
	gang   *gangRun
	rank   int
	id     string
	node   core.NodeID
	warm   bool // came from the pool
	joined bool
	lost   bool
	fresh  bool // a replacement that has not joined yet
}

// handler is the Host as its executors see it.
type handler Host

func (s *handler) host() *Host { return (*Host)(s) }

func (s *handler) Joined(id string, rank core.Rank, running bool) {
	h := s.host()
	h.mu.Lock()
	m := h.members[id]
	h.mu.Unlock()
	if m == nil {
		h.pool.joined(id)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if rank.Job == "" || m.lost {
		return // a warm one on its way, or one that is fenced already
	}
	m.gang.memberJoined(m, running)
}

func (s *handler) Message(id string, generation int64, data []byte) {
	h := s.host()
	h.mu.Lock()
	defer h.mu.Unlock()
	m := h.members[id]
	if m == nil || m.lost || generation != m.gang.attempt.job.rec.Generation {
		return
	}
	m.gang.attempt.side.tell(core.Message{Gang: m.gang.state.Ask.Name, Rank: m.rank, Data: data})
}

func (s *handler) Log(id string, at time.Time, text string) {
	h := s.host()
	h.mu.Lock()
	m := h.members[id]
	h.mu.Unlock()
	if m == nil {
		return
	}
	m.gang.attempt.job.log.add(LogLine{Time: at, Epoch: m.gang.attempt.epoch, Rank: m.rank, Text: m.gang.mark() + text})
}

// Beat needs no answer: the server tells of silence, and tasks report their CPU.
func (s *handler) Beat(string, time.Duration, core.Bytes) {}

func (s *handler) Silent(id string, since time.Duration) {
	h := s.host()
	h.mu.Lock()
	m := h.members[id]
	back := m == nil || m.joined || !m.gang.resumed
	h.mu.Unlock()
	if since < h.cfg.LostAfter || !back {
		return // an adopted one that is not back yet has AdoptWithin (law H3)
	}
	if m == nil {
		h.pool.lost(id)
		return
	}
	h.goRun(func(context.Context) {
		h.lose(m, fmt.Sprintf("no heartbeat for %s", since.Round(100*time.Millisecond)), false)
	})
}

func (s *handler) Ended(id string, err *core.Error, _ time.Duration) {
	h := s.host()
	h.mu.Lock()
	m := h.members[id]
	h.mu.Unlock()
	if m == nil {
		return
	}
	reason := "its worker ended"
	if err != nil {
		reason = err.Error()
		if err.Detail != "" {
			m.gang.attempt.job.log.add(LogLine{Time: now(), Epoch: m.gang.attempt.epoch, Rank: m.rank, Text: err.Detail})
		}
	}
	h.goRun(func(context.Context) { h.lose(m, reason, false) })
}

func (s *handler) Closed(string, error) {}

// lose declares an executor lost: fenced, removed, reported, and replaced if
// its attempt goes on. exited says that the engine saw it end; then its last
// words are worth keeping.
func (h *Host) lose(m *member, reason string, exited bool) {
	h.mu.Lock()
	g := m.gang
	a := g.attempt
	if m.lost || g.gone || h.members[m.id] != m {
		h.mu.Unlock()
		return
	}
	m.lost = true
	delete(h.members, m.id)
	g.work.Add(1) // the gang's directory stays until this one is stopped
	defer g.work.Done()
	up, fresh := g.state.Up, m.fresh
	g.state.Members[m.rank].Lost = true
	g.state.Fenced = append(g.state.Fenced, m.id)
	if _, ok := g.foretold(m.rank); !ok { // else it may happen as often as others need the room
		a.losses++
	}
	losses, limit, ctx := a.losses, 4*len(g.members)+4, g.ctx
	if g.whole != nil {
		losses = len(g.state.Fenced) // an array loses more the longer it is
	}
	h.mu.Unlock()

	h.server.Fence(m.id)
	var tail string
	if exited {
		tail = h.cfg.Launcher.Tail(h.ctx, m.id)
	}
	text := fmt.Sprintf("rank %d of gang %s lost: %s", m.rank, g.state.Ask.Name, reason)
	a.job.log.add(LogLine{Time: now(), Epoch: a.epoch, Rank: m.rank, Text: text})
	for _, line := range lastLines(tail, 20) {
		a.job.log.add(LogLine{Time: now(), Epoch: a.epoch, Rank: m.rank, Text: line})
	}
	h.log.Info("executor lost", "executor", m.id, "reason", reason)
	h.persist(a.job, a.job.event("executor-lost", text))

	h.mu.Lock()
	switch {
	case ctx.Err() != nil: // the lease went meanwhile, and the member with it
	case !up:
		g.failed(&core.Error{Kind: core.Failed, What: text + " before the gang was up", Detail: tail,
			Remedy: "see `capstan logs " + string(a.job.rec.Job.ID) + "`"}, m.node)
	case g.state.Ask.Restart == "none": // who goes on with it, if anybody, is the coordinator's
		if g.wanted {
			a.side.tell(core.ExecutorLost{Gang: g.state.Ask.Name, Rank: m.rank, Reason: reason})
		}
		h.step(gang.MemberLost{Now: now().UnixMilli(), Gang: g.id, Lease: g.state.Lease, Rank: m.rank, Reason: reason})
		a.job.notify()
	case losses > limit:
		a.end(&core.Error{Kind: core.Failed, What: fmt.Sprintf("%d executors were lost in this attempt; the last: %s", losses, reason), Detail: tail,
			Remedy: "see `capstan logs " + string(a.job.rec.Job.ID) + "`; if they ran out of memory, raise gang.memory"})
	default:
		if g.wanted && !fresh {
			a.side.tell(core.ExecutorLost{Gang: g.state.Ask.Name, Rank: m.rank, Reason: reason})
		}
		h.step(gang.MemberReplace{Now: now().UnixMilli(), Gang: g.id, Lease: g.state.Lease, Rank: m.rank})
		a.job.notify()
	}
	h.mu.Unlock()
	h.stopExecutors([]string{m.id})
}

// replace starts a new executor for a lost rank. h.mu is held.
func (g *gangRun) replace(act gang.Replace) {
	if !g.holds(act.Lease) {
		return
	}
	g.enlist(act.Rank, act.Node)
}

// enlist starts a new executor for a rank. h.mu is held.
func (g *gangRun) enlist(rank int, node core.NodeID) {
	h := g.attempt.h
	m := &member{gang: g, rank: rank, node: node, id: g.executorID(rank, len(g.state.Fenced)), fresh: true}
	g.members[rank] = m
	h.members[m.id] = m
	g.state.seat(m)
	dir := g.state.Dir
	g.do(func(ctx context.Context) {
		err := h.persistPatiently(ctx, g.attempt.job)
		if err == nil {
			err = g.launch(ctx, dir, []*member{m})
		}
		if err != nil {
			h.lose(m, "its start came to nothing: "+err.Error(), false)
		}
	})
}
