package coordinate

import (
	"context"
	"log/slog"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/bsp/task"
	"github.com/capstan-run/capstan/frameworks/coordinator"
	"github.com/capstan-run/capstan/frameworks/dataset/input"
)

// Attempt is what Run coordinates, and its surroundings.
type Attempt struct {
	Config
	Gang   core.GangAsk
	Saved  []byte // of the generation before; nil at first
	Output string // URL of the result, for the report
	Log    *slog.Logger

	// List finds the input and cuts it, and that of a list of vertices. It is
	// called at most once, in the first generation that gets so far.
	List func(context.Context) (splits, vertices []input.Split, err error)
	// Commit makes the result visible. It must be idempotent: the same result may
	// be committed again after a crash.
	Commit func(context.Context, *Result) error
}

// runner is the surroundings of a machine: it carries out its effects. But for
// open its methods belong to the loop's goroutine.
type runner struct {
	*Attempt
	host    core.Host
	machine *Machine // nil until it is opened
	start   time.Time
	state   State              // as last saved
	stop    context.CancelFunc // of the commit
}

// loop is the one around the machine.
type loop = coordinator.Loop[Event, Effect]

// Run coordinates one generation of an attempt until the result is committed,
// the job failed or was cancelled, or ctx ended. It owns no goroutine after it
// returns. The gang is left to the host.
func Run(ctx context.Context, a Attempt, host core.Host) (core.Report, error) {
	r := &runner{Attempt: &a, host: host, start: time.Now()}
	err := coordinator.Run(ctx, host, coordinator.Config[Event, Effect]{
		Open: r.open, Begin: Begin{}, Tick: Tick{}, Hear: r.hear, Do: r.do,
	})
	return r.report(err), err
}

// open goes on where the generation before stopped. A result that only has to be
// committed needs no executors.
func (r *runner) open(ctx context.Context) (coordinator.Machine[Event, Effect], error) {
	state, err := coordinator.Open(ctx, r.host, coordinator.Opening[*State]{
		Gang: r.Gang, Saved: r.Saved, Decode: DecodeState, Over: func(s *State) bool { return s.Result != nil }, First: r.first,
	})
	if err != nil {
		return nil, err
	}
	r.state = *state
	r.machine = New(r.Config, r.state)
	return r.machine, nil
}

// first lists the input, so that every generation works on the same splits.
func (r *runner) first(ctx context.Context) (*State, error) {
	splits, vertices, err := r.List(ctx)
	if err != nil {
		return nil, err
	}
	return &State{Began: r.start.UnixNano(), Splits: splits, Vertices: vertices}, nil
}

func (r *runner) hear(l *loop, e core.Event) (Event, bool) {
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
		return GiveWay{Until: l.At(e.Until), Reason: e.Reason}, true
	case core.Stay:
		return Stay{}, true
	case core.CancelAsked:
		return CancelAsked{Reason: e.Reason}, true
	}
	return nil, false
}

func (r *runner) do(ctx context.Context, l *loop, f Effect) error {
	switch f := f.(type) {
	case Send:
		return l.Send(r.Gang.Name, f.Rank, &f.Down, task.Encode)
	case Save:
		r.state = f.State
		return l.Save(ctx, &r.state, Saved{})
	case Renew:
		return l.Renew(r.Gang)
	case Commit:
		result := r.state.Result
		r.stop = l.Go(ctx, func(ctx context.Context) Event { return Committed{Err: r.Commit(ctx, result)} })
	case StopCommit:
		if r.stop != nil {
			r.stop()
		}
	case Note:
		r.Log.Warn(f.Text)
	case End:
		l.End(f.Err)
	}
	return nil
}

// report is that of an attempt that ended with err.
func (r *runner) report(err error) core.Report {
	if r.machine == nil {
		return core.Report{}
	}
	rep := r.machine.Report()
	rep.Seconds = time.Since(time.Unix(0, r.state.Began)).Seconds()
	rep.Cores = float64(r.Gang.CPU) * float64(r.Gang.Size) / 1000
	if err == nil {
		rep.Output = r.Output
	}
	return rep
}
