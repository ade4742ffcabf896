package host

import (
	"cmp"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/gang"
	"github.com/capstan-run/capstan/core/journal"
)

const (
	// retainEvery is how often the past is looked through.
	retainEvery = time.Hour
	// forgetAtOnce is how many jobs one transaction forgets, and how many more
	// than are to be kept may gather.
	forgetAtOnce = 100
	// leaseKey is where the journal keeps the last lease of forgotten jobs.
	leaseKey = "lease"
)

// retain forgets what is too old (law H9): at the start, rarely, and when many
// jobs have ended.
func (h *Host) retain(ctx context.Context) {
	h.sweepJobDirs()
	every := time.NewTicker(retainEvery)
	defer every.Stop()
	for {
		h.forgetOld(ctx, now())
		h.sweepArtifacts(now())
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		case <-h.crowd:
		}
	}
}

// crowded has the past looked through once it is larger than it should be.
// h.mu is held.
func (h *Host) crowded() {
	if h.cfg.KeepJobs < 0 || len(h.jobs) <= h.cfg.KeepJobs+forgetAtOnce {
		return
	}
	select {
	case h.crowd <- struct{}{}:
	default:
	}
}

// forgetOld forgets the jobs that are too old at a time, in bounded batches.
func (h *Host) forgetOld(ctx context.Context, at time.Time) {
	cal := h.clerk.calendar()
	h.mu.Lock()
	awaited := h.awaited()
	old := slices.DeleteFunc(h.outdated(at), func(j *job) bool { return awaited[j.rec.Job.ID] || cal.Awaited(j.rec.Job.ID) })
	h.mu.Unlock()
	for batch := range slices.Chunk(old, forgetAtOnce) {
		if ctx.Err() != nil {
			return
		}
		if err := h.forget(ctx, batch); err != nil {
			h.log.Warn("forget old jobs", "jobs", len(batch), "err", err)
			return
		}
	}
	if len(old) > 0 {
		h.log.Info("forgot old jobs", "jobs", len(old))
	}
}

// outdated is the jobs to forget, the oldest first. h.mu is held.
func (h *Host) outdated(at time.Time) []*job {
	var ended []*job
	for _, j := range h.jobs {
		if j.rec.Job.State.Final() {
			ended = append(ended, j)
		}
	}
	slices.SortFunc(ended, func(a, b *job) int { // the last first
		return cmp.Or(b.rec.Job.Ended.Compare(a.rec.Job.Ended), cmp.Compare(b.rec.Job.ID, a.rec.Job.ID))
	})
	var old []*job
	for i, j := range ended {
		past := h.cfg.KeepJobs >= 0 && i >= h.cfg.KeepJobs || h.cfg.KeepFor >= 0 && at.Sub(j.rec.Job.Ended) > h.cfg.KeepFor
		if past && j.rec.Swept && j.attempt == nil {
			old = append(old, j)
		}
	}
	slices.Reverse(old)
	return old
}

// forget drops jobs from the journal first, so that one of their ids that is
// submitted meanwhile finds the old one, not its own record gone.
func (h *Host) forget(ctx context.Context, jobs []*job) error {
	tx := journal.Tx{}
	h.mu.Lock()
	for _, j := range jobs {
		tx.Forget = append(tx.Forget, j.rec.Job.ID)
		h.lease = max(h.lease, j.rec.Lease)
	}
	tx.Meta = map[string][]byte{leaseKey: strconv.AppendUint(nil, h.lease, 10)}
	h.mu.Unlock()
	if err := h.journal.Commit(ctx, tx); err != nil {
		return err
	}
	var trash []string
	h.mu.Lock()
	for _, j := range jobs {
		delete(h.jobs, j.rec.Job.ID)
		h.step(gang.JobForgotten{Now: now().UnixMilli(), Job: j.rec.Job.ID})
		trash = append(trash, h.discard(j.rec.Job.ID))
	}
	h.order = slices.DeleteFunc(h.order, func(id core.JobID) bool { return h.jobs[id] == nil })
	h.mu.Unlock()
	for _, dir := range trash {
		os.RemoveAll(dir)
	}
	return nil
}

// discard moves a job's directory out of the way of a new job of that id.
// h.mu is held.
func (h *Host) discard(id core.JobID) string {
	trash := filepath.Join(h.cfg.StateDir, "tmp", "job-"+randomName(10))
	os.Rename(filepath.Join(h.cfg.StateDir, "jobs", string(id)), trash)
	return trash
}

// forgottenLease is the last lease of the jobs that were forgotten, for no
// lease comes twice.
func (h *Host) forgottenLease(ctx context.Context) (uint64, error) {
	b, err := h.journal.Meta(ctx, leaseKey)
	if core.KindOf(err) == core.NotFound {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(string(b), 10, 64)
	if err != nil {
		return 0, core.Errorf(core.Internal, "the journal's last lease is %q", b).At(h.cfg.StateDir)
	}
	return n, nil
}

// sweepJobDirs removes the directories of jobs that the journal does not know.
func (h *Host) sweepJobDirs() {
	entries, _ := os.ReadDir(filepath.Join(h.cfg.StateDir, "jobs"))
	for _, e := range entries {
		h.mu.Lock()
		trash := ""
		if h.jobs[core.JobID(e.Name())] == nil {
			trash = h.discard(core.JobID(e.Name()))
		}
		h.mu.Unlock()
		if trash != "" {
			os.RemoveAll(trash)
		}
	}
}

// sweepArtifacts removes the shipped files that no job and no schedule names.
func (h *Host) sweepArtifacts(at time.Time) {
	type source struct {
		plan core.Plan
		body json.RawMessage
	}
	var sources []source
	h.mu.Lock()
	for _, j := range h.jobs {
		sources = append(sources, source{j.rec.Plan, j.rec.Job.Spec.Body})
		for _, f := range j.rec.Former {
			sources = append(sources, source{f.Plan, f.Spec.Body})
		}
	}
	h.mu.Unlock()
	named := map[string]bool{}
	for _, s := range sources {
		namedBy(named, s.plan, s.body)
	}
	h.clerk.calendar().Docs(func(doc []byte) { namedBy(named, core.Plan{}, doc) })
	n, err := h.shipped.sweep(named, at.Add(-unwanted))
	if err != nil {
		h.log.Warn("sweep shipped files", "err", err)
	}
	if n > 0 {
		h.log.Info("removed shipped files that no job names", "files", n)
	}
}
