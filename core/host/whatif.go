package host

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/api"
	"github.com/capstan-run/capstan/core/api/clusterpb"
	"github.com/capstan-run/capstan/core/gang"
)

// Otherwise is what a job would ask for. Zero fields are as they are.
type Otherwise struct {
	Size     int           `json:"size,omitempty"`
	CPU      core.MilliCPU `json:"cpu,omitempty"`
	Memory   core.Bytes    `json:"memory,omitempty"`
	Priority *int          `json:"priority,omitempty"`
	Walltime core.Duration `json:"walltime,omitempty"`
	Queue    string        `json:"queue,omitempty"`
}

func (o *Otherwise) change(q *gang.Request) {
	if o.Size > 0 {
		q.Size, q.Min, q.Max, q.Roles = o.Size, 0, 0, nil
	}
	if o.CPU > 0 {
		q.Each.CPU = o.CPU
	}
	if o.Memory > 0 {
		q.Each.Memory = o.Memory
	}
	if o.Priority != nil {
		q.Priority = *o.Priority
	}
	if o.Walltime > 0 {
		q.Walltime = time.Duration(o.Walltime).Milliseconds()
	}
	if o.Queue != "" {
		q.Queue = o.Queue
	}
}

// sight is how far down the line a what-if looks: copying more would hold the
// scheduler up for longer than a round takes.
const sight = 10_000

// WhatIf asks a copy of the scheduler what would be if things were otherwise:
// for a job that waits, or one that is not submitted, or for nobody in
// particular. Nothing of it is real.
func (s *clusterService) WhatIf(ctx context.Context, r *connect.Request[clusterpb.WhatIfRequest]) (*connect.Response[clusterpb.WhatIfResponse], error) {
	out, err := s.h.whatIf(ctx, r.Msg)
	if err != nil {
		return nil, api.ToConnect(err)
	}
	return connect.NewResponse(out), nil
}

