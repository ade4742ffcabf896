package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/gang"
	"github.com/capstan-run/capstan/core/spec"
)

// Submit checks doc, plans it, journals it and queues it. The same id with the
// same spec attaches; with another it is a Conflict.
func (h *Host) Submit(ctx context.Context, doc []byte, id, source string) (jobID core.JobID, attached bool, warnings []core.Diagnostic, err error) {
	s, err := h.parse(ctx, doc, source)
	if err != nil {
		return "", false, nil, err
	}
	if id != "" {
		if err := spec.CheckName(id); err != nil {
			return "", false, nil, core.Errorf(core.Invalid, "id %q: %v", id, err)
		}
	}
	hash := spec.Hash(s)
	h.mu.Lock()
	old, err := h.existing(core.JobID(id), hash)
	h.mu.Unlock()
	if err != nil {
		return "", false, nil, err
	}
	if old != nil {
		return h.attach(ctx, old)
	}
	draft := core.Job{ID: core.JobID(id), Spec: *s, State: core.Queued, Epoch: 1, Submitted: now()}
	plan, err := h.cfg.Frameworks.Plan(ctx, &draft)
	if err != nil {
		return "", false, nil, located(err, doc, source)
	}
	if err := h.checkPlan(plan); err != nil {
		return "", false, nil, err
	}
	jobID, attached, warnings, err = h.accept(ctx, draft, plan, hash)
	return jobID, attached, warnings, located(err, doc, source)
}

// existing is the job called id if it has the same spec. h.mu is held.
func (h *Host) existing(id core.JobID, hash string) (*job, error) {
	j := h.jobs[id]
	if j == nil {
		return nil, nil
	}
	if j.rec.SpecHash == hash {
		return j, nil
	}
	return nil, core.Errorf(core.Conflict, "job %s exists with a different spec", id).Do("choose another id, or `capstan status " + string(id) + "` to see the one that exists")
}

// attach answers with a job that exists, once the journal has it (law H1).
func (h *Host) attach(ctx context.Context, j *job) (core.JobID, bool, []core.Diagnostic, error) {
	select {
	case <-j.accepted:
	case <-ctx.Done():
		return "", false, nil, ctx.Err()
	}
	if j.refused != nil {
		return "", false, nil, j.refused
	}
	return j.rec.Job.ID, true, nil, nil
}

// accept journals and queues a planned job.
func (h *Host) accept(ctx context.Context, draft core.Job, plan *core.Plan, hash string) (core.JobID, bool, []core.Diagnostic, error) {
	if has := func(g core.GangAsk) bool { return g.Array != "" }; draft.Spec.Metadata.Array != "" && !slices.ContainsFunc(plan.Gangs, has) {
		return "", false, nil, core.Errorf(core.Invalid, "kind %s has no arrays", draft.Spec.Kind).At("metadata.array").Do("leave it out; kind Batch has them")
	}
	h.mu.Lock()
	if draft.ID == "" {
		draft.ID = h.newID(draft.Spec.Metadata.Name)
	}
	if old, err := h.existing(draft.ID, hash); old != nil || err != nil {
		h.mu.Unlock()
		if err != nil {
			return "", false, nil, err
		}
		return h.attach(ctx, old)
	}
	if h.ending() {
		h.mu.Unlock()
		return "", false, nil, core.Errorf(core.HostLost, "the host is shutting down and takes no more jobs").Do("submit again once it is up")
	}
	j := newJob()
	j.rec = record{Job: draft, Plan: *plan, SpecHash: hash}
	err := h.checkAfter(&draft.Spec)
	if err == nil {
		err = h.placeable(j)
	}
	if err != nil {
		h.mu.Unlock()
		return "", false, nil, err
	}
	log, err := openLog(h.logPath(draft.ID))
	if err != nil {
		h.mu.Unlock()
		return "", false, nil, core.Errorf(core.Internal, "open the job's log: %v", err)
	}
	j.log = log
	h.jobs[draft.ID] = j
	h.order = append(h.order, draft.ID)
	h.used = now()
	h.mu.Unlock()

	if err := h.persist(j, j.event("submitted", fmt.Sprintf("%s %s submitted", draft.Spec.Kind, draft.Spec.Metadata.Name))); err != nil {
		h.refuse(j, err)
		return "", false, nil, err
	}
	h.mu.Lock()
	h.newAttempt(j).submitGangs()
	h.mu.Unlock()
	close(j.accepted)
	return draft.ID, false, plan.Diagnostics, nil
}

