package host

import (
	"fmt"
	"strings"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/gang"
)

// The scheduler holds a gang back for as long as its job's When says (package
// gang). What it cannot know it is told: how a job ended, as soon as the journal
// has it, and again by a host that comes back; and that somebody holds a job or
// lets it go.

// checkAfter refuses a job that is to come after one that is not there, or that
// has ended otherwise than it is to. h.mu is held.
func (h *Host) checkAfter(s *core.Spec) error {
	var faults []core.Diagnostic
	bad := func(i int, remedy, message string, args ...any) {
		faults = append(faults, core.Diagnostic{Path: fmt.Sprintf("metadata.when.after.%d.job", i), Message: fmt.Sprintf(message, args...), Remedy: remedy})
	}
	for i, d := range s.Metadata.When.After {
		j := h.jobs[d.Job]
		if j == nil {
			bad(i, "`capstan list` shows the jobs there are; one that ended long ago is forgotten", "there is no job %q", d.Job)
			continue
		}
		state := j.rec.Job.State
		switch {
		case d.Each || !state.Final() || d.Ended == "any":
		case d.Ended == "failed" && state == core.Succeeded:
			bad(i, "", "job %s succeeded, and this one is to run after a failure of it", d.Job)
		case d.Ended != "failed" && state != core.Succeeded:
			bad(i, "`capstan retry "+string(d.Job)+"` runs it again", "job %s %s, and this one is to run after its success", d.Job, endedAs(state))
		}
	}
	if len(faults) == 0 {
		return nil
	}
	return &core.Error{Kind: core.Invalid, What: "the job cannot come after those", Diagnostics: faults}
}

// endedAs is a final state in a sentence.
func endedAs(s core.State) string {
	switch s {
	case core.Canceled:
		return "was cancelled"
	case core.Expired:
		return "timed out"
	}
	return string(s)
}

// tellEnd lets the scheduler know how a job ended. h.mu is held.
func (h *Host) tellEnd(j *job) {
	how := gang.Failed
	if j.rec.Job.State == core.Succeeded {
		how = gang.OK
	}
	at := now().UnixMilli()
	for _, e := range j.rec.arraysEnded(at) { // who waits for single elements asks for these
		h.step(e)
	}
	h.step(gang.JobEnded{Now: at, Job: j.rec.Job.ID, Ended: how})
}

// awaited is the jobs that others wait for, which must not be forgotten: who
// comes back asks for them again. h.mu is held.
func (h *Host) awaited() map[core.JobID]bool {
	list := map[core.JobID]bool{}
	for _, j := range h.jobs {
		if !j.rec.Job.State.Final() {
			for _, d := range j.rec.Job.Spec.Metadata.When.After {
				list[d.Job] = true
			}
		}
	}
	return list
}

// orphaned says that j waits for a job that was forgotten, which no host does
// that knew of j. h.mu is held.
func (h *Host) orphaned(j *job) error {
	for _, d := range j.rec.Job.Spec.Metadata.When.After {
		if h.jobs[d.Job] == nil {
			return core.Errorf(core.NotFound, "it was to run after %s, which is not known any more", d.Job).Do("submit it again without that")
		}
	}
	return nil
}

// Hold keeps a job that waits from starting until it is released; hold says
// which of both is wanted. Its spec says so from then on.
func (h *Host) Hold(ref string, hold bool) (core.Job, error) {
	h.mu.Lock()
	j, err := h.find(ref)
	if err == nil && !j.waits() {
		err = core.Errorf(core.Conflict, "job %s is %s, and only one that waits can be held or released", j.rec.Job.ID, j.rec.Job.State)
	}
	if err != nil {
		h.mu.Unlock()
		return core.Job{}, err
	}
	if hold { // at once: that it is written down may come too late
		h.step(gang.Hold{Now: now().UnixMilli(), Job: j.rec.Job.ID, Hold: true})
	}
	was := j.rec.Job.Spec.Metadata.When.Hold
	h.mu.Unlock()
	if was != hold {
		kind, text := "released", "somebody let it go"
		if hold {
			kind, text = "held", "waits until somebody releases it"
		}
		err = h.change(j, func(r *record) { r.Job.Spec.Metadata.When.Hold = hold }, j.event(kind, text))
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !j.rec.Job.Spec.Metadata.When.Hold {
		h.step(gang.Hold{Now: now().UnixMilli(), Job: j.rec.Job.ID})
	}
	return h.shown(j), err
}

// waits says whether a gang of j waits for its place. h.mu is held.
func (j *job) waits() bool {
	if j.rec.Job.State.Final() || j.attempt == nil {
		return false
	}
	for _, g := range j.attempt.gangs {
		if g.state.Lease == 0 && !g.gone {
			return true
		}
	}
	return false
}

// awaits is the part of a queued job's When that has not come true yet. h.mu is held.
func (h *Host) awaits(j *job) core.When {
	said := j.rec.Job.Spec.Metadata.When
	w := core.When{Hold: said.Hold, Singleton: said.Singleton && h.isBehindItsLike(j)}
	if said.Begin.After(now()) {
		w.Begin = said.Begin
	}
	for _, d := range said.After {
		if o := h.jobs[d.Job]; o != nil && !o.rec.Job.State.Final() {
			w.After = append(w.After, d)
		}
	}
	return w
}

// isBehindItsLike reports whether a single job of j's name goes first. h.mu is held.
func (h *Host) isBehindItsLike(j *job) bool {
	if j.attempt == nil {
		return true
	}
	for _, g := range j.attempt.gangs {
		for _, b := range h.sched.Why(g.id).Blockers {
			if strings.HasPrefix(b, "only one job called ") {
				return true
			}
		}
	}
	return false
}

// heirs replaces the jobs that s waits for, and that were tried again, by the
// last try of each. h.mu is held.
func (h *Host) heirs(s core.Spec) core.Spec {
	after := make([]core.Dependency, len(s.Metadata.When.After))
	for i, d := range s.Metadata.When.After {
		for j := h.jobs[d.Job]; j != nil && j.rec.Heir != ""; j = h.jobs[d.Job] {
			d.Job = j.rec.Heir
		}
		after[i] = d
	}
	s.Metadata.When.After = after
	return s
}
