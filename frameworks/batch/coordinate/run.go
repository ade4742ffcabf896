package coordinate

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/batch/task"
)

// Attempt is what Run coordinates, and its surroundings.
type Attempt struct {
	Config
	Saved []byte // of the generation before; nil at first
	Log   *slog.Logger
	// Write copies streams from the store into their files.
	Write func(context.Context, Write) error
}

// show is how often the user sees progress.
const show = 500 * time.Millisecond

// runner carries out a machine's effects. Its fields belong to Run's goroutine.
type runner struct {
	*Attempt
	host    core.Host
	machine *Machine
	writes  *writer
	start   time.Time

	over bool
	err  error
}

// Run coordinates one generation of an attempt until the job has ended or ctx
// has. It owns no goroutine after it returns. The gangs are left to the host.
func Run(ctx context.Context, a Attempt, host core.Host) (core.Report, error) {
	tally, err := DecodeTally(a.Saved)
	if err != nil {
		return core.Report{}, err
	}
	if err := host.WantGang(a.Gang); err != nil {
		return core.Report{}, err
	}
	r := &runner{Attempt: &a, host: host, machine: New(a.Config, tally), start: time.Now(), writes: newWriter(ctx, a.Write)}
	defer r.writes.close()
	r.step(ctx, Begin{}) // all may have ended in an earlier generation
	ticker := time.NewTicker(show)
	defer ticker.Stop()
	for !r.over {
		select {
		case <-ctx.Done():
			return r.report(), context.Cause(ctx)
		case e, ok := <-host.Events():
			if !ok {
				return r.report(), core.Errorf(core.Internal, "the host ended the attempt before the job had ended")
			}
			r.take(ctx, e)
		case err := <-r.writes.done:
			r.step(ctx, Written{err})
		case <-ticker.C:
			r.host.Report(r.machine.Progress())
		}
	}
	r.host.Report(r.machine.Progress())
	return r.report(), r.err
}

func (r *runner) take(ctx context.Context, e core.Event) {
	switch e := e.(type) {
	case core.GangUp:
		r.step(ctx, GangUp{Gang: e.Gang, Nodes: e.Nodes, Resumed: e.Resumed, Lost: e.Lost})
	case core.Message:
		var up task.Up
		if err := task.Decode(e.Data, &up); err != nil {
			r.Log.Warn("a worker's message cannot be read", "gang", e.Gang, "rank", e.Rank, "err", err)
			return
		}
		r.step(ctx, FromRank{Gang: e.Gang, Rank: e.Rank, Up: up})
	case core.ExecutorLost:
		r.step(ctx, RankLost{Gang: e.Gang, Rank: e.Rank, Reason: e.Reason})
	case core.ExecutorReplaced:
		r.step(ctx, RankReplaced{Gang: e.Gang, Rank: e.Rank})
	case core.GiveWay:
		r.step(ctx, GiveWay{Gang: e.Gang, Left: max(0, time.Until(e.Until)), Reason: e.Reason, Final: e.Final})
	case core.GangRefused:
		r.step(ctx, Refused{Elements: e.Elements, Err: e.Err})
	case core.CancelAsked:
		r.step(ctx, CancelAsked{Reason: e.Reason})
	}
}

// step gives the machine an event and carries out what it wants. Saving is done
// in place: its answer is the machine's next event.
func (r *runner) step(ctx context.Context, e Event) {
	for next := []Event{e}; len(next) > 0 && !r.over; {
		e, next = next[0], next[1:]
		for _, f := range r.machine.Step(e) {
			if s, ok := f.(Save); ok {
				if r.save(ctx, s.Tally) {
					next = append(next, Saved{})
				}
				continue
			}
			r.carryOut(f)
		}
	}
}

func (r *runner) carryOut(f Effect) {
	var err error
	switch f := f.(type) {
	case Send:
		var msg []byte
		if msg, err = task.Encode(&f.Down); err == nil {
			err = r.host.Send(f.Gang, f.Rank, msg)
		}
	case Write:
		r.writes.add(f)
	case Release:
		if err = r.host.ReleaseGang(f.Gang); err == nil && r.Array == nil {
			err = r.host.WantGang(r.Gang)
		}
	case EndGang:
		err = r.host.EndGang(f.Gang, f.OK)
	case Note:
		r.Log.Warn(f.Text)
	case End:
		r.over, r.err = true, f.Err
	}
	if err != nil && !r.over {
		r.over, r.err = true, err
	}
}

func (r *runner) save(ctx context.Context, t Tally) bool {
	b, err := t.Encode()
	if err == nil {
		err = r.host.Save(ctx, b)
	}
	if err != nil {
		r.over, r.err = true, err
	}
	return err == nil
}

func (r *runner) report() core.Report {
	rep := r.machine.Report()
	rep.Seconds = time.Since(r.start).Seconds()
	rep.Cores = float64(r.Gang.CPU) * float64(r.Gang.Size) / 1000
	return rep
}

// writer carries out writes one after the other.
type writer struct {
	write func(context.Context, Write) error
	done  chan error // of each add
	stop  context.CancelFunc
	wg    sync.WaitGroup

	mu    sync.Mutex
	queue []Write
	wake  chan struct{}
}

func newWriter(ctx context.Context, write func(context.Context, Write) error) *writer {
	w := &writer{write: write, done: make(chan error), wake: make(chan struct{}, 1)}
	ctx, w.stop = context.WithCancel(ctx)
	w.wg.Go(func() { w.run(ctx) })
	return w
}

func (w *writer) add(f Write) {
	w.mu.Lock()
	w.queue = append(w.queue, f)
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *writer) run(ctx context.Context) {
	for {
		w.mu.Lock()
		batch := w.queue
		w.queue = nil
		w.mu.Unlock()
		for _, f := range batch {
			select {
			case w.done <- w.write(ctx, f):
			case <-ctx.Done():
				return
			}
		}
		if len(batch) > 0 {
			continue
		}
		select {
		case <-w.wake:
		case <-ctx.Done():
			return
		}
	}
}

func (w *writer) close() {
	w.stop()
	w.wg.Wait()
}
