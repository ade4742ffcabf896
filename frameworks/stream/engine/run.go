package engine

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/capstan-run/capstan/frameworks/stream/epoch"
	"github.com/capstan-run/capstan/frameworks/stream/snapshot"
)

// Run runs a topology in this process, from the last epoch that its store has,
// until its sources are at their end and all of it is committed. Another
// error than nil leaves it at the last epoch: Run may be called again, with
// another owner.
func Run(ctx context.Context, c Config) error {
	last, err := snapshot.Last(ctx, c.Store)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancelCause(ctx)
	r := &run{ctx: ctx, c: c, stop: stop, events: make(chan epoch.Event, 64), begun: time.Now(), machine: epoch.New(c.Topology, c.Owner)}
	if r.part, err = NewPart(ctx, c, last, r.tell); err != nil {
		stop(err)
		return err
	}
	defer r.part.Close()
	defer r.working.Wait()
	defer stop(nil)
	r.working.Go(func() { stop(r.part.Work(ctx)) })
	return r.decide(last)
}

// run is a topology that runs.
type run struct {
	ctx     context.Context // ends with the run
	c       Config
	stop    context.CancelCauseFunc
	part    *Part
	machine *epoch.Machine
	events  chan epoch.Event
	begun   time.Time
	working sync.WaitGroup
}

func (r *run) tell(e epoch.Event) {
	select {
	case r.events <- e:
	case <-r.ctx.Done():
	}
}

// decide is the loop around the machine of epochs.
func (r *run) decide(last *snapshot.Manifest) error {
	ticker := time.NewTicker(min(r.c.Topology.Epoch, 50*time.Millisecond))
	defer ticker.Stop()
	var e epoch.Event = epoch.Begin{Last: last}
	for {
		for _, effect := range r.machine.Step(time.Since(r.begun).Milliseconds(), e) {
			switch f := effect.(type) {
			case epoch.Trigger:
				r.part.Trigger(f.Epoch)
			case epoch.Commit:
				r.working.Go(func() { r.commit(f.Manifest) })
			case epoch.Passed:
				r.part.Passed(f.Epoch)
			case epoch.Publish:
				r.part.Publish(f)
			case epoch.Done:
				return nil
			}
		}
		select {
		case e = <-r.events:
		case <-ticker.C:
			e = epoch.Tick{}
		case <-r.ctx.Done():
			return context.Cause(r.ctx)
		}
	}
}

// commit writes a manifest. What the store did not answer is asked again by its
// client; what it refused ends the run.
func (r *run) commit(m *snapshot.Manifest) {
	if err := snapshot.Commit(r.ctx, r.c.Store, m); err != nil {
		if !errors.Is(err, context.Canceled) {
			r.stop(err)
		}
		return
	}
	r.tell(epoch.Committed{Epoch: m.Epoch})
}
