package host

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/gang"
)

// recover rebuilds the host from its journal and the launcher's list (law H3).
func (h *Host) recover(ctx context.Context) error {
	jobs, err := h.loadJobs(ctx)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.lease, err = h.forgottenLease(ctx); err != nil {
		return err
	}
	if err := h.loadPolicy(ctx); err != nil {
		return err
	}
	cfg := gang.Config{Lease: h.lastLease(jobs), Queues: h.policy.queues()}
	if err := h.openEventLog(cfg); err != nil {
		return err
	}
	h.sched = gang.New(cfg)
	for _, n := range h.nodes {
		h.step(gang.NodeUp{Now: now().UnixMilli(), Node: n})
	}
	h.applyPolicy()
	running, err := h.runningExecutors(ctx)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	// Gangs are adopted in a row (gang.Adopt), so the ends are told before.
	for _, j := range jobs {
		if j.rec.Job.State.Final() {
			h.tellEnd(j)
		}
	}
	var waiting []*attempt // they queue when all that is taken is known to be
	for _, j := range jobs {
		switch {
		case !j.rec.Job.State.Final():
			if a := h.adopt(j, running, known); a != nil {
				waiting = append(waiting, a)
			}
		case !j.rec.Swept:
			h.sweepLater(j)
		}
	}
	h.drainAdopted()
	for _, a := range waiting {
		if err := h.orphaned(a.job); err != nil {
			a.end(err)
			continue
		}
		a.again = true
		a.submitGangs()
	}
	var strangers []string
	for id := range running {
		if !known[id] {
			strangers = append(strangers, id)
		}
	}
	sort.Strings(strangers)
	if len(strangers) > 0 {
		h.log.Info("stop executors nobody knows", "ids", strangers)
		h.goRun(func(context.Context) { h.stopExecutors(strangers) })
	}
	h.sweepGangDirs()
	h.goRun(func(context.Context) { h.sweepVolumes() })
	return nil
}

func (h *Host) loadJobs(ctx context.Context) ([]*job, error) {
	list, err := h.journal.Jobs(ctx, "", 0)
	if err != nil {
		return nil, err
	}
	var jobs []*job
	for i := len(list) - 1; i >= 0; i-- { // oldest first
		doc := list[i]
		j := newJob()
		close(j.accepted)
		state, err := h.journal.Saved(ctx, doc.ID, 0)
		if err == nil {
			err = json.Unmarshal(state, &j.rec)
		}
		if err != nil {
			return nil, core.Errorf(core.Internal, "read job %s from the journal: %v", doc.ID, err).At(h.cfg.StateDir)
		}
		if j.log, err = openLog(h.logPath(doc.ID)); err != nil {
			return nil, err
		}
		if j.rec.Job.State.Final() && j.rec.Swept {
			j.log.close()
		}
		h.jobs[doc.ID] = j
		h.order = append(h.order, doc.ID)
		h.learn(&j.rec.Job)
		jobs = append(jobs, j)
	}
	return jobs, nil
}

func (h *Host) lastLease(jobs []*job) uint64 {
	last := h.lease
	for _, j := range jobs {
		last = max(last, j.rec.Lease)
		for _, g := range j.rec.Gangs {
			last = max(last, g.Lease)
		}
	}
	return last
}

// runningExecutors lists what runs, and what ended unseen, by id.
func (h *Host) runningExecutors(ctx context.Context) (map[string]bool, error) {
	list, err := h.cfg.Launcher.List(ctx)
	if err != nil {
		return nil, err
	}
	out := map[string]bool{}
	for _, s := range list {
		out[s.ID] = s.Running
	}
	return out, nil
}

