package host

import (
	"context"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/api"
	"github.com/capstan-run/capstan/core/api/clusterpb"
	"github.com/capstan-run/capstan/core/queue"
)

// clusterService is the scheduler's side of the API.
type clusterService struct{ h *Host }

// QueueShare is a queue for people: what it may have and what it has.
type QueueShare struct {
	Queue    string        `json:"queue"` // "" is the whole cluster
	Weight   int64         `json:"weight"`
	Quota    queue.Amounts `json:"quota,omitempty"`
	Used     queue.Amounts `json:"used,omitempty"`
	Borrowed queue.Amounts `json:"borrowed,omitempty"`
	Lent     queue.Amounts `json:"lent,omitempty"`
	Dominant string        `json:"dominant"` // the resource of which it has the largest part
	Share    float64       `json:"share"`    // that part of the cluster, now
	Past     float64       `json:"past"`     // and in the past, which fades
	Pending  int           `json:"pending"`
	Running  int           `json:"running"`
}

func (s *clusterService) Queues(context.Context, *connect.Request[clusterpb.QueuesRequest]) (*connect.Response[clusterpb.QueuesResponse], error) {
	return s.queues()
}

func (s *clusterService) queues() (*connect.Response[clusterpb.QueuesResponse], error) {
	h := s.h
	h.mu.Lock()
	defer h.mu.Unlock()
	out := &clusterpb.QueuesResponse{Document: h.policy.Document}
	for _, v := range h.sched.Shares() {
		doc, err := api.ToStruct(QueueShare{
			Queue: v.Queue, Weight: v.Weight, Quota: h.sched.Amounts(v.Quota), Used: h.sched.Amounts(v.Used),
			Borrowed: h.sched.Amounts(v.Borrowed), Lent: h.sched.Amounts(v.Lent), Dominant: h.sched.Resource(v.Resource),
			Share: float64(v.Now) / 1e6, Past: float64(v.Past) / 1e6, Pending: v.Pending, Running: v.Running,
		})
		if err != nil {
			return nil, api.ToConnect(err)
		}
		out.Queues = append(out.Queues, doc)
	}
	return connect.NewResponse(out), nil
}

func (s *clusterService) SetQueues(ctx context.Context, r *connect.Request[clusterpb.SetQueuesRequest]) (*connect.Response[clusterpb.QueuesResponse], error) {
	if err := s.h.SetQueues(ctx, r.Msg.Document, r.Msg.Source); err != nil {
		return nil, api.ToConnect(err)
	}
	return s.queues()
}

func (s *clusterService) Drain(ctx context.Context, r *connect.Request[clusterpb.DrainRequest]) (*connect.Response[clusterpb.DrainResponse], error) {
	v, err := s.h.Drain(ctx, core.NodeID(r.Msg.Node), r.Msg.Undo, r.Msg.Until)
	if err != nil {
		return nil, api.ToConnect(err)
	}
	doc, err := api.ToStruct(v)
	if err != nil {
		return nil, api.ToConnect(err)
	}
	return connect.NewResponse(&clusterpb.DrainResponse{Node: doc}), nil
}

func (s *clusterService) Reserve(ctx context.Context, r *connect.Request[clusterpb.ReserveRequest]) (*connect.Response[clusterpb.ReserveResponse], error) {
	v := reservation{Start: r.Msg.Start, End: r.Msg.End}
	for _, id := range r.Msg.Nodes {
		v.Nodes = append(v.Nodes, core.NodeID(id))
	}
	if err := s.h.Reserve(ctx, r.Msg.Name, v); err != nil {
		return nil, api.ToConnect(err)
	}
	return s.reservations()
}

func (s *clusterService) Unreserve(ctx context.Context, r *connect.Request[clusterpb.UnreserveRequest]) (*connect.Response[clusterpb.ReserveResponse], error) {
	if err := s.h.Unreserve(ctx, r.Msg.Name); err != nil {
		return nil, api.ToConnect(err)
	}
	return s.reservations()
}

func (s *clusterService) Reservations(context.Context, *connect.Request[clusterpb.ReservationsRequest]) (*connect.Response[clusterpb.ReserveResponse], error) {
	return s.reservations()
}

func (s *clusterService) reservations() (*connect.Response[clusterpb.ReserveResponse], error) {
	h := s.h
	h.mu.Lock()
	defer h.mu.Unlock()
	out := new(clusterpb.ReserveResponse)
	for _, name := range sortedKeys(h.policy.Reservations) {
		doc, err := api.ToStruct(struct {
			Name string `json:"name"`
			reservation
		}{name, h.policy.Reservations[name]})
		if err != nil {
			return nil, api.ToConnect(err)
		}
		out.Reservations = append(out.Reservations, doc)
	}
	return connect.NewResponse(out), nil
}

func (s *clusterService) Explain(_ context.Context, r *connect.Request[clusterpb.ExplainRequest]) (*connect.Response[clusterpb.ExplainResponse], error) {
	h := s.h
	h.mu.Lock()
	defer h.mu.Unlock()
	j, err := h.find(r.Msg.Id)
	if err != nil {
		return nil, api.ToConnect(err)
	}
	out := new(clusterpb.ExplainResponse)
	if j.attempt == nil {
		return connect.NewResponse(out), nil
	}
	list, _ := h.nextOf(j)
	for _, g := range list {
		doc, err := api.ToStruct(h.explain(g))
		if err != nil {
			return nil, api.ToConnect(err)
		}
		out.Explanations = append(out.Explanations, doc)
	}
	return connect.NewResponse(out), nil
}

func (s *clusterService) Volumes(ctx context.Context, _ *connect.Request[clusterpb.VolumesRequest]) (*connect.Response[clusterpb.VolumesResponse], error) {
	list, err := s.h.Volumes(ctx)
	if err != nil {
		return nil, api.ToConnect(err)
	}
	docs, err := structs(list)
	if err != nil {
		return nil, api.ToConnect(err)
	}
	return connect.NewResponse(&clusterpb.VolumesResponse{Volumes: docs}), nil
}

func (s *clusterService) RemoveVolume(_ context.Context, r *connect.Request[clusterpb.RemoveVolumeRequest]) (*connect.Response[clusterpb.RemoveVolumeResponse], error) {
	if err := s.h.RemoveVolume(r.Msg.Name); err != nil {
		return nil, api.ToConnect(err)
	}
	return connect.NewResponse(&clusterpb.RemoveVolumeResponse{}), nil
}

func (s *clusterService) Gangs(context.Context, *connect.Request[clusterpb.GangsRequest]) (*connect.Response[clusterpb.GangsResponse], error) {
	h := s.h
	h.mu.Lock()
	gangs := h.sched.Snapshot().Gangs
	for i := range gangs {
		gangs[i].Queue = h.policy.serves(gangs[i].Queue)
	}
	h.mu.Unlock()
	docs, err := structs(gangs)
	if err != nil {
		return nil, api.ToConnect(err)
	}
	return connect.NewResponse(&clusterpb.GangsResponse{Gangs: docs}), nil
}

func structs[T any](list []T) ([]*structpb.Struct, error) {
	var out []*structpb.Struct
	for _, v := range list {
		doc, err := api.ToStruct(v)
		if err != nil {
			return nil, err
		}
		out = append(out, doc)
	}
	return out, nil
}
