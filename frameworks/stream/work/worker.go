package work

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/stream/engine"
	"github.com/capstan-run/capstan/frameworks/stream/epoch"
	"github.com/capstan-run/capstan/frameworks/stream/wire"
	"github.com/capstan-run/capstan/shuffle/mesh"
)

// joinWithin is how long ranks that all said hello may take to find each other.
const joinWithin = 30 * time.Second

// Worker is an executor of a topology.
type Worker struct {
	Env *core.Env
	// Config is what its tasks are run with, but for owner and mesh.
	Config engine.Config

	mu      sync.Mutex
	running *incarnation
}

// incarnation is one run of the rank's tasks.
type incarnation struct {
	number   int
	stop     context.CancelFunc
	returned chan struct{}

	mu    sync.Mutex
	part  *engine.Part         // nil until it was made
	later []func(*engine.Part) // what was asked of it before
}

// Serve is the worker's side of the conversation with the coordinator. It
// returns when the inbox is closed or ctx ended, after its tasks have.
func (w *Worker) Serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	host, err := hostToken(w.Env.Shared)
	if err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case msg, ok := <-w.Env.Inbox:
			if !ok {
				return nil
			}
			var down wire.Down
			if err := wire.Decode(msg, &down); err != nil {
				return &core.Error{Kind: core.Internal, What: "read the coordinator's message", Err: err, Remedy: "use one version of Capstan throughout"}
			}
			w.take(ctx, &all, host, down)
		}
	}
}

func (w *Worker) take(ctx context.Context, all *sync.WaitGroup, host string, down wire.Down) {
	switch {
	case down.Query != nil:
		h := &wire.Hello{Host: host}
		if i := w.current(); i != nil && !i.over() {
			h.Running = i.number
		}
		w.send(ctx, &wire.Up{Hello: h})
	case down.Begin != nil:
		w.begin(ctx, all, down.Begin)
	case down.Trigger != nil:
		w.ask(down.Trigger.Incarnation, func(p *engine.Part) { p.Trigger(down.Trigger.Epoch) })
	case down.Passed != nil:
		w.ask(down.Passed.Incarnation, func(p *engine.Part) { p.Passed(down.Passed.Epoch) })
	case down.Publish != nil:
		w.ask(down.Publish.Incarnation, func(p *engine.Part) { p.Publish(down.Publish.Publish) })
	case down.Stop != nil:
		if i := w.current(); i != nil && i.number == down.Stop.Incarnation {
			i.stop()
		}
	}
}

func (w *Worker) current() *incarnation {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.running
}

func (i *incarnation) over() bool {
	select {
	case <-i.returned:
		return true
	default:
		return false
	}
}

// ask asks something of an incarnation's part, once it is made.
func (w *Worker) ask(number int, do func(*engine.Part)) {
	i := w.current()
	if i == nil || i.number != number {
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.part == nil {
		i.later = append(i.later, do)
		return
	}
	do(i.part)
}

// begin runs the next incarnation when the one before has returned (law K1).
func (w *Worker) begin(ctx context.Context, all *sync.WaitGroup, b *wire.Begin) {
	run, stop := context.WithCancel(ctx)
	next := &incarnation{number: b.Incarnation, stop: stop, returned: make(chan struct{})}
	w.mu.Lock()
	before := w.running
	w.running = next
	w.mu.Unlock()
	all.Go(func() {
		defer stop()
		if before != nil {
			before.stop()
			<-before.returned
		}
		err := w.run(run, next, b)
		close(next.returned)
		w.send(ctx, &wire.Up{Ended: ended(b.Incarnation, err)})
	})
}

// run runs the rank's tasks until ctx ends or something fails.
func (w *Worker) run(ctx context.Context, i *incarnation, b *wire.Begin) error {
	m, err := w.join(ctx, b)
	if err != nil {
		return err
	}
	defer m.Abort()
	c := w.Config
	c.Owner, c.Mesh, c.Log = b.Owner, m, lines{w.Env.Log}
	part, err := engine.NewPart(ctx, c, b.From, func(e epoch.Event) {
		w.send(ctx, &wire.Up{Told: wire.TellOf(b.Incarnation, e)})
	})
	if err != nil {
		return err
	}
	defer part.Close()
	i.mu.Lock()
	i.part = part
	for _, do := range i.later {
		do(part)
	}
	i.mu.Unlock()
	return part.Work(ctx)
}

func (w *Worker) join(ctx context.Context, b *wire.Begin) (*mesh.Mesh, error) {
	ctx, cancel := context.WithTimeout(ctx, joinWithin)
	defer cancel()
	rank := w.Env.Rank
	c := mesh.Config{
		ID:   fmt.Sprintf("%s/%d/%d", rank.Job, rank.Epoch, b.Incarnation),
		Rank: rank.Rank, Size: len(b.Hosts), Dir: w.Env.Shared, Arena: int(max(8<<20, int64(w.Env.Memory)/8)),
	}
	for _, h := range b.Hosts {
		c.Places = append(c.Places, mesh.Place{Host: h})
	}
	return mesh.Join(ctx, c)
}

func (w *Worker) send(ctx context.Context, up *wire.Up) {
	b, err := wire.Encode(up)
	if err == nil {
		err = w.Env.Send(ctx, b)
	}
	if err != nil && ctx.Err() == nil {
		w.Env.Log.Warn("the coordinator cannot be told", "err", err)
	}
}

// ended says why an incarnation ended.
func ended(number int, err error) *wire.Ended {
	e := &wire.Ended{Incarnation: number, Lost: -1}
	var lost *mesh.PeerError
	if errors.As(err, &lost) {
		e.Lost = lost.Rank
	}
	known := core.AsError(err)
	e.Err = core.Error{Kind: known.Kind, What: err.Error(), Where: known.Where, Remedy: known.Remedy, Detail: known.Detail}
	if errors.Is(err, context.Canceled) || e.Lost >= 0 {
		e.Err.Kind = core.Failed
	}
	return e
}

// lines is a log as the writer of what sinks "log" write.
type lines struct{ log *slog.Logger }

var _ io.Writer = lines{}

func (l lines) Write(b []byte) (int, error) {
	l.log.Info(string(b))
	return len(b), nil
}
