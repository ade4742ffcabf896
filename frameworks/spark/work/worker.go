package work

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/spark/spec"
	"github.com/capstan-run/capstan/frameworks/spark/task"
)

// Run is the worker's side of the conversation with the coordinator. It returns
// nil when the inbox is closed or ctx ended, after everything it started has
// ended.
func Run(ctx context.Context, env *core.Env) error {
	body, err := spec.Parse(env.Spec.Body)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	w := &worker{env: env, body: body, address: ownAddress()}
	defer func() { cancel(); w.end(task.Stop{}) }()
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

// worker is one rank. All but what mu guards belongs to the goroutine that takes
// messages.
type worker struct {
	env     *core.Env
	body    *spec.Body
	address string
	dist    *distribution // once it was looked for
	run     *run          // that is under way; nil: none

	mu    sync.Mutex
	holds task.Holds
}

// run is what a rank has of one run.
type run struct {
	number int
	dir    string // of its own
	secret string
	parts  sync.WaitGroup  // master and worker
	until  <-chan struct{} // closed when they are to end
	stop   func()          // closes it
	app    *application    // nil: none
}

func (w *worker) take(ctx context.Context, msg []byte) error {
	var down task.Down
	if err := task.Decode(msg, &down); err != nil {
		return &core.Error{Kind: core.Internal, What: "read the coordinator's message", Err: err,
			Remedy: "use one version of Capstan for host and executors"}
	}
	switch {
	case down.Begin != nil:
		return w.begin(ctx, down.Begin)
	case down.Serve != nil:
		return w.serve(ctx, down.Serve)
	case down.Drive != nil:
		return w.drive(ctx, down.Drive)
	case down.Stop != nil:
		w.end(*down.Stop)
		return w.send(ctx, &task.Up{Stopped: true})
	case down.Ask:
		w.mu.Lock()
		h := w.holds
		w.mu.Unlock()
		return w.send(ctx, &task.Up{Holds: &h})
	}
	return nil
}

// enter makes the run of a number the one under way.
func (w *worker) enter(ctx context.Context, number int, secret string) (*run, error) {
	if w.run != nil && w.run.number == number {
		return w.run, nil
	}
	w.end(task.Stop{})
	dir := filepath.Join(w.env.Scratch, fmt.Sprintf("run-%d", number))
	for _, d := range []string{"work", "local", "conf", "events", "app"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return nil, core.Errorf(core.Failed, "make the folders of run %d: %v", number, err).Do("look at the disk that holds Capstan's state")
		}
	}
	until := make(chan struct{})
	r := &run{number: number, dir: dir, secret: secret, until: until, stop: sync.OnceFunc(func() { close(until) })}
	w.run = r
	w.note(func(h *task.Holds) { *h = task.Holds{Run: number} })
	return r, w.configure(r)
}

// end ends what a rank runs, the application first, and waits for it.
func (w *worker) end(s task.Stop) {
	r := w.run
	if r == nil {
		return
	}
	if r.app != nil {
		r.app.end(s)
	}
	r.stop()
	r.parts.Wait()
	_ = os.RemoveAll(r.dir)
	w.run = nil
	w.note(func(h *task.Holds) { h.Master, h.Serving, h.Driving = nil, false, false })
}

func (w *worker) note(change func(*task.Holds)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(&w.holds)
}

func (w *worker) send(ctx context.Context, up *task.Up) error {
	b, err := task.Encode(up)
	if err != nil {
		return err
	}
	return w.env.Send(ctx, b)
}

// tell sends what nobody waits to have been sent: an executor that cannot speak
// has ended, and its coordinator knows.
func (w *worker) tell(ctx context.Context, up *task.Up) { _ = w.send(ctx, up) }
