package cli_test

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/api"
	"github.com/capstan-run/capstan/core/api/apipb"
	"github.com/capstan-run/capstan/core/api/apipb/apipbconnect"
	"github.com/capstan-run/capstan/core/api/clusterpb/clusterpbconnect"
	"github.com/capstan-run/capstan/core/cli"
	"github.com/capstan-run/capstan/core/spec"
	"github.com/capstan-run/capstan/core/unixsock"
)

const token = "0123456789abcdef0123456789abcdef"

// fakeHost keeps its jobs as files of the state directory, so that the next
// one knows them. What becomes of a job is its name's:
//
//	ok, fail, cancelled, timeout   ends so at once
//	slow                           runs until the file "go" appears
//	unplaceable, taken             is refused
//	broken                         its log breaks off the first time
type fakeHost struct {
	apipbconnect.UnimplementedHostServiceHandler
	dir        string
	occasional bool
	stop       context.CancelFunc
}

// runHost is cli.Wiring's.
func runHost(ctx context.Context, o cli.HostOptions) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	if o.Launcher == "docker" {
		return core.Errorf(core.HostLost, "no engine answers").Do("start it")
	}
	h := &fakeHost{dir: o.StateDir, occasional: o.Occasional, stop: stop}
	if err := errors.Join(os.MkdirAll(filepath.Join(h.dir, "jobs"), 0o700), os.WriteFile(h.path("token"), []byte(token+"\n"), 0o600)); err != nil {
		return err
	}
	os.Remove(h.path("host.sock"))
	l, err := unixsock.Listen(h.path("host.sock"))
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle(apipbconnect.NewHostServiceHandler(h))
	mux.Handle(clusterpbconnect.NewClusterServiceHandler(fakeCluster{}))
	srv := &http.Server{Handler: guard(mux)}
	go srv.Serve(l)
	o.Ready("host up at " + filepath.Base(h.dir))
	h.mark("up")
	<-ctx.Done()
	late, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if srv.Shutdown(late) != nil {
		srv.Close()
	}
	return nil
}

