package coordinate

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/coordinator"
	"github.com/capstan-run/capstan/frameworks/mpi/task"
)

// Attempt is what Run coordinates, and its surroundings.
type Attempt struct {
	Config
	Saved []byte // of the generation before; nil at first
	Log   *slog.Logger
}

// runner is the surroundings of a machine: it carries out its effects. But for
// open its methods belong to the loop's goroutine.
type runner struct {
	*Attempt
	host    core.Host
	machine *Machine // nil until it is opened
	start   time.Time
	console atomic.Pointer[passage] // found while the host may speak already
}

// loop is the one around the machine.
type loop = coordinator.Loop[Event, Effect]

// Run coordinates one generation of an attempt until the job has ended or ctx
// has. It owns no goroutine after it returns. The gangs are left to the host.
func Run(ctx context.Context, a Attempt, host core.Host) (core.Report, error) {
	r := &runner{Attempt: &a, host: host, start: time.Now()}
	defer func() { r.console.Load().close() }()
	err := coordinator.Run(ctx, host, coordinator.Config[Event, Effect]{Open: r.open, Begin: Begin{}, Hear: r.hear, Do: r.do})
	return r.report(), err
}

func (r *runner) open(ctx context.Context) (coordinator.Machine[Event, Effect], error) {
	state, err := DecodeState(r.Saved)
	if err != nil {
		return nil, err
	}
	line := openPassage(ctx, r.Body.Console, r.host)
	r.machine = New(r.Config, state)
	r.console.Store(line)
	return r.machine, nil
}

func (r *runner) hear(_ *loop, e core.Event) (Event, bool) {
	switch e := e.(type) {
	case core.GangUp:
		return GangUp{Gang: e.Gang, Nodes: e.Nodes, Resumed: e.Resumed, Lost: e.Lost}, true
	case core.Message:
		var up task.Up
		if err := task.Decode(e.Data, &up); err != nil {
			r.Log.Warn("a worker's message cannot be read", "gang", e.Gang, "executor", e.Rank, "err", err)
			return nil, false
		}
		if r.console.Load().hear(e, &up) {
			return nil, false
		}
		return FromExecutor{Gang: e.Gang, Executor: e.Rank, Up: up}, true
	case core.ExecutorLost:
		return ExecutorLost{Gang: e.Gang, Executor: e.Rank, Reason: e.Reason}, true
	case core.ExecutorReplaced:
		return ExecutorReplaced{Gang: e.Gang, Executor: e.Rank}, true
	case core.GiveWay:
		return GiveWay{Gang: e.Gang, Left: max(0, time.Until(e.Until)), Reason: e.Reason}, true
	case core.Stay:
		return Stay{Gang: e.Gang}, true
	case core.GangRefused:
		return Refused{Gang: e.Gang, Err: e.Err}, true
	case core.CancelAsked:
		return CancelAsked{Reason: e.Reason}, true
	}
	return nil, false
}

func (r *runner) do(ctx context.Context, l *loop, f Effect) error {
	switch f := f.(type) {
	case Send:
		return l.Send(f.Gang, f.Executor, &f.Down, task.Encode)
	case Save:
		return l.Save(ctx, &f.State, Saved{})
	case Want:
		return r.host.WantGang(f.Ask)
	case Renew:
		return l.Renew(f.Ask)
	case Release:
		return r.host.ReleaseGang(f.Gang)
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