func (h *Host) whatIf(ctx context.Context, q *clusterpb.WhatIfRequest) (*clusterpb.WhatIfResponse, error) {
	var other Otherwise
	if q.Ask != nil {
		if err := api.FromStruct(q.Ask, &other); err != nil {
			return nil, core.Errorf(core.Invalid, "what the job would ask for: %v", err)
		}
	}
	var draft *attempt
	if len(q.Spec) > 0 {
		var err error
		if draft, err = h.draft(ctx, q.Spec, q.Source); err != nil {
			return nil, err
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	d := dream{at: now().UnixMilli()}
	switch {
	case draft != nil:
		d.subjects = draft.requests()
	case q.Id != "":
		j, err := h.find(q.Id)
		if err != nil {
			return nil, err
		}
		if d.subjects = h.waiting(j); len(d.subjects) == 0 {
			return nil, core.Errorf(core.Conflict, "job %s does not wait: it is %s", j.rec.Job.ID, j.rec.Job.State).Do("ask about one that is queued, or about a spec")
		}
	}
	var named []gang.ID
	for _, s := range d.subjects {
		named = append(named, s.Gang)
	}
	d.sched = h.sched.CloneFirst(sight, named...)
	for _, c := range q.Changes {
		if err := d.apply(h, c); err != nil {
			return nil, err
		}
	}
	d.resubmit(&other)
	return d.answer()
}

// draft plans a document that is not submitted.
func (h *Host) draft(ctx context.Context, doc []byte, source string) (*attempt, error) {
	sp, err := h.parse(ctx, doc, source)
	if err != nil {
		return nil, err
	}
	job_ := core.Job{ID: "plan", Spec: *sp, State: core.Queued, Epoch: 1, Submitted: now()}
	plan, err := h.cfg.Frameworks.Plan(ctx, &job_)
	if err != nil {
		return nil, located(err, doc, source)
	}
	return &attempt{h: h, job: &job{rec: record{Job: job_, Plan: *plan}}}, nil
}

// requests is what the plan's gangs ask of the scheduler.
func (a *attempt) requests() []gang.Request {
	var out []gang.Request
	for _, ask := range a.job.rec.Plan.Gangs {
		g := &gangRun{attempt: a, id: gang.IDOf(a.job.rec.Job.ID, ask.Name), state: &gangState{Ask: ask}}
		out = append(out, g.request())
	}
	return out
}

// waiting is the requests of a job's gangs that wait. h.mu is held.
func (h *Host) waiting(j *job) []gang.Request {
	var out []gang.Request
	if j.attempt == nil {
		return nil
	}
	for _, name := range gangNames(j) {
		if g := j.attempt.gangs[name]; g != nil && g.state.Lease == 0 {
			if v, ok := h.sched.Gang(g.id); ok {
				out = append(out, v.Request)
			}
		}
	}
	return out
}

// dream is a copy of the scheduler in which things are otherwise.
type dream struct {
	sched    *gang.Scheduler
	at       int64
	subjects []gang.Request // who it is about; nobody in particular if empty
	actions  []gang.Action
}

func (d *dream) step(e gang.Event) { d.actions = append(d.actions, d.sched.Step(e).Actions...) }

func (d *dream) apply(h *Host, c *clusterpb.Change) error {
	switch c := c.What.(type) {
	case *clusterpb.Change_Node:
		var n core.Node
		if err := api.FromStruct(c.Node, &n); err != nil || n.ID == "" {
			return core.Errorf(core.Invalid, "a node needs a name, CPU and memory: %v", err)
		}
		d.step(gang.NodeUp{Now: d.at, Node: n})
	case *clusterpb.Change_Without:
		if !d.knows(c.Without) {
			return core.Errorf(core.NotFound, "no node %q", c.Without)
		}
		d.step(gang.NodeDown{Now: d.at, ID: core.NodeID(c.Without)})
	case *clusterpb.Change_Drain:
		if !d.knows(c.Drain) {
			return core.Errorf(core.NotFound, "no node %q", c.Drain)
		}
		d.step(gang.NodeDrain{Now: d.at, ID: core.NodeID(c.Drain), Drain: true})
	case *clusterpb.Change_End:
		j, err := h.find(c.End)
		if err != nil {
			return err
		}
		for _, g := range d.sched.Snapshot().Gangs {
			if g.Job == j.rec.Job.ID {
				d.step(gang.Release{Now: d.at, Gang: g.Gang, Ended: gang.OK})
			}
		}
		d.step(gang.JobEnded{Now: d.at, Job: j.rec.Job.ID, Ended: gang.OK})
	case *clusterpb.Change_Queues:
		doc, err := parseQueues(c.Queues, "queues")
		if err != nil {
			return err
		}
		cfg := (&policy{Queues: doc}).queues()
		if err := d.sched.CheckConfigure(cfg); err != nil {
			return err
		}
		d.step(gang.Configure{Now: d.at, Queues: cfg})
		d.step(gang.Supply{Now: d.at, Licences: doc.Licences})
	}
	return nil
}

func (d *dream) knows(id string) bool {
	return slices.ContainsFunc(d.sched.NodeViews(), func(n gang.NodeView) bool { return string(n.ID) == id })
}

// resubmit lets the subjects come as they would be. One that waits keeps its
// place in line.
func (d *dream) resubmit(o *Otherwise) {
	for _, q := range d.subjects {
		known, waits := d.sched.Gang(q.Gang)
		if waits && known.State != "waiting" && known.State != "held" {
			continue // it has started since
		}
		if waits && *o == (Otherwise{}) {
			continue
		}
		if waits {
			d.sched.Step(gang.Cancel{Now: d.at, Gang: q.Gang})
			q.Arrival = known.Arrival
		}
		o.change(&q)
		d.step(gang.Submit{Now: d.at, Request: q})
	}
}

// cleared is when the last of those who would have to make room for a gang is gone;
// 0 if nobody would.
func (d *dream) cleared(id gang.ID) (last int64) {
	for _, a := range d.actions {
		switch a := a.(type) {
		case gang.GiveWay:
			if strings.HasPrefix(a.Reason, string(id)+" ") {
				last = max(last, a.Until)
			}
		case gang.Shrink:
			if strings.HasPrefix(a.Reason, string(id)+" ") {
				last = max(last, a.Until)
			}
		}
	}
	return last
}

// called is a gang's name for people: that of one that is not submitted has no
// job before it.
func called(id gang.ID) string {
	if name, ok := strings.CutPrefix(string(id), "plan/"); ok {
		return "gang " + name
	}
	return string(id)
}

// answer tells what came of it, the subjects first.
func (d *dream) answer() (*clusterpb.WhatIfResponse, error) {
	out := new(clusterpb.WhatIfResponse)
	var text []string
	mine := map[gang.ID]bool{}
	for _, q := range d.subjects {
		mine[q.Gang] = true
	}
	for _, a := range d.actions {
		switch a := a.(type) {
		case gang.Grant:
			out.Starts = append(out.Starts, string(a.Gang))
			if mine[a.Gang] {
				text = append(text, fmt.Sprintf("%s would start now: %s", called(a.Gang), placement(a.Nodes)))
			} else {
				text = append(text, fmt.Sprintf("%s would start now", a.Gang))
			}
		case gang.Refuse:
			text = append(text, fmt.Sprintf("%s would be refused: %s; %s", a.Gang, a.Why, a.Remedy))
		case gang.GiveWay:
			out.Displaced = append(out.Displaced, string(a.Gang))
			text = append(text, fmt.Sprintf("%s would have to give way: %s", a.Gang, a.Reason))
		case gang.Revoke:
			out.Displaced = append(out.Displaced, string(a.Gang))
			text = append(text, fmt.Sprintf("%s would lose its place: %s", a.Gang, a.Reason))
		case gang.Shrink:
			out.Displaced = append(out.Displaced, string(a.Gang))
			text = append(text, fmt.Sprintf("%s would have to do without %d executors: %s", a.Gang, len(a.Ranks), a.Reason))
		case gang.Lost:
			text = append(text, fmt.Sprintf("%s would lose %d executors on %s", a.Gang, len(a.Ranks), a.Node))
		}
	}
	for _, q := range d.subjects {
		x := d.sched.Why(q.Gang)
		if !x.Waits() {
			continue
		}
		if gone := d.cleared(q.Gang); gone > 0 {
			x.Estimate = gone
		}
		text = append(text, strings.Replace(x.String(), string(q.Gang), called(q.Gang), 1))
		doc, err := api.ToStruct(x)
		if err != nil {
			return nil, err
		}
		out.Explanations = append(out.Explanations, doc)
	}
	if len(text) == 0 {
		text = []string{"nothing would change at once"}
	}
	out.Text = strings.Join(text, "\n")
	for id := range mine { // also where it is the reason for what others have to do
		out.Text = strings.ReplaceAll(out.Text, string(id)+" ", called(id)+" ")
	}
	return out, nil
}
