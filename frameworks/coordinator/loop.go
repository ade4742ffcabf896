package coordinator

import (
	"context"
	"time"

	"github.com/capstan-run/capstan/core"
)

// tick is how often time passes for a machine; the user sees progress every
// other tick.
const tick = 250 * time.Millisecond

// Loop is a coordinator at work, as those see it who carry out its effects. Its
// methods are for Hear and Do alone.
type Loop[E, F any] struct {
	cfg     Config[E, F]
	host    core.Host
	lane    *lane
	machine Machine[E, F] // nil while it is opened
	early   []E           // what came meanwhile
	begun   time.Time
	next    []E // what the machine is to be told at once

	stopOpening context.CancelFunc
	cancelled   *core.Error // while the machine was opened

	over bool
	err  error
}

// Run coordinates one generation of an attempt until Do ended it or ctx has. The
// error is what it ended with, nil for success.
func Run[E, F any](ctx context.Context, host core.Host, cfg Config[E, F]) error {
	l := &Loop[E, F]{cfg: cfg, host: host, lane: newLane(), begun: time.Now()}
	ctx, stop := context.WithCancel(ctx)
	defer l.lane.wait()
	defer stop()
	l.open(ctx)
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for ticks := 0; !l.over; {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case e, ok := <-host.Events():
			if !ok {
				return core.Errorf(core.Internal, "the host ended the attempt before its result")
			}
			l.hear(ctx, e)
		case then := <-l.lane.done:
			l.lane.proceed()
			then()
		case <-ticker.C:
			if l.machine != nil && any(cfg.Tick) != nil {
				l.step(ctx, cfg.Tick)
			}
			if ticks++; ticks%2 == 0 {
				l.show()
			}
		}
	}
	l.show()
	return l.err
}

// open makes the machine on the lane (law L3).
func (l *Loop[E, F]) open(ctx context.Context) {
	l.stopOpening = l.lane.add(ctx, func(opening context.Context) func() {
		m, err := l.cfg.Open(opening)
		return func() { l.opened(ctx, m, err) }
	})
}

func (l *Loop[E, F]) opened(ctx context.Context, m Machine[E, F], err error) {
	switch {
	case err != nil && l.cancelled != nil:
		l.End(l.cancelled)
		return
	case err != nil:
		l.End(err)
		return
	}
	l.machine = m
	l.step(ctx, l.cfg.Begin)
	early := l.early
	l.early = nil
	for _, e := range early {
		l.step(ctx, e)
	}
	l.show()
}

func (l *Loop[E, F]) hear(ctx context.Context, e core.Event) {
	if c, ok := e.(core.CancelAsked); ok && l.machine == nil {
		l.cancelled = core.Errorf(core.Cancelled, "cancelled: %s", c.Reason)
		l.stopOpening()
	}
	event, ok := l.cfg.Hear(l, e)
	switch {
	case !ok:
	case l.machine == nil:
		l.early = append(l.early, event)
	default:
		l.step(ctx, event)
	}
}

// step gives the machine an event, and what its effects bring about at once
// (law L2).
func (l *Loop[E, F]) step(ctx context.Context, e E) {
	l.next = append(l.next, e)
	for len(l.next) > 0 && !l.over {
		e, l.next = l.next[0], l.next[1:]
		for _, f := range l.machine.Step(l.At(time.Now()), e) {
			if err := l.cfg.Do(ctx, l, f); err != nil {
				l.End(err)
			}
			if l.over { // law L4
				return
			}
		}
	}
}

func (l *Loop[E, F]) show() {
	if l.machine != nil {
		l.host.Report(l.machine.Progress())
	}
}
