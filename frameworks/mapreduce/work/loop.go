package work

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/mapreduce/spec"
	"github.com/capstan-run/capstan/frameworks/mapreduce/task"
)

// RunFunc runs one try. It returns either a Done or a Failed, soon after ctx
// ends. It may call progress from one goroutine at a time, as often as it
// likes: only the latest counts.
type RunFunc func(ctx context.Context, run *task.Run, progress func(task.Progress)) (*task.Done, *task.Failed)

const (
	// progressEvery is how often the coordinator hears of a try.
	progressEvery = 250 * time.Millisecond
	// stuckAfter is how long a cancelled try may go on. User code cannot be
	// stopped from outside, so the executor ends with it.
	stuckAfter = 30 * time.Second
	// inventoryChunk is the number of finished tries in one message.
	inventoryChunk = 64
)

// Loop is the worker's side of the conversation with the coordinator: it runs
// as many tries at once as the executor has slots, queues the others in order,
// cancels, and answers a new coordinator's query with all that finished here.
// A panic of a try is its failure, with the stack; the executor lives on.
//
// It returns nil when the inbox is closed or ctx ended, after every try has
// returned, and an error if a cancelled try does not return.
func Loop(ctx context.Context, env *core.Env, run RunFunc) error {
	body, err := spec.Parse(env.Spec.Body)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	l := &loop{
		env:   env,
		run:   run,
		tries: map[tryID]*attempt{},
		slots: make(chan struct{}, body.SlotsOf(env.CPU)),
		stuck: make(chan tryID, 1),
		turn:  make(chan struct{}, 1),
	}
	stuck := false
	defer func() {
		cancel()
		if !stuck {
			l.running.Wait()
		}
	}()
	l.running.Go(func() { l.tellProgress(ctx) })
	for {
		select {
		case <-ctx.Done():
			return nil
		case id := <-l.stuck:
			stuck = true
			return core.Errorf(core.Failed, "%s does not end %s after it was cancelled", id.task, stuckAfter).
				Do("let the function return when its context ends")
		case msg, ok := <-env.Inbox:
			if !ok {
				return nil
			}
			if err := l.take(ctx, msg); err != nil && ctx.Err() == nil {
				return err
			}
		}
	}
}

type tryID struct {
	task task.ID
	try  int
}

// attempt is a try that was asked for and has not returned.
type attempt struct {
	cancel context.CancelFunc
	at     task.Progress
	news   bool // at was not sent yet
	timer  *time.Timer
}

type loop struct {
	env     *core.Env
	run     RunFunc
	slots   chan struct{}
	running sync.WaitGroup
	stuck   chan tryID
	// turn is held by who answers: a try that ends while an inventory is told is
	// in it as running, so its answer must come after all of it.
	turn chan struct{}

	mu    sync.Mutex
	tries map[tryID]*attempt
	done  []task.Done
}

func (l *loop) take(ctx context.Context, msg []byte) error {
	var down task.Down
	if err := task.Decode(msg, &down); err != nil {
		return &core.Error{Kind: core.Internal, What: "read the coordinator's message", Err: err,
			Remedy: "use one version of Capstan for host and program"}
	}
	switch {
	case down.Run != nil:
		l.start(ctx, down.Run)
	case down.Cancel != nil:
		l.stop(tryID{down.Cancel.Task, down.Cancel.Try})
	case down.Query != nil:
		return l.inventory(ctx)
	case down.Forget != nil:
		l.forget(down.Forget)
	}
	return nil
}

// start queues a try. The same try is never started twice.
func (l *loop) start(ctx context.Context, run *task.Run) {
	id := tryID{run.Task, run.Try}
	tryCtx, cancel := context.WithCancel(ctx)
	l.mu.Lock()
	_, known := l.tries[id]
	if !known {
		l.tries[id] = &attempt{cancel: cancel, at: task.Progress{Task: id.task, Try: id.try}}
	}
	l.mu.Unlock()
	if known {
		cancel()
		return
	}
	l.running.Go(func() {
		defer cancel()
		up := l.try(tryCtx, run)
		// A cancelled try answers, too: its slot is free then.
		l.answer(ctx, id, up)
	})
}

// try waits for a slot and runs.
func (l *loop) try(ctx context.Context, run *task.Run) task.Up {
	select {
	case l.slots <- struct{}{}:
		defer func() { <-l.slots }()
	case <-ctx.Done():
		return task.Up{Failed: cancelled(run)}
	}
	done, failed := l.guard(ctx, run)
	if failed != nil {
		failed.Task, failed.Try = run.Task, run.Try
		return task.Up{Failed: failed}
	}
	done.Task, done.Try = run.Task, run.Try
	if len(run.Sources) > 0 {
		done.Read = task.RowHash(run.Sources, run.Lo, run.Hi)
	}
	return task.Up{Done: done}
}

