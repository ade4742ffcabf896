package work

import (
	"context"
	"errors"
	"os"
	"runtime/debug"
	"strconv"
	"sync"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/dataset/output"
	"github.com/capstan-run/capstan/frameworks/mapreduce/spec"
	"github.com/capstan-run/capstan/frameworks/mapreduce/task"
	"github.com/capstan-run/capstan/shuffle"
	memory "github.com/capstan-run/capstan/shuffle/arena"
	"github.com/capstan-run/capstan/shuffle/store"
)

// Store is what a worker needs of the object store. A *store.Client is one.
type Store interface {
	output.Store
	shuffle.Objects
}

// Worker runs the tasks of one job in one executor. Run may be called from
// several goroutines at once.
type Worker struct {
	env    *core.Env
	plan   *plan
	store  Store
	files  *exchangeFiles
	source *shuffle.Source
	budget int // bytes of a task's store
	ledger ledger
	rungs  rungs
	pool   pool
	images memory.Pool  // for exchange files and parts while they are made
	close  func() error // nil: nothing to close
}

// defaultMemory stands in for an executor without a limit.
const defaultMemory = core.Bytes(512 << 20)

// New makes the worker of an executor, the job's spec and store being those of
// env. functions are those of the program it runs in. It bounds the memory of
// the Go runtime of this process by env.Memory. Close the worker.
func New(env *core.Env, functions Registry) (*Worker, error) {
	body, err := spec.Parse(env.Spec.Body)
	if err != nil {
		return nil, err
	}
	st, err := store.Tell(env.Log).Open(env.Store)
	if err != nil {
		return nil, err
	}
	w, err := NewWith(env, body, functions, st)
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	if env.Memory > 0 {
		// Collect garbage rather than be killed.
		limit := int64(env.Memory) / 10 * 8
		limit -= int64(shmOf(body, env.Memory))
		if w.plan.scatters {
			limit -= int64(w.budget * body.SlotsOf(env.CPU)) // which images have, outside the runtime's memory
		}
		debug.SetMemoryLimit(limit)
	}
	w.close = st.Close
	return w, nil
}

// Close releases the store and the exchange files, which stay. No try may be running.
func (w *Worker) Close() error {
	w.files.close(w.env.Log)
	w.images.Close()
	if w.close == nil {
		return nil
	}
	return w.close()
}

// Budget is how many bytes a task stores, in an executor with so much CPU and
// memory: all slots together a third of what exchange files leave, since
// sorting, a block and a batch each, and the garbage collector's slack need the
// rest.
func Budget(b *spec.Body, cpu core.MilliCPU, memory core.Bytes) int {
	if memory <= 0 {
		memory = defaultMemory
	}
	return (int(memory) - shmOf(b, memory)) / 3 / b.SlotsOf(cpu)
}

// NewWith makes a worker of an executor over a store. An error is a fault of
// the spec.
func NewWith(env *core.Env, body *spec.Body, functions Registry, st Store) (*Worker, error) {
	p, err := newPlan(body, functions)
	if err != nil {
		return nil, err
	}
	w := &Worker{env: env, plan: p, store: st, budget: Budget(body, env.CPU, env.Memory)}
	w.images.Bound = int64(w.budget * body.SlotsOf(env.CPU))
	w.images.MaxIdle = w.images.Bound
	if w.files, err = newExchangeFiles(env, body, st); err != nil {
		return nil, err
	}
	w.source = &shuffle.Source{Local: w.files.folders(env.Shm), Metrics: &w.rungs.metrics}
	if st != nil {
		w.source.Objects = st
	}
	return w, nil
}

// Run runs one try to its end. progress is called from this goroutine and
// those of the try, as often as there is any; it must be quick. When Run
// returns, a failed or cancelled try has left nothing behind.
func (w *Worker) Run(ctx context.Context, r *task.Run, progress func(task.Progress)) (*task.Done, *task.Failed) {
	spent := w.ledger.begin()
	done, err := w.run(ctx, r, progress)
	cpu := w.ledger.end(spent)
	if err != nil {
		return nil, failure(r, err)
	}
	done.Task, done.Try, done.CPUNanos = r.Task, r.Try, cpu
	done.ReadFrom, done.Damaged = w.rungs.news()
	return done, nil
}

