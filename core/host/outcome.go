package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/gang"
)

// finish makes the attempt's outcome final, or starts the next attempt. cut says
// that the coordinator did not answer, but was ended (law H7).
func (a *attempt) finish(report core.Report, err error, cut bool) {
	h, j := a.h, a.job
	if h.ctx.Err() != nil {
		return // the next host goes on
	}
	h.mu.Lock()
	a.cancel(errOver)
	a.side.close()
	why := j.cancel
	if why != nil && err != nil {
		err = why
	}
	kind := core.KindOf(err)
	again := err != nil && why == nil && (kind == core.Failed || kind == core.Internal) &&
		(int(a.epoch)-j.rec.GaveWay <= j.rec.Job.Spec.Metadata.Retries || errors.Is(err, errGaveWay))
	door := a.door
	h.mu.Unlock()
	if door != nil {
		door.Fence()
	}
	if err != nil && cut {
		switch found, answer := a.inquire(err); {
		case h.ctx.Err() != nil:
			return
		case answer == nil:
			report, err, again = found, nil, false
		case errors.Is(answer, errNoAnswer) && !again:
			err = inDoubt(err, answer)
		}
	}
	if why != nil && err == nil {
		report.Notes = append(report.Notes, "the result had been committed when the job was told to end: "+why.What)
	}
	if again {
		a.retry(err)
		return
	}
	a.conclude(report, err)
}

// conclude journals the end of the job and then removes what it left.
func (a *attempt) conclude(report core.Report, err error) {
	h, j := a.h, a.job
	outcome, ended, state := core.OutcomeOf(err, report), now(), finalState(core.KindOf(err))
	text := "succeeded"
	if err != nil {
		text = err.Error()
		if !strings.HasPrefix(text, string(state)) {
			text = string(state) + ": " + text
		}
	}
	end := func(r *record) {
		r.Job.Outcome, r.Job.Ended, r.Job.State = outcome, ended, state
		r.Job.Progress.Stages = slices.Clone(r.Job.Progress.Stages) // whoever has the job reads them
		for i := range r.Job.Progress.Stages {
			r.Job.Progress.Stages[i].Running = 0
		}
	}
	// A full disk must not make the outcome disappear.
	if h.insist(j, end, j.event("ended", text)) {
		h.mu.Lock()
		h.learn(&j.rec.Job)
		if len(j.rec.Arrays) == 0 { // an array's last elements have to be heard of first
			h.tellEnd(j)
		}
		h.mu.Unlock()
		h.goRun(func(ctx context.Context) { h.clerk.ended(ctx, j.rec.Job.ID, state, outcome.What) })
		a.sweep()
	}
}

// sweep cleans up after a job that is final, and says so in the journal unless
// something is left for the next start.
func (a *attempt) sweep() {
	h, j := a.h, a.job
	clean := a.cleanUp()
	j.log.close()
	if clean {
		swept := func(r *record) { r.Swept = true }
		h.change(j, swept, j.event("swept", "nothing of the job is left but its result"))
	}
	h.mu.Lock()
	j.attempt = nil
	j.notify()
	h.used = now()
	h.crowded()
	h.mu.Unlock()
}

// learn remembers how long a job took, for guesses about the next of its kind.
// h.mu is held.
func (h *Host) learn(j *core.Job) {
	if m := j.Spec.Metadata; !j.Started.IsZero() && j.State == core.Succeeded {
		h.history.Ended(m.User, m.Name, j.Ended.Sub(j.Started).Milliseconds())
	}
}

func finalState(k core.ErrKind) core.State {
	switch k {
	case "":
		return core.Succeeded
	case core.Cancelled:
		return core.Canceled
	case core.TimedOut:
		return core.Expired
	}
	return core.FailedJob
}

// retry clears this attempt away and queues the next.
func (a *attempt) retry(err error) {
	h, j := a.h, a.job
	a.cleanUp()
	text := fmt.Sprintf("attempt %d failed: %v; attempt %d begins", a.epoch, err, a.epoch+1)
	if errors.Is(err, errGaveWay) {
		text = fmt.Sprintf("attempt %d ended: %v; attempt %d waits in its place", a.epoch, core.AsError(err).What, a.epoch+1)
	}
	next := func(r *record) {
		r.Job.Epoch, r.Job.State = a.epoch+1, core.Queued
		r.Generation, r.Crashes, r.Gangs, r.Arrays = 0, 0, nil, nil
		if errors.Is(err, errGaveWay) {
			r.GaveWay++
		}
	}
	if !h.insist(j, next, j.event("retried", text)) {
		return
	}
	h.mu.Lock()
	h.newAttempt(j).submitGangs()
	h.mu.Unlock()
}

// cleanUp removes everything the attempt has outside the journal, and reports
// whether nothing is left.
func (a *attempt) cleanUp() bool {
	h := a.h
	h.mu.Lock()
	gangs := make([]*gangRun, 0, len(a.gangs))
	for _, g := range a.gangs {
		gangs = append(gangs, g)
	}
	sock, door := a.doorSock, a.door
	h.mu.Unlock()
	for _, g := range gangs {
		g.tearDown()
	}
	a.clearing.Wait()
	if sock != nil {
		sock.Close()
	}
	if door != nil {
		door.Close()
	}
	h.mu.Lock()
	for _, g := range gangs {
		if g.whole != nil { // who waits for it learns how it ended
			h.step(gang.Release{Now: now().UnixMilli(), Gang: g.id, Ended: g.ending})
		}
	}
	for _, g := range gangs {
		if g.array != nil { // with all of its elements, also those that nobody heard of
			h.step(gang.Cancel{Now: now().UnixMilli(), Gang: g.id, Reason: "its job has ended"})
		}
	}
	for _, g := range gangs {
		h.step(gang.Release{Now: now().UnixMilli(), Gang: g.id})
		g.forget()
	}
	if a.job.rec.Job.State.Final() {
		h.tellEnd(a.job)
	}
	h.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(h.ctx), 30*time.Second)
	defer cancel()
	clean := true
	if err := h.cfg.Store.Sweep(ctx, a.prefix()); err != nil {
		clean = false
		h.log.Warn("sweep", "prefix", a.prefix(), "err", err)
	}
	if err := h.journal.DropSaved(ctx, a.job.rec.Job.ID, a.epoch); err != nil {
		h.log.Warn("drop saved state", "job", a.job.rec.Job.ID, "err", err)
	}
	os.RemoveAll(a.dir(""))
	return clean
}
