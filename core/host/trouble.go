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
// is full, that is what an unfinished job has to say. h.mu is held.
func (h *Host) shown(j *job) core.Job {
	job := j.rec.Job
	if j.held != "" && !job.State.Final() {
		job.Progress.Note = j.held
		return job
	}
	if h.trouble != "" && (job.State == core.Starting || job.State == core.Running) {
		job.Progress.Note = h.trouble
	}
	return job
}
