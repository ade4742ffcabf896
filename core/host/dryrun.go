package host

import (
	"context"
	"fmt"
	"strings"

	"connectrpc.com/connect"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/api"
	"github.com/capstan-run/capstan/core/api/apipb"
	"github.com/capstan-run/capstan/core/gang"
)

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
	if err := h.checkAfter(sp); err != nil {
		return nil, located(err, doc, source)
	}
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