// refuse forgets a job that the journal did not take.
func (h *Host) refuse(j *job, err error) {
	id := j.rec.Job.ID
	h.mu.Lock()
	delete(h.jobs, id)
	h.order = slices.DeleteFunc(h.order, func(o core.JobID) bool { return o == id })
	h.mu.Unlock()
	j.log.close()
	os.RemoveAll(filepath.Dir(h.logPath(id)))
	j.refused = err
	close(j.accepted)
}

// ending reports whether somebody asked for the host's end. h.mu is held.
func (h *Host) ending() bool {
	select {
	case <-h.closing:
		return true
	default:
		return false
	}
}

// placeable asks the scheduler whether j's gangs could ever run. h.mu is held.
func (h *Host) placeable(j *job) error {
	if err := h.volumeTaken(j.rec.Job.ID, j.rec.Plan.Gangs...); err != nil {
		return err
	}
	a := &attempt{h: h, job: j, epoch: j.rec.Job.Epoch}
	for _, ask := range j.rec.Plan.Gangs {
		g := &gangRun{attempt: a, id: gang.IDOf(j.rec.Job.ID, ask.Name), state: &gangState{Ask: ask}}
		if refuse, no := h.sched.Check(g.request()); no {
			return refuse.Err().At("gang")
		}
	}
	return nil
}

// located adds to a framework's diagnostics where in doc they stand.
func located(err error, doc []byte, source string) error {
	var e *core.Error
	if errors.As(err, &e) && len(e.Diagnostics) > 0 {
		spec.Locate(doc, e.Diagnostics)
		e.Where = source
		if e.What == "" || len(e.Diagnostics) == 1 && e.What == e.Diagnostics[0].Message {
			e.What, e.Remedy = "the spec has a fault", "" // the diagnostic has it
		}
	}
	return err
}

// parse reads a document. One that its schema lets pass is the framework's to
// plan; of another it is asked what else it would refuse, so that all faults are
// told at once.
func (h *Host) parse(ctx context.Context, doc []byte, source string) (*core.Spec, error) {
	kinds := h.cfg.Frameworks.Kinds()
	s, err := spec.Parse(doc, source, kinds)
	if err == nil {
		return s, nil
	}
	return spec.ParseChecked(doc, source, kinds, h.judge(ctx))
}

// judge finds the faults for which a spec's framework would not plan it.
func (h *Host) judge(ctx context.Context) spec.Checker {
	return func(s *core.Spec) []core.Diagnostic {
		var e *core.Error
		_, err := h.cfg.Frameworks.Plan(ctx, &core.Job{ID: "plan", Spec: *s, State: core.Queued, Epoch: 1, Submitted: now()})
		if !errors.As(err, &e) || e.Kind != core.Invalid {
			return nil
		}
		return e.Diagnostics
	}
}

// newID makes a fresh id from a name. h.mu is held.
func (h *Host) newID(name string) core.JobID {
	for {
		id := core.JobID(name + "-" + randomName(5))
		if h.jobs[id] == nil {
			return id
		}
	}
}

func (h *Host) logPath(id core.JobID) string {
	return filepath.Join(h.cfg.StateDir, "jobs", string(id), "log")
}

// Retry submits a finished job's spec again under a new id. Where it was to come
// after jobs that were tried again too, it comes after their last tries.
func (h *Host) Retry(ctx context.Context, ref string) (core.JobID, error) {
	h.mu.Lock()
	j, err := h.find(ref)
	if err == nil && !j.rec.Job.State.Final() {
		err = core.Errorf(core.Conflict, "job %s is %s", j.rec.Job.ID, j.rec.Job.State).Do("`capstan cancel " + string(j.rec.Job.ID) + "` first")
	}
	var s core.Spec
	if err == nil {
		s = h.heirs(j.rec.Job.Spec)
	}
	h.mu.Unlock()
	if err != nil {
		return "", err
	}
	draft := core.Job{Spec: s, State: core.Queued, Epoch: 1, Submitted: now()}
	plan, err := h.cfg.Frameworks.Plan(ctx, &draft)
	if err != nil {
		return "", err
	}
	if err := h.checkPlan(plan); err != nil {
		return "", err
	}
	id, _, _, err := h.accept(ctx, draft, plan, spec.Hash(&s))
	if err != nil {
		return "", err
	}
	return id, h.change(j, func(r *record) { r.Heir = id })
}
