package host

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/api"
	"github.com/capstan-run/capstan/core/api/apipb"
	"github.com/capstan-run/capstan/core/gang"
)

func (s *service) one(ref string) (*job, error) {
	s.h.mu.Lock()
	defer s.h.mu.Unlock()
	return s.h.find(ref)
}

func (h *Host) doc(j *job) (*structpb.Struct, error) {
	h.mu.Lock()
	job := h.shown(j)
	h.mu.Unlock()
	return api.ToStruct(job)
}

func (s *service) answer(j *job, err error) (*connect.Response[apipb.JobResponse], error) {
	if err != nil {
		return nil, api.ToConnect(err)
	}
	doc, err := s.h.doc(j)
	if err != nil {
		return nil, api.ToConnect(err)
	}
	return connect.NewResponse(&apipb.JobResponse{Job: doc}), nil
}

func (s *service) Get(_ context.Context, r *connect.Request[apipb.JobRequest]) (*connect.Response[apipb.JobResponse], error) {
	return s.answer(s.one(r.Msg.Id))
}

func (s *service) List(_ context.Context, r *connect.Request[apipb.ListRequest]) (*connect.Response[apipb.ListResponse], error) {
	h := s.h
	h.mu.Lock()
	var jobs []core.Job
	for i := len(h.order) - 1; i >= 0; i-- {
		job := h.shown(h.jobs[h.order[i]])
		if r.Msg.State != "" && string(job.State) != r.Msg.State {
			continue
		}
		if r.Msg.Limit > 0 && len(jobs) == int(r.Msg.Limit) {
			break
		}
		jobs = append(jobs, job)
	}
	h.mu.Unlock()
	out := new(apipb.ListResponse)
	for _, job := range jobs {
		doc, err := api.ToStruct(job)
		if err != nil {
			return nil, api.ToConnect(err)
		}
		out.Jobs = append(out.Jobs, doc)
	}
	return connect.NewResponse(out), nil
}

func (s *service) Why(_ context.Context, r *connect.Request[apipb.JobRequest]) (*connect.Response[apipb.WhyResponse], error) {
	h := s.h
	h.mu.Lock()
	defer h.mu.Unlock()
	j, err := h.find(r.Msg.Id)
	if err != nil {
		return nil, api.ToConnect(err)
	}
	out := new(apipb.WhyResponse)
	job := h.shown(j)
	var text []string
	if job.State != core.Queued || j.attempt == nil {
		text = append(text, whyNotQueued(job))
	}
	if job.State.Final() || j.attempt == nil {
		out.Text = text[0]
		return connect.NewResponse(out), nil
	}
	// A job that runs may still wait for a gang.
	list, more := h.nextOf(j)
	for _, g := range list {
		e := h.explain(g)
		if g.state.Lease != 0 && !e.Waits() {
			continue
		}
		text = append(text, e.String())
		out.Blockers = append(out.Blockers, e.Blockers...)
		if e.Remedy != "" {
			out.Remedy = e.Remedy
		}
	}
	if more > 0 {
		text = append(text, fmt.Sprintf("%d more of its gangs wait behind these", more))
	}
	out.Text = strings.Join(text, "\n")
	return connect.NewResponse(out), nil
}

// explained is how many gangs of a job are explained: the others of so many wait
// for the same.
const explained = 10

// nextOf lists the gangs of j that wait, or have a rank that may, the first in
// line first, and how many more do. h.mu is held.
func (h *Host) nextOf(j *job) (list []*gangRun, more int) {
	for _, name := range gangNames(j) {
		if g := j.attempt.gangs[name]; g != nil && !g.gone && (g.state.Lease == 0 || g.holed()) {
			list = append(list, g)
		}
	}
	if len(list) <= explained {
		return list, 0
	}
	place := map[gang.ID]int{}
	for _, v := range h.sched.Snapshot().Gangs {
		if place[v.Gang] = v.Position; v.Position == 0 { // held
			place[v.Gang] = math.MaxInt
		}
	}
	slices.SortStableFunc(list, func(a, b *gangRun) int { return cmp.Compare(place[a.id], place[b.id]) })
	return list[:explained], len(list) - explained
}

// holed reports whether an executor of g is gone. h.mu is held.
func (g *gangRun) holed() bool {
	return slices.ContainsFunc(g.members, func(m *member) bool { return m != nil && m.lost })
}

func whyNotQueued(job core.Job) string {
	if job.Outcome != nil && job.Outcome.Kind != "" {
		return fmt.Sprintf("job %s %s: %s", job.ID, job.State, job.Outcome.Err())
	}
	if job.State.Final() {
		return fmt.Sprintf("job %s %s", job.ID, job.State)
	}
	text := fmt.Sprintf("job %s is %s", job.ID, job.State)
	if job.Progress.Note != "" {
		text += ": " + job.Progress.Note
	}
	return text
}

// Lookup answers a job as it is now, and a channel that is closed when it
// changes.
func (h *Host) Lookup(ref string) (core.Job, <-chan struct{}, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	j, err := h.find(ref)
	if err != nil {
		return core.Job{}, nil, err
	}
	return h.shown(j), j.changed, nil
}

// Members lists the executors of a job's present or last gangs, by id.
func (h *Host) Members(ref string) ([]string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	j, err := h.find(ref)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, name := range gangNames(j) {
		if g := j.rec.Gangs[name]; g != nil {
			for _, m := range g.Members {
				ids = append(ids, m.ID)
			}
		}
	}
	return ids, nil
}

// find resolves an id, a prefix that names one job, or only one that has not ended,
// or @latest. h.mu is held.
func (h *Host) find(ref string) (*job, error) {
	if ref == "@latest" {
		if len(h.order) == 0 {
			return nil, core.Errorf(core.NotFound, "no job has been submitted yet")
		}
		return h.jobs[h.order[len(h.order)-1]], nil
	}
	if j := h.jobs[core.JobID(ref)]; j != nil {
		return j, nil
	}
	var hits, live []string
	for id, j := range h.jobs {
		if ref == "" || !strings.HasPrefix(string(id), ref) {
			continue
		}
		hits = append(hits, string(id))
		if !j.rec.Job.State.Final() {
			live = append(live, string(id))
		}
	}
	if len(live) == 1 {
		hits = live
	}
	sort.Strings(hits)
	switch len(hits) {
	case 0:
		return nil, core.Errorf(core.NotFound, "no job %q", ref).Do("`capstan list` shows the jobs there are")
	case 1:
		return h.jobs[core.JobID(hits[0])], nil
	}
	return nil, core.Errorf(core.Invalid, "%q names %d jobs: %s", ref, len(hits), strings.Join(hits[:min(5, len(hits))], ", ")).Do("give more of the id")
}