func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+token {
			connect.NewErrorWriter().Write(w, r, api.ToConnect(core.Errorf(core.Denied, "the token is wrong").Do("set CAPSTAN_TOKEN")))
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (h *fakeHost) path(name string) string { return filepath.Join(h.dir, name) }

// mark makes a file the scripts wait for.
func (h *fakeHost) mark(name string) { os.WriteFile(h.path(name), nil, 0o600) }

func (h *fakeHost) Info(context.Context, *connect.Request[apipb.InfoRequest]) (*connect.Response[apipb.InfoResponse], error) {
	return connect.NewResponse(&apipb.InfoResponse{Version: "v1.2.3", Launcher: "process", LauncherWhy: "a test", StateDir: h.dir,
		Occasional: h.occasional, Store: &structpb.Struct{}}), nil
}

func (h *fakeHost) Kinds(context.Context, *connect.Request[apipb.KindsRequest]) (*connect.Response[apipb.KindsResponse], error) {
	kinds := []core.Description{echo}
	plugins, _ := os.ReadDir(h.path("plugins")) // each serves the kind of its name
	for _, p := range plugins {
		k := echo
		k.Kind = p.Name()
		kinds = append(kinds, k)
	}
	var r apipb.KindsResponse
	for _, k := range kinds {
		doc, err := api.ToStruct(k)
		if err != nil {
			return nil, err
		}
		r.Kinds = append(r.Kinds, doc)
	}
	return connect.NewResponse(&r), nil
}

func (h *fakeHost) Submit(_ context.Context, r *connect.Request[apipb.SubmitRequest]) (*connect.Response[apipb.SubmitResponse], error) {
	s, err := spec.Parse(r.Msg.Spec, r.Msg.Source, []core.Description{echo})
	if err != nil {
		return nil, api.ToConnect(err)
	}
	id := r.Msg.Id
	if id == "" {
		id = s.Metadata.Name
	}
	switch s.Metadata.Name {
	case "unplaceable":
		err = core.Errorf(core.Unplaceable, "gang of 9 is larger than the cluster").At("gang").Do("size 2 would fit")
	case "taken":
		err = core.Errorf(core.Conflict, "job %s exists with a different spec", id).Do("choose another id")
	}
	if err != nil {
		return nil, api.ToConnect(err)
	}
	old, _ := h.job(id)
	if old == nil {
		b, _ := json.Marshal(core.Job{ID: core.JobID(id), Spec: *s, State: core.Queued, Epoch: 1, Submitted: time.Unix(1e9, 0)})
		err = os.WriteFile(h.path("jobs/"+id), b, 0o600)
	}
	return connect.NewResponse(&apipb.SubmitResponse{Id: id, Attached: old != nil}), err
}

// job reads a job and says how it is by now.
func (h *fakeHost) job(ref string) (*core.Job, error) {
	b, err := os.ReadFile(h.path("jobs/" + filepath.Base(ref)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, core.Errorf(core.NotFound, "no job %q", ref).Do("`capstan list` shows the jobs there are")
	}
	j := new(core.Job)
	if err := json.Unmarshal(b, j); err != nil {
		return nil, err
	}
	j.Started, j.Ended = j.Submitted.Add(time.Second), j.Submitted.Add(3*time.Second)
	switch j.Spec.Metadata.Name {
	case "fail":
		j.State, j.Outcome = core.FailedJob, &core.Outcome{Kind: core.Failed, What: "the voice broke\x1b[31m", Where: "rank 0", Remedy: "drink tea", Detail: "last words"}
	case "cancelled":
		j.State, j.Outcome = core.Canceled, &core.Outcome{Kind: core.Cancelled, What: "somebody cancelled it"}
	case "timeout":
		j.State, j.Outcome = core.Expired, &core.Outcome{Kind: core.TimedOut, What: "the walltime is over", Remedy: "raise it"}
	case "slow":
		if _, err := os.Stat(h.path("go")); err != nil {
			j.State, j.Ended = core.Running, time.Time{}
			j.Progress = core.Progress{Stages: []core.Stage{{Name: "say", Tasks: 4, Done: 1}}, Note: "clearing the throat"}
			return j, nil
		}
		fallthrough
	default:
		counters := map[string]int64{"voice/high": 12345, "voice/deep": 7}
		j.Progress = core.Progress{Note: "bowing", Counters: counters}
		j.State, j.Outcome = core.Succeeded, &core.Outcome{Report: core.Report{Output: "s3://results/a", RecordsOut: 1, BytesOut: 4, Counters: counters,
			Preview: &core.Table{Columns: []string{"text", "n"}, Rows: [][]string{{"hello", "1"}}}}}
	}
	return j, nil
}

func (h *fakeHost) answer(ref string) (*connect.Response[apipb.JobResponse], error) {
	j, err := h.job(ref)
	if err != nil {
		return nil, api.ToConnect(err)
	}
	doc, err := api.ToStruct(j)
	return connect.NewResponse(&apipb.JobResponse{Job: doc}), err
}

func (h *fakeHost) Get(_ context.Context, r *connect.Request[apipb.JobRequest]) (*connect.Response[apipb.JobResponse], error) {
	return h.answer(r.Msg.Id)
}

func (h *fakeHost) Cancel(_ context.Context, r *connect.Request[apipb.CancelRequest]) (*connect.Response[apipb.JobResponse], error) {
	return h.answer(r.Msg.Id)
}

func (h *fakeHost) List(context.Context, *connect.Request[apipb.ListRequest]) (*connect.Response[apipb.ListResponse], error) {
	entries, err := os.ReadDir(h.path("jobs"))
	if err != nil {
		return nil, err
	}
	sort.Slice(entries, func(i, k int) bool { return entries[i].Name() < entries[k].Name() })
	out := new(apipb.ListResponse)
	for _, e := range entries {
		r, err := h.answer(e.Name())
		if err != nil {
			return nil, err
		}
		out.Jobs = append(out.Jobs, r.Msg.Job)
	}
	return connect.NewResponse(out), nil
}

// Watch tells two events, then the job, and again when it is over.
func (h *fakeHost) Watch(ctx context.Context, r *connect.Request[apipb.WatchRequest], out *connect.ServerStream[apipb.WatchResponse]) error {
	for seq, kind := range map[int64]string{1: "submitted"} {
		if seq > r.Msg.After {
			e := &apipb.JobEvent{Seq: seq, Time: timestamppb.New(time.Unix(1e9, 0)), Kind: kind, Text: "Echo " + r.Msg.Id + " \x1b]0;submitted"}
			if err := out.Send(&apipb.WatchResponse{What: &apipb.WatchResponse_Event{Event: e}}); err != nil {
				return err
			}
		}
	}
	for {
		j, err := h.job(r.Msg.Id)
		if err != nil {
			return api.ToConnect(err)
		}
		doc, err := api.ToStruct(j)
		if err == nil {
			err = out.Send(&apipb.WatchResponse{What: &apipb.WatchResponse_Job{Job: doc}})
		}
		if err != nil || j.State.Final() {
			return err
		}
		h.mark("watched")
		if !appears(h.path("go"), ctx.Done()) {
			return ctx.Err()
		}
	}
}

// Logs sends three lines. That of "broken" breaks off after two, once.
func (h *fakeHost) Logs(_ context.Context, r *connect.Request[apipb.LogsRequest], out *connect.ServerStream[apipb.LogLine]) error {
	if _, err := h.job(r.Msg.Id); err != nil {
		return api.ToConnect(err)
	}
	_, again := os.Stat(h.path("broken"))
	for i, text := range []string{"one", "two \x1b[2J", "three"} {
		if i == 2 && strings.HasPrefix(r.Msg.Id, "broken") && again != nil {
			h.mark("broken")
			panic(http.ErrAbortHandler)
		}
		if err := out.Send(&apipb.LogLine{Time: timestamppb.New(time.Unix(1e9, 0)), Rank: int32(i) - 1, Text: text, Epoch: 1}); err != nil {
			return err
		}
	}
	return nil
}

func (h *fakeHost) Why(_ context.Context, r *connect.Request[apipb.JobRequest]) (*connect.Response[apipb.WhyResponse], error) {
	return connect.NewResponse(&apipb.WhyResponse{Text: r.Msg.Id + " waits for 2 cpu", Blockers: []string{"2 cpu"}, Remedy: "wait"}), nil
}

func (h *fakeHost) Retry(_ context.Context, r *connect.Request[apipb.JobRequest]) (*connect.Response[apipb.SubmitResponse], error) {
	return connect.NewResponse(&apipb.SubmitResponse{Id: r.Msg.Id + "-again"}), nil
}

func (h *fakeHost) Nodes(context.Context, *connect.Request[apipb.NodesRequest]) (*connect.Response[apipb.NodesResponse], error) {
	doc, err := api.ToStruct(map[string]any{"id": "here", "capacity": core.Resources{CPU: 2000, Memory: 1 << 30}, "free": core.Resources{CPU: 500, Memory: 1 << 29}, "executors": 3, "state": "ready",
		"warm": map[string]int{"ready": 2, "wanted": 4}})
	return connect.NewResponse(&apipb.NodesResponse{Nodes: []*structpb.Struct{doc}}), err
}

func (h *fakeHost) Plugins(_ context.Context, r *connect.Request[apipb.PluginsRequest]) (*connect.Response[apipb.PluginsResponse], error) {
	list := []*apipb.Plugin{{Name: "echo", Kinds: []string{"Echo"}, Version: "1", Path: "/bin/echo", Sha256: strings.Repeat("ab", 32), Pin: "built-in", State: "ready"}}
	if r.Msg.Verify && r.Msg.Accept == "" {
		list = append(list, &apipb.Plugin{Name: "odd", Pin: "mismatch", State: "refused", Message: "it changed\nat line 1\x1b[31m"})
	}
	return connect.NewResponse(&apipb.PluginsResponse{Plugins: list}), nil
}

func (h *fakeHost) Plan(_ context.Context, r *connect.Request[apipb.SubmitRequest]) (*connect.Response[apipb.PlanResponse], error) {
	s, err := spec.Parse(r.Msg.Spec, r.Msg.Source, []core.Description{echo})
	if err != nil {
		return nil, api.ToConnect(err)
	}
	plan, err := api.ToStruct(core.Plan{Gangs: []core.GangAsk{{Name: "main", Gang: s.Gang}}, Stages: []core.PlanStage{{Name: "say", Tasks: 4, Bytes: 1000}}})
	fits := s.Metadata.Name != "unplaceable"
	return connect.NewResponse(&apipb.PlanResponse{Plan: plan, Placement: "main: rank 0 on here", PlaceableNow: fits, PlaceableEver: fits}), err
}

func (h *fakeHost) HasArtifacts(_ context.Context, r *connect.Request[apipb.HasArtifactsRequest]) (*connect.Response[apipb.HasArtifactsResponse], error) {
	return connect.NewResponse(&apipb.HasArtifactsResponse{Missing: r.Msg.Sha256}), nil
}

func (h *fakeHost) PutArtifact(_ context.Context, s *connect.ClientStream[apipb.PutArtifactRequest]) (*connect.Response[apipb.PutArtifactResponse], error) {
	var data []byte
	out := new(apipb.PutArtifactResponse)
	for s.Receive() {
		out.Sha256 = s.Msg().Sha256
		data = append(data, s.Msg().Chunk...)
	}
	out.Size = int64(len(data))
	return connect.NewResponse(out), errors.Join(s.Err(), os.WriteFile(h.path("artifact"), data, 0o600))
}

func (h *fakeHost) Shutdown(_ context.Context, r *connect.Request[apipb.ShutdownRequest]) (*connect.Response[apipb.ShutdownResponse], error) {
	stopping := h.occasional || !r.Msg.OnlyIfOccasionalAndIdle
	if stopping {
		h.stop()
	}
	return connect.NewResponse(&apipb.ShutdownResponse{Stopping: stopping}), nil
}
