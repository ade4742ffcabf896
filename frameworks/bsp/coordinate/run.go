package coordinate

import (
	"context"
	"log/slog"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/bsp/task"
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

// tick is how often the machine looks at the time; the user sees progress
// every other tick.
const tick = 250 * time.Millisecond

// runner carries out a machine's effects. Its fields belong to Run's goroutine.
type runner struct {
	*Attempt
	host    core.Host
	machine *Machine // nil while the input is listed
	early   []Event  // what came meanwhile
	start   time.Time
	state   State // as last saved

	listed    chan listing
	committed chan error
	stop      context.CancelFunc // of the listing or the commit under way

	over bool
	err  error
}

type listing struct {
	splits, vertices []input.Split
	err              error
}

// Run coordinates one generation of an attempt until the result is committed,
// the job failed or was cancelled, or ctx ended. It owns no goroutine after it
// returns. The gang is left to the host.
func Run(ctx context.Context, a Attempt, host core.Host) (core.Report, error) {
	r := &runner{Attempt: &a, host: host, start: time.Now(), listed: make(chan listing, 1), committed: make(chan error, 1)}
	if err := r.begin(ctx); err != nil {
		return core.Report{}, err
	}
	defer r.drain()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for ticks := 0; !r.over; {
		select {
		case <-ctx.Done():
			return r.report(), context.Cause(ctx)
		case e, ok := <-host.Events():
			if !ok {
				return r.report(), core.Errorf(core.Internal, "the host ended the attempt before its result")
			}
			r.take(ctx, e)
		case l := <-r.listed:
			r.listed = nil
			r.plan(ctx, l)
		case err := <-r.committed:
			r.release()
			r.step(ctx, Committed{Err: err})
		case <-ticker.C:
			r.step(ctx, Tick{})
			if ticks++; ticks%2 == 0 {
				r.show()
			}
		}
	}
	r.show()
	return r.report(), r.err
}

// begin goes on where the generation before stopped, or starts listing while
// the gang starts.
func (r *runner) begin(ctx context.Context) error {
	if r.Saved == nil {
		if err := r.host.WantGang(r.Gang); err != nil {
			return err
		}
		ctx, r.stop = context.WithCancel(ctx)
		go func(out chan<- listing) {
			splits, vertices, err := r.List(ctx)
			out <- listing{splits, vertices, err}
		}(r.listed)
		return nil
	}
	state, err := DecodeState(r.Saved)
	if err != nil {
		return err
	}
	r.listed = nil
	r.state = *state
	// A result that only has to be committed needs no executors.
	if state.Result == nil {
		if err := r.host.WantGang(r.Gang); err != nil {
			return err
		}
	}
	r.run(ctx)
	return nil
}

// plan saves the splits, so that every generation works on the same ones.
func (r *runner) plan(ctx context.Context, l listing) {
	r.release()
	if l.err != nil {
		r.end(l.err)
		return
	}
	r.state = State{Began: r.start.UnixNano(), Splits: l.splits, Vertices: l.vertices}
	if r.save(ctx) {
		r.run(ctx)
	}
}

func (r *runner) run(ctx context.Context) {
	r.machine = New(r.Config, r.state)
	r.step(ctx, Begin{})
	early := r.early
	r.early = nil
	for _, e := range early {
		r.step(ctx, e)
	}
	r.show()
}

func (r *runner) take(ctx context.Context, e core.Event) {
	switch e := e.(type) {
	case core.GangUp:
		r.step(ctx, GangUp{Size: e.Size, Resumed: e.Resumed, Lost: e.Lost})
	case core.Message:
		var up task.Up
		if err := task.Decode(e.Data, &up); err != nil {
			r.Log.Warn("a worker's message cannot be read", "rank", e.Rank, "err", err)
			return
		}
		r.step(ctx, FromRank{Rank: e.Rank, Up: up})
	case core.ExecutorLost:
		r.step(ctx, RankLost{Rank: e.Rank, Reason: e.Reason})
	case core.ExecutorReplaced:
		r.step(ctx, RankReplaced{Rank: e.Rank})
	case core.GiveWay:
		r.step(ctx, GiveWay{Until: e.Until.Sub(r.start).Milliseconds(), Reason: e.Reason})
	case core.CancelAsked:
		if r.machine == nil {
			r.end(core.Errorf(core.Cancelled, "cancelled: %s", e.Reason))
			return
		}
		r.step(ctx, CancelAsked{Reason: e.Reason})
	}
}

// step gives the machine an event and carries out what it wants. Saving is done
// in place: its answer is the machine's next event.
func (r *runner) step(ctx context.Context, e Event) {
	if r.over {
		return
	}
	if r.machine == nil {
		if _, ok := e.(Tick); !ok {
			r.early = append(r.early, e)
		}
		return
	}
	for next := []Event{e}; len(next) > 0 && !r.over; {
		e, next = next[0], next[1:]
		for _, f := range r.machine.Step(time.Since(r.start).Milliseconds(), e) {
			if s, ok := f.(Save); ok {
				r.state = s.State
				if r.save(ctx) {
					next = append(next, Saved{})
				}
				continue
			}
			r.carryOut(ctx, f)
		}
	}
}

func (r *runner) carryOut(ctx context.Context, f Effect) {
	switch f := f.(type) {
	case Send:
		r.send(f)
	case Renew:
		err := r.host.ReleaseGang(r.Gang.Name)
		if err == nil {
			err = r.host.WantGang(r.Gang)
		}
		if err != nil {
			r.end(err)
		}
	case Commit:
		ctx, r.stop = context.WithCancel(ctx)
		result := r.state.Result
		go func() { r.committed <- r.Commit(ctx, result) }()
	case StopCommit:
		if r.stop != nil {
			r.stop()
		}
	case Note:
		r.Log.Warn(f.Text)
	case End:
		r.end(f.Err)
	}
}

func (r *runner) send(s Send) {
	data, err := task.Encode(&s.Down)
	if err == nil {
		err = r.host.Send(r.Gang.Name, s.Rank, data)
	}
	if err != nil {
		r.end(&core.Error{Kind: core.Internal, What: "send word to an executor", Err: err})
	}
}

func (r *runner) save(ctx context.Context) bool {
	data, err := r.state.Encode()
	if err == nil {
		err = r.host.Save(ctx, data)
	}
	if err != nil {
		r.end(err)
	}
	return err == nil
}

func (r *runner) end(err error) {
	r.over, r.err = true, err
}

// release ends the context of a listing or commit that has returned.
func (r *runner) release() {
	r.stop()
	r.stop = nil
}

// drain waits for the listing or the commit under way.
func (r *runner) drain() {
	if r.stop == nil {
		return
	}
	r.stop()
	select {
	case <-r.listed:
	case <-r.committed:
	}
}

func (r *runner) show() {
	if r.machine != nil {
		r.host.Report(r.machine.Progress())
	}
}

func (r *runner) report() core.Report {
	if r.machine == nil {
		return core.Report{}
	}
	rep := r.machine.Report()
	rep.Seconds = time.Since(time.Unix(0, r.state.Began)).Seconds()
	rep.Cores = float64(r.Gang.CPU) * float64(r.Gang.Size) / 1000
	if r.err == nil && r.over {
		rep.Output = r.Output
	}
	return rep
}
