package coordinate

import (
	"context"
	"log/slog"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/coordinator"
	"github.com/capstan-run/capstan/frameworks/spark/task"
)

// Attempt is what Run coordinates, and its surroundings.
type Attempt struct {
	Config
	Gang core.GangAsk
	Log  *slog.Logger
}

// runner is the surroundings of a machine: it carries out its effects. Its methods
// belong to the loop's goroutine, but for open.
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
// has. It owns no goroutine after it returns. The gang is left to the host.
func Run(ctx context.Context, a Attempt, host core.Host) (core.Report, error) {
	r := &runner{Attempt: &a, host: host, start: time.Now()}
	err := coordinator.Run(ctx, host, coordinator.Config[Event, Effect]{Open: r.open, Begin: Begin{}, Hear: r.hear, Do: r.do})
	return r.report(), err
}

func (r *runner) open(context.Context) (coordinator.Machine[Event, Effect], error) {
	if err := r.host.WantGang(r.Gang); err != nil {
		return nil, err
	}
	r.machine = New(r.Config)
	return timeless{r.machine}, nil
}

func (r *runner) hear(_ *loop, e core.Event) (Event, bool) {
	switch e := e.(type) {
	case core.GangUp:
		return GangUp{Size: e.Size, Resumed: e.Resumed, Lost: e.Lost}, true
	case core.Message:
		var up task.Up
		if err := task.Decode(e.Data, &up); err != nil {
			r.Log.Warn("a worker's message cannot be read", "rank", e.Rank, "err", err)
			return nil, false
		}
		return FromRank{Rank: e.Rank, Up: up}, true
	case core.ExecutorLost:
		return RankLost{Rank: e.Rank, Reason: e.Reason}, true
	case core.ExecutorReplaced:
		return RankReplaced{Rank: e.Rank}, true
	case core.GiveWay:
		return GiveWay{Left: max(0, time.Until(e.Until)), Reason: e.Reason}, true
	case core.CancelAsked:
		return CancelAsked{Reason: e.Reason}, true
	}
	return nil, false
}

func (r *runner) do(_ context.Context, l *loop, f Effect) error {
	switch f := f.(type) {
	case Send:
		return l.Send(r.Gang.Name, f.Rank, &f.Down, task.Encode)
	case Renew:
		return l.Renew(r.Gang)
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
