package coordinate

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/coordinator"
	"github.com/capstan-run/capstan/frameworks/stream/snapshot"
	"github.com/capstan-run/capstan/frameworks/stream/topology"
	"github.com/capstan-run/capstan/frameworks/stream/wire"
)

// Attempt is what Run coordinates.
type Attempt struct {
	Topology *topology.Topology // that was bound
	Gang     core.GangAsk
	Owner    string // of this generation, and no other
	Store    snapshot.Store
	Log      *slog.Logger
}

// runner carries out a machine's effects.
type runner struct {
	*Attempt
	host    core.Host
	machine *Machine // nil until it is opened
}

type loop = coordinator.Loop[Event, Effect]

// Run coordinates one generation until the topology has come to its end, failed
// or was cancelled, or ctx ended.
func Run(ctx context.Context, a Attempt, host core.Host) (core.Report, error) {
	r := &runner{Attempt: &a, host: host}
	err := coordinator.Run(ctx, host, coordinator.Config[Event, Effect]{
		Open: r.open, Begin: Begin{}, Tick: Tick{}, Hear: r.hear, Do: r.do,
	})
	report := core.Report{}
	if r.machine != nil && r.machine.last != nil {
		report.Notes = append(report.Notes, fmt.Sprintf("epoch %d was committed last", r.machine.last.Epoch))
	}
	return report, err
}

func (r *runner) open(ctx context.Context) (coordinator.Machine[Event, Effect], error) {
	if err := r.host.WantGang(r.Gang); err != nil {
		return nil, err
	}
	last, err := snapshot.Last(ctx, r.Store)
	if err != nil {
		return nil, err
	}
	r.machine = New(r.Topology, r.Owner, last)
	return r.machine, nil
}

func (r *runner) hear(_ *loop, e core.Event) (Event, bool) {
	switch e := e.(type) {
	case core.GangUp:
		return GangUp{Size: e.Size, Lost: e.Lost}, true
	case core.Message:
		var up wire.Up
		if err := wire.Decode(e.Data, &up); err != nil {
			r.Log.Warn("a worker's message cannot be read", "rank", e.Rank, "err", err)
			return nil, false
		}
		return FromRank{Rank: e.Rank, Up: up}, true
	case core.ExecutorLost:
		return RankLost{Rank: e.Rank, Reason: e.Reason}, true
	case core.ExecutorReplaced:
		return RankReplaced{Rank: e.Rank}, true
	case core.GiveWay:
		return GiveWay{Reason: e.Reason}, true
	case core.CancelAsked:
		return CancelAsked{Reason: e.Reason}, true
	}
	return nil, false
}

func (r *runner) do(ctx context.Context, l *loop, f Effect) error {
	switch f := f.(type) {
	case Send:
		return l.Send(r.Gang.Name, f.Rank, &f.Down, wire.Encode)
	case Commit:
		l.Go(ctx, func(ctx context.Context) Event {
			return Committed{Manifest: f.Manifest, Err: snapshot.Commit(ctx, r.Store, f.Manifest)}
		})
	case Renew:
		return l.Renew(r.Gang)
	case Note:
		r.Log.Warn(f.Text)
	case End:
		l.End(f.Err)
	}
	return nil
}
