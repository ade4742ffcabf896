package work

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/batch/spec"
	"github.com/capstan-run/capstan/frameworks/batch/task"
)

// Run is the worker's side of the conversation with the coordinator. It returns
// nil when the inbox is closed or ctx ended, after the running try has ended.
func Run(ctx context.Context, env *core.Env) error {
	body, err := spec.Parse(env.Spec.Body)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	w := &worker{env: env, body: body}
	defer w.running.Wait()
	defer cancel()
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

// worker is one rank.
type worker struct {
	env     *core.Env
	body    *spec.Body
	running sync.WaitGroup

	mu   sync.Mutex
	now  *try       // that runs; nil: none
	last *task.Done // of the last try that has ended
}

func (w *worker) take(ctx context.Context, msg []byte) error {
	var down task.Down
	if err := task.Decode(msg, &down); err != nil {
		return &core.Error{Kind: core.Internal, What: "read the coordinator's message", Err: err,
			Remedy: "use one version of Capstan for host and executors"}
	}
	w.mu.Lock()
	now, last := w.now, w.last
	w.mu.Unlock()
	switch {
	case down.Run != nil && now == nil:
		return w.start(ctx, down.Run)
	case down.Run != nil:
		return core.Errorf(core.Internal, "try %d is to start while try %d runs", down.Run.Try, now.number)
	case down.Stop != nil && now != nil:
		now.stop(*down.Stop)
	case down.Ask:
		h := &task.Holds{Done: last}
		if now != nil {
			h = &task.Holds{Running: now.number}
		}
		return w.send(ctx, &task.Up{Holds: h})
	}
	return nil
}

func (w *worker) start(ctx context.Context, run *task.Run) error {
	dir := filepath.Join(w.env.Scratch, fmt.Sprintf("try-%d", run.Try))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return core.Errorf(core.Failed, "make the folder of try %d: %v", run.Try, err).Do("look at the disk that holds Capstan's state")
	}
	t := newTry(w.env, w.body, run, dir)
	w.mu.Lock()
	w.now = t
	w.mu.Unlock()
	w.running.Go(func() {
		done := t.run(ctx)
		os.RemoveAll(dir)
		w.mu.Lock()
		w.now, w.last = nil, done
		w.mu.Unlock()
		// An executor that cannot speak has ended, and its coordinator knows.
		_ = w.send(ctx, &task.Up{Done: done})
	})
	return nil
}

func (w *worker) send(ctx context.Context, up *task.Up) error {
	b, err := task.Encode(up)
	if err != nil {
		return err
	}
	return w.env.Send(ctx, b)
}