func (w *Worker) run(ctx context.Context, r *task.Run, progress func(task.Progress)) (*task.Done, error) {
	t, err := newTry(w, r, progress)
	if err != nil {
		return nil, err
	}
	defer t.clean()
	switch r.Task.Phase {
	case task.Map:
		return t.runMap(ctx)
	case task.Merge:
		return t.runMerge(ctx)
	case task.Reduce:
		return t.runReduce(ctx)
	case task.Sample:
		return t.runSample(ctx)
	}
	return nil, core.Errorf(core.Internal, "task %s has no known phase", r.Task)
}

// fatal is an error that another try would meet again.
type fatal struct{ error }

func (f fatal) Unwrap() error { return f.error }

// failure describes why a try ended.
func failure(r *task.Run, err error) *task.Failed {
	f := &task.Failed{Task: r.Task, Try: r.Try}
	var lost lostFiles
	if errors.As(err, &lost) || lost.add(err) {
		f.Lost = lost.makers
	}
	var certain fatal
	f.Fatal = errors.As(err, &certain) || core.KindOf(err) == core.Invalid
	e := *core.AsError(err)
	switch {
	case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		e.Kind = core.Cancelled
	case e.Kind == core.Internal && e.What == "":
		e.Kind = core.Failed
	}
	if e.Err != nil { // the wire does not carry it
		if e.What != "" {
			e.What += ": "
		}
		e.What += e.Err.Error()
		e.Err = nil
	}
	if e.Where == "" {
		e.Where = r.Task.String()
	}
	f.Err = e
	return f
}

// try is one attempt at a task.
type try struct {
	*Worker
	run      *task.Run
	state    *tryState
	progress func(task.Progress)
	dead     *deadLetters
	opened   *share   // of a partition among those of its task; nil: it opens its own sources
	preview  *preview // of the task that it is part of; nil: its own

	mu                    sync.Mutex // of progress
	bytes, records, beats int64
}

func newTry(w *Worker, r *task.Run, progress func(task.Progress)) (*try, error) {
	dir, err := os.MkdirTemp(w.env.Scratch, r.Task.String()+"."+strconv.Itoa(r.Try)+"-")
	if err != nil {
		return nil, core.Errorf(core.Failed, "no scratch space: %v", err).At(w.env.Scratch).
			Do("free space on the disk of the executors' scratch folders")
	}
	t := &try{Worker: w, run: r, progress: progress}
	t.dead = &deadLetters{t: t}
	t.state = &tryState{dir: dir, split: r.Split, bad: t.dead.add, alive: t.alive}
	return t, nil
}

// clean removes what the try kept in scratch space.
func (t *try) clean() {
	t.dead.abort()
	for _, f := range t.state.side {
		_ = f.file.Close() // read back before, if the try won
	}
	_ = os.RemoveAll(t.state.dir) // the executor's end removes the rest
}

// context makes the surroundings of a step's user code.
func (t *try) context(name string, step *spec.Step) *Context {
	return &Context{
		Job: t.env.Rank.Job, Epoch: t.env.Rank.Epoch, Task: t.run.Task, Try: t.run.Try,
		Step: *step, Name: name, Parts: t.run.Partitions, Env: t.env, Body: t.plan.body, shared: t.state,
	}
}

// partRoom is enough for a part of usual size: what goes to the store from memory
// is not written twice.
const partRoom = 64 << 20

// newPart begins a part of the try's output.
func (t *try) newPart(p output.Part) *output.PartWriter {
	w := output.NewPart(t.store, t.env.Store.Prefix, t.run.Task.String(), t.run.Try, p, t.state.dir)
	return w.Within(&t.images, min(partRoom, t.budget/3))
}

// exchangePlace is where the exchange file of the try is written.
func (t *try) exchangePlace() place { return t.files.place(exchangeName(t.run)) }