// guard turns a panic of user code into a failure.
func (l *loop) guard(ctx context.Context, run *task.Run) (done *task.Done, failed *task.Failed) {
	defer func() {
		if p := recover(); p != nil {
			done, failed = nil, &task.Failed{Err: core.Error{
				Kind:   core.Failed,
				What:   fmt.Sprintf("panic: %v", p),
				Detail: head(string(debug.Stack()), 8<<10),
			}}
		}
	}()
	done, failed = l.run(ctx, run, func(p task.Progress) { l.progress(tryID{run.Task, run.Try}, p) })
	switch {
	case failed == nil && ctx.Err() != nil && done == nil:
		failed = cancelled(run)
	case failed == nil && done == nil:
		failed = &task.Failed{Err: core.Error{Kind: core.Internal, What: "the task ended without a result"}}
	}
	return done, failed
}

func cancelled(run *task.Run) *task.Failed {
	return &task.Failed{Task: run.Task, Try: run.Try, Err: core.Error{Kind: core.Cancelled, What: "cancelled"}}
}

// head is the beginning of s, at most n bytes.
func head(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}

// answer records what came of a try, then tells.
func (l *loop) answer(ctx context.Context, id tryID, up task.Up) {
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
	}
	l.mu.Lock()
	if t := l.tries[id]; t.timer != nil {
		t.timer.Stop()
	}
	delete(l.tries, id)
	if d := up.Done; d != nil {
		l.done = append(l.done, *d)
	}
	l.mu.Unlock()
	// After the end nobody listens; an error would only repeat that.
	_ = l.send(ctx, &up)
}

// stop cancels a try that runs or waits here; another one is no error: its
// answer and the cancel have crossed.
func (l *loop) stop(id tryID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.tries[id]
	if t == nil || t.timer != nil {
		return
	}
	t.cancel()
	t.timer = time.AfterFunc(stuckAfter, func() {
		select {
		case l.stuck <- id:
		default:
		}
	})
}

func (l *loop) progress(id tryID, p task.Progress) {
	p.Task, p.Try = id.task, id.try
	l.mu.Lock()
	defer l.mu.Unlock()
	if t := l.tries[id]; t != nil && t.at != p {
		t.at, t.news = p, true
	}
}

// tellProgress sends what changed. It is one goroutine for all tries, so that
// user code never waits for the coordinator.
func (l *loop) tellProgress(ctx context.Context) {
	ticker := time.NewTicker(progressEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for _, p := range l.changed() {
			if l.send(ctx, &task.Up{Progress: &p}) != nil {
				return
			}
		}
	}
}

func (l *loop) changed() []task.Progress {
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []task.Progress
	for _, t := range l.tries {
		if t.news {
			t.news = false
			list = append(list, t.at)
		}
	}
	return list
}

func (l *loop) inventory(ctx context.Context) error {
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	l.mu.Lock()
	done := append([]task.Done(nil), l.done...)
	var running []task.Progress
	for _, t := range l.tries {
		if t.timer == nil {
			running = append(running, t.at)
		}
	}
	l.mu.Unlock()
	for len(done) > inventoryChunk {
		if err := l.send(ctx, &task.Up{Inventory: &task.Inventory{Done: done[:inventoryChunk], More: true}}); err != nil {
			return err
		}
		done = done[inventoryChunk:]
	}
	return l.send(ctx, &task.Up{Inventory: &task.Inventory{Done: done, Running: running}})
}

// send tells the coordinator; the error is nil or that ctx ended. What fails
// because the executor ends is no failure of a try: it is not told.
func (l *loop) send(ctx context.Context, up *task.Up) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	msg, err := task.Encode(up)
	if err != nil {
		return err
	}
	return l.env.Send(ctx, msg)
}

// forget removes exchange files.
func (l *loop) forget(names []string) {
	l.mu.Lock()
	l.done = slices.DeleteFunc(l.done, func(d task.Done) bool {
		return d.Index != nil && slices.Contains(names, d.Index.Name)
	})
	l.mu.Unlock()
	for _, dir := range []string{l.env.Shared, l.env.Shm} {
		if dir != "" {
			l.removeFrom(dir, names)
		}
	}
}

// removeFrom removes files of a folder of the gang. Names come over the wire:
// they stay within it.
func (l *loop) removeFrom(dir string, names []string) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		l.env.Log.Warn("exchange files stay", "err", err)
		return
	}
	defer root.Close()
	for _, name := range names {
		if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			l.env.Log.Warn("exchange file stays", "name", name, "err", err)
		}
	}
}
