package host

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/spec"
)

// maxCommands is how many commands a job may have to answer.
const maxCommands = 100

// Command asks something of a running job and waits for its answer. Once the
// journal has it, the job hears of it, however often host and coordinator are
// restarted, and whether or not ctx has ended.
func (h *Host) Command(ctx context.Context, ref, verb string, args json.RawMessage) (core.JobID, core.Answer, error) {
	if len(args) > 0 && !json.Valid(args) {
		return "", core.Answer{}, core.Errorf(core.Invalid, "the arguments of %s are not JSON", verb)
	}
	if verb == core.VerbDeploy {
		return "", core.Answer{}, core.Errorf(core.Invalid, "a spec is deployed by Update").Do("use `capstan deploy SPEC`")
	}
	h.mu.Lock()
	j, err := h.find(ref)
	h.mu.Unlock()
	if err != nil {
		return "", core.Answer{}, err
	}
	answer, err := h.command(ctx, j, verb, args, nil)
	return j.rec.Job.ID, answer, err
}

// Update gives a running job another spec: what is checked of a submitted
// document is checked of this one, and then it is the command core.VerbDeploy.
func (h *Host) Update(ctx context.Context, ref string, doc []byte, source string) (core.JobID, core.Answer, error) {
	none := core.Answer{}
	s, err := h.parse(ctx, doc, source)
	if err != nil {
		return "", none, err
	}
	h.mu.Lock()
	j, err := h.find(ref)
	var draft core.Job
	if err == nil {
		draft = j.rec.Job
	}
	h.mu.Unlock()
	if err != nil {
		return "", none, err
	}
	if s.Kind != draft.Spec.Kind || s.Metadata.Name != draft.Spec.Metadata.Name {
		return "", none, core.Errorf(core.Conflict, "job %s is %s %s, and the document %s %s", draft.ID, draft.Spec.Kind, draft.Spec.Metadata.Name, s.Kind, s.Metadata.Name).
			At(source).Do("deploy it under a name of its own")
	}
	draft.Spec = *s
	plan, err := h.cfg.Frameworks.Plan(ctx, &draft)
	if err != nil {
		return "", none, located(err, doc, source)
	}
	if err := h.checkPlan(plan); err != nil {
		return "", none, err
	}
	h.mu.Lock()
	err = h.placeable(&job{rec: record{Job: draft, Plan: *plan}})
	h.mu.Unlock()
	if err != nil {
		return "", none, err
	}
	args, err := json.Marshal(s)
	if err != nil {
		return "", none, err
	}
	answer, err := h.command(ctx, j, core.VerbDeploy, args, func(r *record) {
		r.Former = append(r.Former, former{Plan: r.Plan, Spec: r.Job.Spec})
		r.Former = r.Former[max(0, len(r.Former)-maxFormer):]
		r.Job.Spec, r.Plan, r.SpecHash = *s, *plan, spec.Hash(s)
	})
	return draft.ID, answer, err
}

// command journals a command together with a change of the record, tells the
// coordinator, and waits for the answer.
func (h *Host) command(ctx context.Context, j *job, verb string, args json.RawMessage, change func(*record)) (core.Answer, error) {
	none := core.Answer{}
	if err := h.takes(j.rec.Job.Spec.Kind, verb); err != nil {
		return none, err
	}
	j.commanding.Lock()
	h.mu.Lock()
	if err := j.mayCommand(); err != nil {
		h.mu.Unlock()
		j.commanding.Unlock()
		return none, err
	}
	c := core.Command{Number: j.rec.LastCommand + 1, Verb: verb, Args: args}
	answer := make(chan core.Answer, 1)
	j.asking[c.Number] = answer
	h.mu.Unlock()
	err := h.change(j, func(r *record) {
		r.LastCommand = c.Number
		r.Commands = append(slices.Clone(r.Commands), c)
		if change != nil {
			change(r)
		}
	}, j.event("command", fmt.Sprintf("command %d: %s", c.Number, verb)))
	h.mu.Lock()
	if err == nil && j.attempt != nil {
		j.attempt.side.tell(c)
	}
	h.mu.Unlock()
	j.commanding.Unlock()
	defer func() {
		h.mu.Lock()
		delete(j.asking, c.Number)
		h.mu.Unlock()
	}()
	if err != nil {
		return none, err
	}
	return h.await(ctx, j, c, answer)
}

