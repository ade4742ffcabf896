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
	draft, err := h.draft(ctx, doc, source)
	if err != nil {
		return nil, err
	}
	out := &apipb.PlanResponse{PlaceableNow: true, PlaceableEver: true}
	if out.Plan, err = api.ToStruct(&draft.job.rec.Plan); err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.checkAfter(&draft.job.rec.Job.Spec); err != nil {
		return nil, located(err, doc, source)
	}
	d := dream{sched: h.sched.Clone(), at: now().UnixMilli(), subjects: draft.requests()}
	d.resubmit(&Otherwise{})
	granted := map[gang.ID]bool{}
	for _, a := range d.actions {
		switch a := a.(type) {
		case gang.Refuse:
			out.PlaceableNow, out.PlaceableEver = false, false
		case gang.Grant:
			granted[a.Gang] = true
		}
	}
	for _, q := range d.subjects {
		out.PlaceableNow = out.PlaceableNow && granted[q.Gang]
	}
	answer, err := d.answer()
	if err != nil {
		return nil, err
	}
	out.Placement = answer.Text
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
