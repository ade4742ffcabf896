package work

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime/debug"
	"sync"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
	"github.com/capstan-run/capstan/frameworks/bsp/spec"
	"github.com/capstan-run/capstan/frameworks/bsp/task"
	"github.com/capstan-run/capstan/shuffle"
	"github.com/capstan-run/capstan/shuffle/store"
)

const (
	// tellEvery is how often the coordinator hears of supersteps.
	tellEvery = 250 * time.Millisecond
	// stuckAfter is how long a stopped run may go on. A program cannot be stopped
	// from outside, so the executor ends with it.
	stuckAfter = 30 * time.Second
	// remembered is how many parts of checkpoints a Hello tells of: those that a
	// coordinator which was away may not have heard of.
	remembered = 4
)

// Worker is a BSP executor.
type Worker struct {
	env     *core.Env
	body    *spec.Body
	make    Factory
	store   *store.Client
	host    string
	share   share
	keeps   *checkpoints
	gauge   *gauge
	program peer.Program // nil before the first incarnation

	stuck chan int // an incarnation that does not end

	mu      sync.Mutex
	current *incarnation // nil before the first
	written []task.Written
	done    *task.Done
}

// New makes the worker of an executor, the job's spec and store being those of
// env. It bounds the memory of the Go runtime of this process. Close it.
func New(env *core.Env, factory Factory) (*Worker, error) {
	body, err := spec.Parse(env.Spec.Body)
	if err != nil {
		return nil, err
	}
	w := &Worker{env: env, body: body, make: factory, share: divide(env.Memory), stuck: make(chan int, 1)}
	if w.host, err = hostToken(env.Shared); err != nil {
		return nil, err
	}
	d, err := shuffle.ParseDurability(body.Checkpoint.Durability)
	if err != nil {
		return nil, err
	}
	if w.store, err = store.Tell(env.Log).Open(env.Store); err != nil {
		return nil, err
	}
	w.keeps, err = newCheckpoints(filepath.Join(env.Shared, "checkpoints"), env.Store.Prefix+"checkpoints/", w.store, d, env.Rank.Rank, env.Log)
	if err == nil {
		w.gauge, err = newGauge(env.Shared, env.Rank.Rank)
	}
	if err != nil {
		return nil, errors.Join(err, w.store.Close())
	}
	if env.Memory > 0 {
		debug.SetMemoryLimit(w.share.heap) // collect garbage rather than be killed
	}
	return w, nil
}

// Close releases the store and the series. No run may be under way.
func (w *Worker) Close() error {
	w.keeps.close()
	return errors.Join(w.gauge.close(), w.store.Close())
}

// Serve is the worker's side of the conversation with the coordinator. It returns
// nil when the inbox is closed or ctx ended, after the run under way has
// returned, and an error if a stopped run does not.
func (w *Worker) Serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	stuck := false
	defer func() {
		cancel()
		if !stuck {
			running.Wait()
		}
	}()
	running.Go(func() { w.tell(ctx) })
	for {
		select {
		case <-ctx.Done():
			return nil
		case n := <-w.stuck:
			stuck = true
			return core.Errorf(core.Failed, "incarnation %d does not end %s after it was stopped", n, stuckAfter).
				Do("let the program return when its context ends or a call of the peer fails")
		case msg, ok := <-w.env.Inbox:
			if !ok {
				return nil
			}
			if err := w.take(ctx, &running, msg); err != nil && ctx.Err() == nil {
				return err
			}
		}
	}
}

func (w *Worker) take(ctx context.Context, running *sync.WaitGroup, msg []byte) error {
	var down task.Down
	if err := task.Decode(msg, &down); err != nil {
		return &core.Error{Kind: core.Internal, What: "read the coordinator's message", Err: err,
			Remedy: "use one version of Capstan for host and program"}
	}
	switch {
	case down.Query != nil:
		return w.send(ctx, &task.Up{Hello: w.hello()})
	case down.Begin != nil:
		w.begin(ctx, running, down.Begin)
	case down.Stop != nil:
		w.stop(down.Stop.Incarnation)
	case down.Save != nil:
		w.saveSoon(down.Save.Incarnation)
	case down.Committed != nil:
		running.Go(func() { w.keep(ctx, down.Committed.Keep) })
	case down.Bring != nil:
		running.Go(func() { w.bring(ctx, down.Bring.Checkpoint) })
	}
	return nil
}

func (w *Worker) hello() *task.Hello {
	w.mu.Lock()
	defer w.mu.Unlock()
	h := &task.Hello{Host: w.host, Written: append([]task.Written(nil), w.written...), Done: w.done}
	if w.current != nil && (!w.current.over() || w.done != nil) {
		h.Running = w.current.number
	}
	return h
}

// begin runs the next incarnation when the one before has returned (law W1).
func (w *Worker) begin(ctx context.Context, running *sync.WaitGroup, b *task.Begin) {
	next := newIncarnation(ctx, w, b)
	w.mu.Lock()
	last := w.current
	w.current, w.written, w.done = next, nil, nil
	w.mu.Unlock()
	running.Go(func() {
		if last != nil {
			last.cancel()
			<-last.returned
		}
		next.run()
	})
}

// stop ends the run of an incarnation, if it is under way. Its Ended answers.
func (w *Worker) stop(number int) {
	w.mu.Lock()
	i := w.current
	w.mu.Unlock()
	if i == nil || i.number != number {
		return
	}
	i.cancel()
	timer := time.AfterFunc(stuckAfter, func() {
		select {
		case w.stuck <- number:
		default:
		}
	})
	context.AfterFunc(i.ended, func() { timer.Stop() })
}

func (w *Worker) saveSoon(number int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.current != nil && w.current.number == number {
		w.current.wanted.Store(true)
	}
}

func (w *Worker) keep(ctx context.Context, list []task.Checkpoint) {
	if err := w.keeps.keep(ctx, list); err != nil && ctx.Err() == nil {
		w.env.Log.Warn("files of older checkpoints stay", "err", err)
	}
}

func (w *Worker) bring(ctx context.Context, c task.Checkpoint) {
	w.leaveSeries(ctx)
	if c != (task.Checkpoint{}) {
		if err := w.keeps.bring(ctx, c); err != nil {
			if ctx.Err() == nil {
				w.env.Log.Warn("a checkpoint cannot be brought to the store", "superstep", c.Superstep, "err", err)
			}
			return
		}
	}
	_ = w.send(ctx, &task.Up{Brought: &task.Brought{Checkpoint: c}})
}

// wrote tells of a part of a checkpoint.
func (w *Worker) wrote(ctx context.Context, p task.Written) {
	w.mu.Lock()
	w.written = append(w.written, p)
	if n := len(w.written) - remembered; n > 0 {
		w.written = w.written[n:]
	}
	w.mu.Unlock()
	_ = w.send(ctx, &task.Up{Written: &p})
}

// tell sends what supersteps cost. It is one goroutine, so that the program
// never waits for the coordinator.
func (w *Worker) tell(ctx context.Context) {
	ticker := time.NewTicker(tellEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if s := w.gauge.take(); s != nil {
			if w.send(ctx, &task.Up{Steps: s}) != nil {
				return
			}
		}
	}
}

func (w *Worker) send(ctx context.Context, up *task.Up) error {
	data, err := task.Encode(up)
	if err != nil {
		return err
	}
	return w.env.Send(ctx, data)
}

func (w *Worker) name() string { return fmt.Sprintf("rank-%05d", w.env.Rank.Rank) }
