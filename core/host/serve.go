package host

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"os"
	"strings"

	"connectrpc.com/connect"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/api"
	"github.com/capstan-run/capstan/core/api/apipb"
	"github.com/capstan-run/capstan/core/api/apipb/apipbconnect"
	"github.com/capstan-run/capstan/core/api/clusterpb/clusterpbconnect"
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
	mux.Handle(clusterpbconnect.NewClusterServiceHandler(&clusterService{h}, connect.WithReadMaxBytes(4<<20)))
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

func (s *service) Cancel(_ context.Context, r *connect.Request[apipb.CancelRequest]) (*connect.Response[apipb.JobResponse], error) {
	job, err := s.h.Cancel(r.Msg.Id, r.Msg.Reason)
	if err != nil {
		return nil, api.ToConnect(err)
	}
	return s.answer(s.one(string(job.ID)))
}

func (s *service) Command(ctx context.Context, r *connect.Request[apipb.CommandRequest]) (*connect.Response[apipb.CommandResponse], error) {
	id, answer, err := s.h.Command(ctx, r.Msg.Id, r.Msg.Verb, r.Msg.Args)
	return commanded(id, answer, err)
}

func (s *service) Update(ctx context.Context, r *connect.Request[apipb.SubmitRequest]) (*connect.Response[apipb.CommandResponse], error) {
	if len(r.Msg.Spec) > maxSpec {
		return nil, api.ToConnect(tooLarge(len(r.Msg.Spec)))
	}
	id, answer, err := s.h.Update(ctx, r.Msg.Id, r.Msg.Spec, r.Msg.Source)
	return commanded(id, answer, err)
}

func commanded(id core.JobID, a core.Answer, err error) (*connect.Response[apipb.CommandResponse], error) {
	if err != nil {
		return nil, api.ToConnect(err)
	}
	return connect.NewResponse(&apipb.CommandResponse{Id: string(id), Number: a.Number, Result: a.Result}), nil
}

func (s *service) Hold(_ context.Context, r *connect.Request[apipb.JobRequest]) (*connect.Response[apipb.JobResponse], error) {
	return s.hold(r.Msg.Id, true)
}

func (s *service) Release(_ context.Context, r *connect.Request[apipb.JobRequest]) (*connect.Response[apipb.JobResponse], error) {
	return s.hold(r.Msg.Id, false)
}

func (s *service) hold(ref string, hold bool) (*connect.Response[apipb.JobResponse], error) {
	job, err := s.h.Hold(ref, hold)
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
