package work

import (
	"context"
	"sync"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/mpi/spec"
	"github.com/capstan-run/capstan/frameworks/mpi/task"
)

// tellEvery is how often the coordinator hears what ranks are doing.
const tellEvery = time.Second

// Run is the worker's side of the conversation with the coordinator. It returns
// nil when the inbox is closed or ctx ended, after all ranks have ended.
func Run(ctx context.Context, env *core.Env) error {
	body, err := spec.Parse(env.Spec.Body)
	if err != nil {
		return err
	}
	w := &worker{env: env, body: body}
	if w.node, err = nodeToken(env.Shared); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer w.running.Wait()
	defer cancel()
	w.running.Go(func() { w.tell(ctx) })
	for {
		select {
		case <-ctx.Done():
			return nil
		case msg, ok := <-env.Inbox:
			if !ok {
				return nil
			}
			if err := w.take(ctx, msg); err != nil && ctx.Err() == nil {
				return err
			}
		}
	}
}

// worker is one executor.
type worker struct {
	env     *core.Env
	body    *spec.Body
	node    string
	running sync.WaitGroup

	mu  sync.Mutex
	run *run // the last one; nil before the first
}

func (w *worker) take(ctx context.Context, msg []byte) error {
	var down task.Down
	if err := task.Decode(msg, &down); err != nil {
		return &core.Error{Kind: core.Internal, What: "read the coordinator's message", Err: err,
			Remedy: "use one version of Capstan for host and executors"}
	}
	w.mu.Lock()
	r := w.run
	w.mu.Unlock()
	of := func(run int) bool { return r != nil && r.begin.Run == run }
	switch {
	case down.Query:
		if err := r.again(ctx, w.send); err != nil {
			return err
		}
		return w.send(ctx, &task.Up{Holds: w.holds(r)})
	case down.Begin != nil && (r == nil || down.Begin.Run > r.begin.Run):
		w.begin(ctx, r, down.Begin)
	case down.Fenced != nil && of(down.Fenced.Run):
		r.fenced(down.Fenced)
	case down.Answer != nil && of(down.Answer.Run):
		r.answered(down.Answer)
	case down.Stop != nil && of(down.Stop.Run):
		r.stop(down.Stop.Grace)
	case down.Dead != nil && of(down.Dead.Run):
		r.dead(down.Dead.Ranks)
	case down.Taken != nil && of(down.Taken.Run):
		r.taken(down.Taken)
	case down.Input != nil && of(down.Input.Run):
		r.stdin.take(down.Input)
	}
	return nil
}

func (w *worker) holds(r *run) *task.Holds {
	h := &task.Holds{Node: w.node}
	if r != nil {
		r.holds(h)
	}
	return h
}

// begin starts the next run when the one before has ended (law W5).
func (w *worker) begin(ctx context.Context, last *run, b *task.Begin) {
	next := newRun(ctx, w, b)
	w.mu.Lock()
	w.run = next
	w.mu.Unlock()
	w.running.Go(func() {
		if last != nil {
			last.stop(0)
			<-last.over
		}
		next.play()
	})
}

// tell sends what ranks are doing, as long as there are any.
func (w *worker) tell(ctx context.Context) {
	ticker := time.NewTicker(tellEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		w.mu.Lock()
		r := w.run
		w.mu.Unlock()
		if r == nil {
			continue
		}
		if looks := r.look(); len(looks) > 0 {
			_ = w.send(ctx, &task.Up{State: &task.State{Run: r.begin.Run, Ranks: looks}})
		}
	}
}

// send tells the coordinator. An executor that cannot speak has ended, and its
// coordinator knows.
func (w *worker) send(ctx context.Context, up *task.Up) error {
	b, err := task.Encode(up)
	if err != nil {
		return err
	}
	return w.env.Send(ctx, b)
}
