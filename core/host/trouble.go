package host

import (
	"context"

	"github.com/capstan-run/capstan/core"
)

// watchTrouble hears what ails the store, and lets everybody who looks at an
// unfinished job see it.
func (h *Host) watchTrouble(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case text := <-h.cfg.Trouble:
			h.mu.Lock()
			h.trouble = text
			for _, j := range h.jobs {
				if j.attempt != nil {
					j.notify()
				}
			}
			h.mu.Unlock()
		}
	}
}

// shown is j as people see it: while the store is in trouble, or the journal
// is full, that is what an unfinished job has to say; and a job that ran and has
// no place any more is queued. h.mu is held.
func (h *Host) shown(j *job) core.Job {
	job := j.rec.Job
	job.Queue = h.policy.serves(job.Spec.Metadata.Queue)
	if job.State == core.Running && j.displaced() {
		job.State = core.Queued
	}
	switch job.State {
	case core.Running:
		job.Executors = j.stretch()
	case core.Queued:
		job.Awaits = h.awaits(j)
	}
	if j.held != "" && !job.State.Final() {
		job.Progress.Note = j.held
		return job
	}
	if h.trouble != "" && (job.State == core.Starting || job.State == core.Running) {
		job.Progress.Note = h.trouble
	}
	return job
}

// displaced reports whether j has no executor any more and waits for a gang: it
// gave way, or lost its machine. h.mu is held.
func (j *job) displaced() bool {
	if j.attempt == nil || j.attempt.over() {
		return false
	}
	waits := false
	for _, g := range j.attempt.gangs {
		switch {
		case g.state.Lease != 0 || g.gone && g.again == nil:
			return false
		case g.array == nil || !g.allEnded():
			waits = true
		}
	}
	return waits
}