// takes refuses a verb that a kind does not know.
func (h *Host) takes(kind, verb string) error {
	for _, d := range h.cfg.Frameworks.Kinds() {
		if d.Kind != kind {
			continue
		}
		if slices.Contains(d.Commands, verb) {
			return nil
		}
		e := core.Errorf(core.Invalid, "a %s job takes no command %q", kind, verb)
		if len(d.Commands) > 0 {
			return e.Do(fmt.Sprintf("it takes %q", d.Commands))
		}
		return e.Do("cancel it and submit another")
	}
	return core.Errorf(core.Invalid, "no framework serves kind %s", kind)
}

// mayCommand refuses what would never be answered. Host.mu is held.
func (j *job) mayCommand() error {
	id, state := j.rec.Job.ID, j.rec.Job.State
	switch {
	case state.Final():
		return core.Errorf(core.Conflict, "job %s is %s", id, state).Do("`capstan retry " + string(id) + "` submits it again")
	case j.cancel != nil:
		return core.Errorf(core.Conflict, "job %s is being ended: %s", id, j.cancel.What)
	case len(j.rec.Commands) >= maxCommands:
		return core.Errorf(core.Conflict, "job %s has %d commands to answer", id, maxCommands).Do("see `capstan status " + string(id) + "` for what holds it up")
	}
	return nil
}

// await waits for the answer of a command that the journal has.
func (h *Host) await(ctx context.Context, j *job, c core.Command, answer <-chan core.Answer) (core.Answer, error) {
	for {
		h.mu.Lock()
		changed, final := j.changed, j.rec.Job.State.Final()
		h.mu.Unlock()
		select {
		case a := <-answer:
			if a.Refused != nil {
				return a, a.Refused
			}
			return a, nil
		default:
		}
		if final {
			return core.Answer{}, core.Errorf(core.Conflict, "job %s ended before it answered %s", j.rec.Job.ID, c.Verb)
		}
		select {
		case <-changed:
		case <-h.ctx.Done():
			return core.Answer{}, core.Errorf(core.HostLost, "the host stops; job %s will hear of %s when it is back", j.rec.Job.ID, c.Verb)
		case <-ctx.Done():
			return core.Answer{}, core.Errorf(core.TimedOut, "job %s has not answered %s yet; it is noted", j.rec.Job.ID, c.Verb).
				Do("`capstan status " + string(j.rec.Job.ID) + "` shows what becomes of it")
		}
	}
}

// retell gives a new generation of the coordinator what the last one left
// unanswered. h.mu is held.
func (a *attempt) retell() {
	for _, c := range a.job.rec.Commands {
		a.side.tell(c)
	}
}

// Answer is core.Host's.
func (c *coordinatorSide) Answer(a core.Answer) error {
	h, j := c.a.h, c.a.job
	h.mu.Lock()
	defer h.mu.Unlock()
	known := func(o core.Command) bool { return o.Number == a.Number }
	if c != c.a.side || !slices.ContainsFunc(j.rec.Commands, known) {
		return nil
	}
	left := slices.Clone(j.rec.Commands) // who encodes the record may hold the old one
	j.rec.Commands = slices.DeleteFunc(left, known)
	if answer := j.asking[a.Number]; answer != nil {
		answer <- a
	}
	j.notify()
	text := fmt.Sprintf("command %d: done", a.Number)
	if a.Refused != nil {
		text = fmt.Sprintf("command %d: refused: %v", a.Number, a.Refused)
	}
	// Should the host die before this is written, the coordinator is asked once
	// more and says the same.
	event := j.event("answered", text)
	h.goRun(func(context.Context) { h.persist(j, event) })
	return nil
}
