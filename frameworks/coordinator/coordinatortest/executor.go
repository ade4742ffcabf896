package coordinatortest

import (
	"context"
	"log/slog"
	"time"

	"github.com/capstan-run/capstan/core"
)

// executor is a rank's. Its fields are the world's, under its lock.
type executor struct {
	world *World
	rank  int
	inbox chan []byte
	stop  context.CancelFunc
	since int       // events that the coordinator has to have taken to know of it
	heard int64     // generation of the last message it got
	last  time.Time // when the last message from it or to it arrives
}

// start starts the executor of a rank. w.mu is held.
func (w *World) start(rank int) {
	ctx, stop := context.WithCancel(w.ctx)
	x := &executor{world: w, rank: rank, inbox: make(chan []byte, 10000), stop: stop, since: w.told + 1}
	w.ranks[rank] = x
	env := &core.Env{
		Rank: core.Rank{Rank: rank}, Size: w.subject.Size, CPU: 1000, Shared: w.t.TempDir(), Inbox: x.inbox,
		Spec: core.Spec{Body: w.subject.Body}, Log: slog.New(slog.DiscardHandler),
		Send: func(ctx context.Context, msg []byte) error {
			x.say(ctx, msg)
			return ctx.Err()
		},
	}
	w.wg.Go(func() {
		if err := w.subject.Work(ctx, env); err != nil && ctx.Err() == nil {
			w.t.Errorf("the worker of rank %d: %v", rank, err)
		}
	})
}

// there reports whether x is still its rank's executor. w.mu is held.
func (x *executor) there() bool {
	return x.rank < len(x.world.ranks) && x.world.ranks[x.rank] == x
}

// say brings a worker's message to the coordinator it is meant for (laws W2, W3).
func (x *executor) say(ctx context.Context, msg []byte) {
	w := x.world
	w.mu.Lock()
	defer w.mu.Unlock()
	if ctx.Err() != nil || !x.there() {
		return
	}
	if w.count(x.rank, 40) {
		x.die()
		return
	}
	to := x.heard
	hear := func() {
		if x.there() && to == w.generation {
			w.tell(core.Message{Gang: gangName, Rank: x.rank, Data: msg})
		}
	}
	x.deliver(hear)
	if later, again := w.faults.storm.again(); again {
		w.after(w.faults.storm.delay()+later, hear)
	}
}

// deliver lets a message arrive after those before it. w.mu is held.
func (x *executor) deliver(arrive func()) {
	w := x.world
	if w.faults.storm == nil {
		arrive()
		return
	}
	at := time.Now().Add(w.faults.storm.delay())
	if !at.After(x.last) {
		at = x.last.Add(1)
	}
	x.last = at
	w.after(time.Until(at), arrive)
}

// die ends an executor; another takes its place in a second. w.mu is held.
func (x *executor) die() {
	w := x.world
	x.stop()
	gang := w.ranks
	gang[x.rank] = nil
	w.tell(core.ExecutorLost{Gang: gangName, Rank: x.rank, Reason: "killed by signal 9 (137)"})
	w.after(time.Second, func() {
		if len(w.ranks) == 0 || &w.ranks[0] != &gang[0] {
			return // the gang is gone
		}
		w.start(x.rank)
		w.tell(core.ExecutorReplaced{Gang: gangName, Rank: x.rank})
	})
}

// after does something in a while, under w.mu, unless the world has ended by then.
func (w *World) after(d time.Duration, do func()) {
	time.AfterFunc(d, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.ctx.Err() == nil {
			do()
		}
	})
}
