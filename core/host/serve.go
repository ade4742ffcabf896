package host

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/api"
	"github.com/capstan-run/capstan/core/api/apipb"
	"github.com/capstan-run/capstan/core/api/apipb/apipbconnect"
	"github.com/capstan-run/capstan/core/gang"
	"github.com/capstan-run/capstan/core/launch/pool"
)

// maxSpec is the largest document a host reads; maxArtifact the largest file.
const (
	maxSpec     = 1 << 20
	maxArtifact = 1 << 30
)

// Handler serves the API to callers that present the token.
func (h *Host) Handler(token string) http.Handler {
	path, svc := apipbconnect.NewHostServiceHandler(&service{h: h}, connect.WithReadMaxBytes(4<<20))
	mux := http.NewServeMux()
	mux.Handle(path, svc)
	want := sha256.Sum256([]byte(token))
	guarded := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got := sha256.Sum256([]byte(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")))
		if subtle.ConstantTimeCompare(want[:], got[:]) != 1 {
			ew := connect.NewErrorWriter()
			err := api.ToConnect(core.Errorf(core.Denied, "the token is missing or wrong").Do("set CAPSTAN_TOKEN to the content of the state directory's file token"))
			if ew.IsSupported(r) {
				ew.Write(w, r, err)
				return
			}
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		mux.ServeHTTP(w, r)
	})
	// A page in a browser must not be able to talk to the host.
	return http.NewCrossOriginProtection().Handler(guarded)
}

// ShutdownAsked is closed when a caller asked the host to end.
func (h *Host) ShutdownAsked() <-chan struct{} { return h.closing }

// Idle reports whether no job is running or being cleaned up and nobody calls,
// and since when.
func (h *Host) Idle() (bool, time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.idle(), h.used
}

func (h *Host) idle() bool {
	for _, j := range h.jobs {
		if !j.rec.Job.State.Final() || j.attempt != nil {
			return false
		}
	}
	return h.calls == 0
}

type service struct{ h *Host }

func (s *service) Info(ctx context.Context, _ *connect.Request[apipb.InfoRequest]) (*connect.Response[apipb.InfoResponse], error) {
	store, err := api.ToStruct(s.h.cfg.Store.Admin())
	if err != nil {
		return nil, api.ToConnect(err)
	}
	return connect.NewResponse(&apipb.InfoResponse{
		Version: s.h.cfg.Version, Launcher: s.h.cfg.Launcher.Name(), LauncherWhy: s.h.cfg.LauncherWhy,
		StateDir: s.h.cfg.StateDir, Occasional: s.h.cfg.Occasional, Store: store, Pid: int64(os.Getpid()),
		CaPem: string(s.h.ca.CertPEM()),
	}), nil
}

func (s *service) Submit(ctx context.Context, r *connect.Request[apipb.SubmitRequest]) (*connect.Response[apipb.SubmitResponse], error) {
	if len(r.Msg.Spec) > maxSpec {
		return nil, api.ToConnect(tooLarge(len(r.Msg.Spec)))
	}
	id, attached, warnings, err := s.h.Submit(ctx, r.Msg.Spec, r.Msg.Id, r.Msg.Source)
	if err != nil {
		return nil, api.ToConnect(err)
	}
	out := &apipb.SubmitResponse{Id: string(id), Attached: attached}
	for _, w := range warnings {
		if d, err := api.ToStruct(w); err == nil {
			out.Warnings = append(out.Warnings, d)
		}
	}
	return connect.NewResponse(out), nil
}

func tooLarge(n int) error {
	return core.Errorf(core.Invalid, "the spec has %d bytes; the limit is %d", n, maxSpec).Do("put data into files or the store and name it in the spec")
}

func (s *service) Plan(ctx context.Context, r *connect.Request[apipb.SubmitRequest]) (*connect.Response[apipb.PlanResponse], error) {
	if len(r.Msg.Spec) > maxSpec {
		return nil, api.ToConnect(tooLarge(len(r.Msg.Spec)))
	}
	out, err := s.h.dryRun(ctx, r.Msg.Spec, r.Msg.Source)
	if err != nil {
		return nil, api.ToConnect(err)
	}
	return connect.NewResponse(out), nil
}

// dryRun plans doc and asks a copy of the scheduler what would happen now.
func (h *Host) dryRun(ctx context.Context, doc []byte, source string) (*apipb.PlanResponse, error) {
	sp, err := h.parse(doc, source)
	if err != nil {
		return nil, err
	}
	draft := core.Job{ID: "plan", Spec: *sp, State: core.Queued, Epoch: 1, Submitted: now()}
	plan, err := h.cfg.Frameworks.Plan(ctx, &draft)
	if err != nil {
		return nil, located(err, doc, source)
	}
	out := &apipb.PlanResponse{PlaceableNow: true, PlaceableEver: true}
	if out.Plan, err = api.ToStruct(plan); err != nil {
		return nil, err
	}
	var text []string
	h.mu.Lock()
	defer h.mu.Unlock()
	sched := h.sched.Clone()
	a := &attempt{h: h, job: &job{rec: record{Job: draft, Plan: *plan}}}
	for _, ask := range plan.Gangs {
		g := &gangRun{attempt: a, id: gang.IDOf(draft.ID, ask.Name), state: &gangState{Ask: ask}}
		res := sched.Step(gang.Submit{Now: now().UnixMilli(), Request: g.request()})
		granted := false
		for _, act := range res.Actions {
			switch act := act.(type) {
			case gang.Refuse:
				out.PlaceableNow, out.PlaceableEver = false, false
				text = append(text, act.Why+"; "+act.Remedy)
			case gang.Grant:
				if act.Gang == g.id {
					granted = true
					text = append(text, fmt.Sprintf("gang %s would start now: %s", ask.Name, placement(act.Nodes)))
				}
			}
		}
		if !granted && out.PlaceableEver {
			out.PlaceableNow = false
			text = append(text, sched.Why(g.id).String())
		}
	}
	out.Placement = strings.Join(text, "\n")
	return out, nil
}

// placement says which ranks lie where: "ranks 0-3 on a, rank 4 on b".
func placement(nodes []core.NodeID) string {
	var parts []string
	for i := 0; i < len(nodes); {
		j := i
		for j+1 < len(nodes) && nodes[j+1] == nodes[i] {
			j++
		}
		if i == j {
			parts = append(parts, fmt.Sprintf("rank %d on %s", i, nodes[i]))
		} else {
			parts = append(parts, fmt.Sprintf("ranks %d-%d on %s", i, j, nodes[i]))
		}
		i = j + 1
	}
	return strings.Join(parts, ", ")
}

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

func (s *service) Cancel(_ context.Context, r *connect.Request[apipb.CancelRequest]) (*connect.Response[apipb.JobResponse], error) {
	job, err := s.h.Cancel(r.Msg.Id, r.Msg.Reason)
	if err != nil {
		return nil, api.ToConnect(err)
	}
	return s.answer(s.one(string(job.ID)))
}

func (s *service) Retry(ctx context.Context, r *connect.Request[apipb.JobRequest]) (*connect.Response[apipb.SubmitResponse], error) {
	id, err := s.h.Retry(ctx, r.Msg.Id)
	if err != nil {
		return nil, api.ToConnect(err)
	}
	return connect.NewResponse(&apipb.SubmitResponse{Id: string(id)}), nil
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
	if job.State != core.Queued || j.attempt == nil {
		out.Text = whyNotQueued(job)
		return connect.NewResponse(out), nil
	}
	var text []string
	for _, name := range gangNames(j) {
		if g := j.attempt.gangs[name]; g != nil && g.state.Lease == 0 {
			e := h.sched.Why(g.id)
			text = append(text, e.String())
			out.Blockers = append(out.Blockers, e.Blockers...)
			if e.Remedy != "" {
				out.Remedy = e.Remedy
			}
		}
	}
	out.Text = strings.Join(text, "\n")
	return connect.NewResponse(out), nil
}

func whyNotQueued(job core.Job) string {
	if job.Outcome != nil && job.Outcome.Kind != "" {
		return fmt.Sprintf("job %s %s: %s", job.ID, job.State, job.Outcome.Err())
	}
	text := fmt.Sprintf("job %s is %s", job.ID, job.State)
	if job.Progress.Note != "" {
		text += ": " + job.Progress.Note
	}
	return text
}

// watchPage is how many events Watch reads at a time.
const watchPage = 1000

// interrupted is the end of a stream whose caller is gone, or whose host.
func (h *Host) interrupted() error {
	if h.ctx.Err() != nil {
		return connect.NewError(connect.CodeUnavailable, errHostStops)
	}
	return nil
}

// Watch sends the job's document when it changed, at most five times a second,
// and its events as they come.
func (s *service) Watch(ctx context.Context, r *connect.Request[apipb.WatchRequest], out *connect.ServerStream[apipb.WatchResponse]) error {
	h := s.h
	j, err := s.one(r.Msg.Id)
	if err != nil {
		return api.ToConnect(err)
	}
	seq := r.Msg.After
	for {
		h.mu.Lock()
		changed, id, final := j.changed, j.rec.Job.ID, j.rec.Job.State.Final()
		h.mu.Unlock()
		events, err := h.journal.Events(ctx, id, seq, watchPage)
		if ctx.Err() != nil {
			return h.interrupted()
		}
		if err != nil {
			return api.ToConnect(err)
		}
		for _, e := range events {
			seq = e.Seq
			ev := &apipb.JobEvent{Seq: e.Seq, Time: timestamppb.New(e.Time), Kind: e.Kind, Text: e.Text}
			if err := out.Send(&apipb.WatchResponse{What: &apipb.WatchResponse_Event{Event: ev}}); err != nil {
				return err
			}
		}
		if len(events) == watchPage {
			continue
		}
		doc, err := h.doc(j)
		if err != nil {
			return api.ToConnect(err)
		}
		if err := out.Send(&apipb.WatchResponse{What: &apipb.WatchResponse_Job{Job: doc}}); err != nil {
			return err
		}
		if final {
			return nil
		}
		pause := time.After(50 * time.Millisecond)
		select {
		case <-changed:
		case <-ctx.Done():
			return h.interrupted()
		case <-h.ctx.Done():
			return h.interrupted()
		}
		// Several changes in a row go out as one, but the end goes out at once.
		for waiting := true; waiting; {
			h.mu.Lock()
			changed, final = j.changed, j.rec.Job.State.Final()
			h.mu.Unlock()
			if final {
				break
			}
			select {
			case <-pause:
				waiting = false
			case <-changed:
			case <-ctx.Done():
				return h.interrupted()
			}
		}
	}
}

func (s *service) Logs(ctx context.Context, r *connect.Request[apipb.LogsRequest], out *connect.ServerStream[apipb.LogLine]) error {
	j, err := s.one(r.Msg.Id)
	if err != nil {
		return api.ToConnect(err)
	}
	s.h.mu.Lock()
	epoch := r.Msg.Epoch
	if epoch == 0 && !r.Msg.Follow {
		epoch = int64(j.rec.Job.Epoch)
	}
	s.h.mu.Unlock()
	keep := func(l LogLine) bool {
		return (r.Msg.Rank < 0 || int(r.Msg.Rank) == l.Rank) && (epoch == 0 || epoch == int64(l.Epoch)) &&
			(r.Msg.Grep == "" || strings.Contains(l.Text, r.Msg.Grep))
	}
	send := func(l LogLine) error {
		return out.Send(&apipb.LogLine{Time: timestamppb.New(l.Time), Rank: int32(l.Rank), Text: l.Text, Epoch: int64(l.Epoch)})
	}
	skip := int64(0)
	if r.Msg.Tail > 0 {
		total := int64(0)
		if err := j.log.read(ctx, false, func(l LogLine) error {
			if keep(l) {
				total++
			}
			return nil
		}); err != nil {
			return api.ToConnect(err)
		}
		skip = max(0, total-r.Msg.Tail)
	}
	err = j.log.read(ctx, r.Msg.Follow, func(l LogLine) error {
		if !keep(l) {
			return nil
		}
		if skip > 0 {
			skip--
			return nil
		}
		return send(l)
	})
	if ctx.Err() != nil {
		return s.h.interrupted()
	}
	return api.ToConnect(err)
}

func (s *service) Kinds(context.Context, *connect.Request[apipb.KindsRequest]) (*connect.Response[apipb.KindsResponse], error) {
	out := new(apipb.KindsResponse)
	for _, k := range s.h.cfg.Frameworks.Kinds() {
		doc, err := api.ToStruct(k)
		if err != nil {
			return nil, api.ToConnect(err)
		}
		out.Kinds = append(out.Kinds, doc)
	}
	return connect.NewResponse(out), nil
}

func (s *service) Plugins(ctx context.Context, r *connect.Request[apipb.PluginsRequest]) (*connect.Response[apipb.PluginsResponse], error) {
	list, err := s.h.cfg.Frameworks.Plugins(ctx, r.Msg.Verify, r.Msg.Accept)
	if err != nil {
		return nil, api.ToConnect(err)
	}
	out := new(apipb.PluginsResponse)
	for _, p := range list {
		out.Plugins = append(out.Plugins, &apipb.Plugin{Name: p.Name, Kinds: p.Kinds, Version: p.Version, Path: p.Path,
			Sha256: p.SHA256, Pin: p.Pin, State: p.State, Message: p.Message})
	}
	return connect.NewResponse(out), nil
}

func (s *service) Nodes(context.Context, *connect.Request[apipb.NodesRequest]) (*connect.Response[apipb.NodesResponse], error) {
	h := s.h
	h.mu.Lock()
	defer h.mu.Unlock()
	out := new(apipb.NodesResponse)
	warm := h.pool.standing()
	for _, n := range h.sched.Snapshot().Nodes {
		doc, err := api.ToStruct(struct {
			gang.NodeView
			Warm pool.Stand `json:"warm"`
		}{n, warm[n.ID]})
		if err != nil {
			return nil, api.ToConnect(err)
		}
		out.Nodes = append(out.Nodes, doc)
	}
	return connect.NewResponse(out), nil
}

func (s *service) PutArtifact(_ context.Context, in *connect.ClientStream[apipb.PutArtifactRequest]) (*connect.Response[apipb.PutArtifactResponse], error) {
	f, err := os.CreateTemp(filepath.Join(s.h.cfg.StateDir, "tmp"), "artifact-*")
	if err != nil {
		return nil, api.ToConnect(err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	sum := sha256.New()
	want, size, err := receive(in, f, sum)
	if err != nil {
		return nil, api.ToConnect(err)
	}
	got := hex.EncodeToString(sum.Sum(nil))
	if got != want {
		return nil, api.ToConnect(core.Errorf(core.Invalid, "the upload has hash %s, not %s", got, want).Do("upload it again; the file may have changed meanwhile"))
	}
	if err := errors.Join(f.Sync(), f.Chmod(0o555), f.Close()); err != nil {
		return nil, api.ToConnect(err)
	}
	if err := s.h.shipped.put(f.Name(), got); err != nil {
		return nil, api.ToConnect(err)
	}
	return connect.NewResponse(&apipb.PutArtifactResponse{Sha256: got, Size: size}), nil
}

func receive(in *connect.ClientStream[apipb.PutArtifactRequest], f *os.File, sum hash.Hash) (want string, size int64, err error) {
	for in.Receive() {
		if want == "" {
			want = in.Msg().Sha256
		}
		chunk := in.Msg().Chunk
		if size += int64(len(chunk)); size > maxArtifact {
			return "", 0, core.Errorf(core.Invalid, "the file is larger than %d bytes", maxArtifact).Do("put it into the store and read it from there")
		}
		sum.Write(chunk)
		if _, err := f.Write(chunk); err != nil {
			return "", 0, err
		}
	}
	return want, size, in.Err()
}

func (s *service) HasArtifacts(_ context.Context, r *connect.Request[apipb.HasArtifactsRequest]) (*connect.Response[apipb.HasArtifactsResponse], error) {
	out := new(apipb.HasArtifactsResponse)
	for _, sum := range r.Msg.Sha256 {
		if b, err := hex.DecodeString(sum); err != nil || len(b) != sha256.Size {
			return nil, api.ToConnect(core.Errorf(core.Invalid, "%q is no SHA-256", sum))
		}
		if !s.h.shipped.has(sum) {
			out.Missing = append(out.Missing, sum)
		}
	}
	return connect.NewResponse(out), nil
}

func (s *service) Shutdown(_ context.Context, r *connect.Request[apipb.ShutdownRequest]) (*connect.Response[apipb.ShutdownResponse], error) {
	h := s.h
	asked := h.shutdown(r.Msg)
	if asked == nil {
		return connect.NewResponse(&apipb.ShutdownResponse{}), nil
	}
	for _, j := range asked {
		h.persist(j) // the next host ends what this one cannot
	}
	return connect.NewResponse(&apipb.ShutdownResponse{Stopping: true}), nil
}

// shutdown begins the end of the host and answers the jobs it cancels; nil if
// the host stays.
func (h *Host) shutdown(r *apipb.ShutdownRequest) []*job {
	h.mu.Lock()
	defer h.mu.Unlock()
	// Another caller may be about to submit: one call is this one.
	if r.OnlyIfOccasionalAndIdle && (!h.cfg.Occasional || !h.onlyFinal() || h.calls > 1) {
		return nil
	}
	asked := []*job{}
	if r.StopJobs {
		for _, j := range h.jobs {
			if h.cancelLocked(j, core.Errorf(core.Cancelled, "the host was shut down")) {
				asked = append(asked, j)
			}
		}
	}
	if !h.ending() {
		close(h.closing)
	}
	return asked
}

func (h *Host) onlyFinal() bool {
	for _, j := range h.jobs {
		if !j.rec.Job.State.Final() {
			return false
		}
	}
	return true
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
