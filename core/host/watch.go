package host

import (
	"context"
	"strings"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/capstan-run/capstan/core/api"
	"github.com/capstan-run/capstan/core/api/apipb"
)

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
