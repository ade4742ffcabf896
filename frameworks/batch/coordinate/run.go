package coordinate

import (
	"context"
	"log/slog"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/batch/task"
	"github.com/capstan-run/capstan/frameworks/coordinator"
)

// Attempt is what Run coordinates, and its surroundings.
type Attempt struct {
	Config
	Saved []byte // of the generation before; nil at first
	Log   *slog.Logger
	// Write copies streams from the store into their files.
	Write func(context.Context, Write) error
}

// runner is the surroundings of a machine: it carries out its effects. But for
// open its methods belong to the loop's goroutine.
type runner struct {
	*Attempt
	host    core.Host
	machine *Machine // nil until it is opened
	start   time.Time
}

// loop is the one around the machine.
type loop = coordinator.Loop[Event, Effect]

// timeless is the machine as the loop steps it: it has no use for the time.
type timeless struct{ *Machine }

func (t timeless) Step(_ int64, e Event) []Effect { return t.Machine.Step(e) }

// Run coordinates one generation of an attempt until the job has ended or ctx
// has. It owns no goroutine after it returns. The gangs are left to the host.
func Run(ctx context.Context, a Attempt, host core.Host) (core.Report, error) {
	r := &runner{Attempt: &a, host: host, start: time.Now()}
	err := coordinator.Run(ctx, host, coordinator.Config[Event, Effect]{Open: r.open, Begin: Begin{}, Hear: r.hear, Do: r.do})
	return r.report(), err
}

// open goes on from what was saved: all may have ended in an earlier generation.
func (r *runner) open(context.Context) (coordinator.Machine[Event, Effect], error) {
	tally, err := DecodeTally(r.Saved)
	if err != nil {
		return nil, err
	}
	if err := r.host.WantGang(r.Gang); err != nil {
		return nil, err
	}
	r.machine = New(r.Config, tally)
	return timeless{r.machine}, nil
}

func (r *runner) hear(_ *loop, e core.Event) (Event, bool) {
	switch e := e.(type) {
	case core.GangUp:
		return GangUp{Gang: e.Gang, Nodes: e.Nodes, Resumed: e.Resumed, Lost: e.Lost}, true
	case core.Message:
		var up task.Up
		if err := task.Decode(e.Data, &up); err != nil {
			r.Log.Warn("a worker's message cannot be read", "gang", e.Gang, "rank", e.Rank, "err", err)
			return nil, false
		}
		return FromRank{Gang: e.Gang, Rank: e.Rank, Up: up}, true
	case core.ExecutorLost:
		return RankLost{Gang: e.Gang, Rank: e.Rank, Reason: e.Reason}, true
	case core.ExecutorReplaced:
		return RankReplaced{Gang: e.Gang, Rank: e.Rank}, true
	case core.GiveWay:
		return GiveWay{Gang: e.Gang, Left: max(0, time.Until(e.Until)), Reason: e.Reason, Final: e.Final}, true
	case core.Stay:
		return Stay{Gang: e.Gang}, true
	case core.GangRefused:
		return Refused{Elements: e.Elements, Err: e.Err}, true
	case core.CancelAsked:
		return CancelAsked{Reason: e.Reason}, true
	}
	return nil, false
}

func (r *runner) do(ctx context.Context, l *loop, f Effect) error {
	switch f := f.(type) {
	case Send:
		return l.Send(f.Gang, f.Rank, &f.Down, task.Encode)
	case Save:
		return l.Save(ctx, &f.Tally, Saved{})
	case Write:
		l.Go(ctx, func(ctx context.Context) Event { return Written{r.Write(ctx, f)} })
	case Release:
		if r.Array == nil {
			return l.Renew(r.Gang)
		}
		return r.host.ReleaseGang(f.Gang) // an element waits again by itself
	case EndGang:
		return r.host.EndGang(f.Gang, f.OK)
	case Note:
		r.Log.Warn(f.Text)
	case End:
		l.End(f.Err)
	}
	return nil
}

func (r *runner) report() core.Report {
	if r.machine == nil {
		return core.Report{}
	}
	rep := r.machine.Report()
	rep.Seconds = time.Since(r.start).Seconds()
	rep.Cores = float64(r.Gang.CPU) * float64(r.Gang.Size) / 1000
	return rep
}