// adopt takes a job over from a former life of the host. It answers the attempt
// if its gangs have to queue, nil if one of them is up. h.mu is held.
func (h *Host) adopt(j *job, running, known map[string]bool) *attempt {
	if c := j.rec.Cancel; c != nil {
		j.cancel = c.err()
	}
	a := h.newAttempt(j)
	a.resumed = j.rec.Generation > 0 || j.rec.Job.State == core.Running
	upGangs := 0
	for _, name := range gangNames(j) {
		old := j.rec.Gangs[name]
		if old == nil || !old.Up {
			continue
		}
		upGangs++
		g := newGangRun(a, old.Ask)
		g.state = old
		j.rec.Gangs[name] = old
		g.resumed = true
		a.losses += len(old.Fenced)
		var nodes []core.NodeID
		var lost []int
		for r, ms := range old.Members {
			m := &member{gang: g, rank: r, id: ms.ID, node: ms.Node}
			g.members = append(g.members, m)
			nodes = append(nodes, ms.Node)
			h.members[m.id] = m
			known[m.id] = true
			if ms.Lost || !running[m.id] {
				lost = append(lost, r)
			}
			h.server.Restore(m.id, core.Rank{Job: j.rec.Job.ID, Epoch: a.epoch, Gang: name, Rank: r})
		}
		for _, id := range old.Fenced {
			h.server.Fence(id)
		}
		h.step(gang.Adopt{Now: now().UnixMilli(), Request: g.request(), Lease: old.Lease, Placement: nodes, Roles: old.roles(), Since: j.rec.Job.Started.UnixMilli()})
		for _, v := range g.state.Ask.Volumes {
			h.volumes.try(v.Name, g)
		}
		if !g.gone && !a.over() { // its walltime may be over
			g.do(func(ctx context.Context) { a.reattach(ctx, g, lost) })
		}
	}
	if upGangs > 0 {
		return nil
	}
	// Nothing of it was up: what was starting is stopped as unknown, and the
	// gangs queue again.
	j.rec.Job.State = core.Queued
	j.rec.Gangs = nil
	return a
}

// gangNames lists j's gangs in the plan's order, then the others by name.
func gangNames(j *job) []string {
	var names []string
	seen := map[string]bool{}
	for _, ask := range j.rec.Plan.Gangs {
		names, seen[ask.Name] = append(names, ask.Name), true
	}
	var rest []string
	for name := range j.rec.Gangs {
		if !seen[name] {
			rest = append(rest, name)
		}
	}
	sort.Strings(rest)
	return append(names, rest...)
}

// reattach opens the sockets of an adopted gang, gives its executors time to
// dial in, declares the others lost, and lets the coordinator go on.
func (a *attempt) reattach(ctx context.Context, g *gangRun, lost []int) {
	h := a.h
	h.mu.Lock()
	lease, dir, members := g.state.Lease, g.state.Dir, slices.Clone(g.members)
	h.mu.Unlock()
	door, err := a.openDoor()
	if err == nil {
		err = g.serveControl(lease, dir)
	}
	if err == nil {
		err = g.serveStore(lease, dir, door)
	}
	if err != nil {
		h.mu.Lock()
		a.end(err)
		h.mu.Unlock()
		return
	}
	for _, r := range lost {
		h.lose(members[r], "ended while the host was away", true)
	}
	deadline := time.After(h.cfg.AdoptWithin)
	for {
		missing, changed := g.missing()
		if len(missing) == 0 {
			break
		}
		select {
		case <-changed:
		case <-deadline:
			for _, m := range missing {
				h.lose(m, fmt.Sprintf("did not come back within %s of the host's restart", h.cfg.AdoptWithin), false)
			}
		case <-ctx.Done():
			return
		}
	}
	h.mu.Lock()
	over := a.over()
	if !over {
		a.job.rec.Job.State = core.Running
		a.begin()
	}
	h.mu.Unlock()
	if over {
		return
	}
	h.persistPatiently(ctx, a.job, g.event("adopted", fmt.Sprintf("gang %s: adopted after a restart of the host", g.state.Ask.Name))...)
}

// missing are the adopted members that have not dialled in, and what is closed
// when that may have changed.
func (g *gangRun) missing() (list []*member, changed <-chan struct{}) {
	g.attempt.h.mu.Lock()
	defer g.attempt.h.mu.Unlock()
	for _, m := range g.members {
		if !m.joined && !m.lost && !m.fresh {
			list = append(list, m)
		}
	}
	return list, g.attempt.job.changed
}

// adoptedOne is called when a member of an adopted gang dialled in.
func (g *gangRun) adoptedOne() { g.attempt.job.notify() }

// sweepLater removes what a job that had ended left behind. h.mu is held.
func (h *Host) sweepLater(j *job) {
	a := &attempt{h: h, job: j, epoch: j.rec.Job.Epoch, gangs: map[string]*gangRun{}}
	a.side = newSide(a)
	a.side.close()
	a.ctx, a.cancel = context.WithCancelCause(h.ctx)
	a.cancel(errOver)
	j.attempt = a
	h.goRun(func(context.Context) { a.sweep() })
}

// sweepGangDirs removes the directories of gangs nobody runs. h.mu is held.
func (h *Host) sweepGangDirs() {
	used := map[string]bool{}
	for _, j := range h.jobs {
		if j.attempt == nil {
			continue
		}
		for _, g := range j.attempt.gangs {
			used[filepath.Base(g.state.Dir)] = true
		}
	}
	dir := filepath.Join(h.cfg.StateDir, "gangs")
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if !used[e.Name()] {
			h.removeGangDir(filepath.Join(dir, e.Name()))
		}
	}
	h.sweepShmDirs()
}
