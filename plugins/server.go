package plugins

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/plugins/pluginpb"
)

// frameworkServer is the plugin's side of the contract.
type frameworkServer struct {
	pluginpb.UnimplementedFrameworkServer
	frameworks []core.Framework
}

func (s *frameworkServer) find(kind string) (core.Framework, error) {
	for _, f := range s.frameworks {
		if f.Describe().Kind == kind {
			return f, nil
		}
	}
	return nil, core.Errorf(core.NotFound, "this plugin does not serve kind %s", kind)
}

func (s *frameworkServer) Describe(context.Context, *pluginpb.DescribeRequest) (*pluginpb.DescribeResponse, error) {
	r := &pluginpb.DescribeResponse{}
	for _, d := range descriptions(s.frameworks) {
		b, err := json.Marshal(d)
		if err != nil {
			return nil, fmt.Errorf("description of %s: %w", d.Kind, err)
		}
		r.Descriptions = append(r.Descriptions, b)
	}
	return r, nil
}

func (s *frameworkServer) Plan(ctx context.Context, r *pluginpb.PlanRequest) (*pluginpb.PlanResponse, error) {
	var job core.Job
	if err := decode("job", r.Job, &job); err != nil {
		return nil, err
	}
	f, err := s.find(job.Spec.Kind)
	if err != nil {
		return &pluginpb.PlanResponse{Error: errorToWire(err)}, nil
	}
	plan, err := f.Plan(ctx, &job)
	if err != nil {
		return &pluginpb.PlanResponse{Error: errorToWire(err)}, nil
	}
	b, err := json.Marshal(plan)
	if err != nil {
		return nil, err
	}
	return &pluginpb.PlanResponse{Plan: b}, nil
}

func (s *frameworkServer) Run(stream pluginpb.Framework_RunServer) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	if first.GetStart() == nil {
		return errors.New("an attempt begins with start")
	}
	a, err := attemptFromWire(first.GetStart())
	if err != nil {
		return err
	}
	f, err := s.find(a.Job.Spec.Kind)
	if err != nil {
		return stream.Send(doneToWire(core.Report{}, err))
	}
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	h := newRemoteHost(stream)
	a.Log = h.logger()
	go func() {
		defer cancel()
		h.receive()
	}()
	go h.deliver(ctx)
	report, err := f.Run(ctx, a, h)
	return h.send(doneToWire(report, err))
}

func doneToWire(report core.Report, err error) *pluginpb.FromPlugin {
	b, jsonErr := json.Marshal(report)
	if jsonErr != nil {
		b, err = []byte("{}"), errors.Join(err, fmt.Errorf("report: %w", jsonErr))
	}
	return &pluginpb.FromPlugin{What: &pluginpb.FromPlugin_Done{Done: &pluginpb.Done{Report: b, Error: errorToWire(err)}}}
}

// receive takes the host's messages until the stream ends. It never waits for
// the framework, so that a ping is answered while the coordinator computes.
func (h *remoteHost) receive() {
	for {
		m, err := h.stream.Recv()
		if err != nil {
			h.close(err)
			return
		}
		switch w := m.What.(type) {
		case *pluginpb.FromHost_Ping:
			pong := &pluginpb.Pong{Id: w.Ping.GetId()}
			if h.send(&pluginpb.FromPlugin{What: &pluginpb.FromPlugin_Pong{Pong: pong}}) != nil {
				return
			}
		case *pluginpb.FromHost_Saved:
			h.saved(w.Saved)
		default:
			e, err := eventFromWire(m)
			if err != nil {
				continue // of a newer host
			}
			h.queue(e, m.GetEvent())
		}
	}
}

// close ends the event queue: the attempt is over.
func (h *remoteHost) close(err error) {
	if errors.Is(err, io.EOF) {
		err = errors.New("the host ended the attempt")
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = err
	for id, c := range h.saves {
		c <- err
		delete(h.saves, id)
	}
	h.wakeLocked()
}
