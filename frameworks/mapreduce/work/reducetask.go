package work

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/capstan-run/capstan/frameworks/dataset/output"
	"github.com/capstan-run/capstan/frameworks/mapreduce/task"
	"github.com/capstan-run/capstan/shuffle"
)

// fanIn is the most runs merged at once: each holds mapped memory or a buffer.
const fanIn = 512

// runReduce reduces the partitions of a task.
func (t *try) runReduce(ctx context.Context) (*task.Done, error) {
	if t.run.Hi == t.run.Lo+1 {
		return t.reducePartition(ctx)
	}
	return t.reduceShare(ctx)
}

// reducePartition reduces the one partition of t and stages its part.
func (t *try) reducePartition(ctx context.Context) (*task.Done, error) {
	p, err := t.reduceToPart(ctx)
	if err != nil {
		return nil, err
	}
	defer p.part.Abort()
	p.done.Preview = p.sink.preview.list()
	return p.done, p.stage(ctx)
}

// reduced is a partition that was reduced, and its part, which is not staged yet.
type reduced struct {
	t    *try
	done *task.Done
	sink *Sink // closed
	part *output.PartWriter
}

func (r *reduced) stage(ctx context.Context) error {
	return r.t.finishPart(ctx, r.done, r.sink, r.part)
}

// reduceToPart reduces the one partition of t. The caller aborts the part.
func (t *try) reduceToPart(ctx context.Context) (_ *reduced, err error) {
	done := &task.Done{}
	open := t.openSources
	if t.plan.refolds || t.plan.scatters {
		c, err := t.newGatherer(ctx)
		if err != nil {
			return nil, err
		}
		defer t.pool.put(c)
		open = func(ctx context.Context, done *task.Done) ([]run, error) {
			if err := t.gatherSources(ctx, c, done); err != nil {
				return nil, err
			}
			return c.runs(ctx)
		}
	}
	runs, err := open(ctx, done)
	if err != nil {
		return nil, err
	}
	part := t.newPart(t.resultPart())
	defer func() {
		if err != nil {
			part.Abort()
		}
	}()
	sink, err := newSink(part, t.plan.result, t.plan.body)
	if err != nil {
		return nil, errors.Join(err, closeRuns(runs))
	}
	if t.preview != nil {
		sink.preview = t.preview
	}
	if err := t.reduceRuns(ctx, runs, sink, done); err != nil {
		return nil, err
	}
	return &reduced{t, done, sink, part}, sink.Close()
}

// reduceRuns reduces sorted runs, which it closes.
func (t *try) reduceRuns(ctx context.Context, runs []run, sink *Sink, done *task.Done) error {
	if only, ok := onlyRefs(runs); ok && t.plan.copies {
		return only.copyTo(sink, func(rows int) error {
			t.report(readBytes(done, int64(rows)), int64(rows))
			return ctx.Err()
		})
	}
	m, err := newMerger(runs, t.plan.order, t.plan.exchange.Value)
	if err != nil {
		return err
	}
	defer m.Close()
	report := func() { t.report(readBytes(done, m.taken), m.taken) }
	m.look = func() error {
		report()
		return ctx.Err()
	}
	g := newGroups(m, t.plan.body.Shuffle.GroupFields, []byte(t.plan.separator))
	if t.plan.copies {
		return copyGroups(g, sink)
	}
	r, err := t.plan.newReducer(t.context("reduce", t.plan.body.Reduce))
	if err != nil {
		return err
	}
	return reduceAll(ctx, r, g, sink, report)
}

// readBytes is about how many of the bytes that done reads lie in its first rows.
func readBytes(done *task.Done, rows int64) int64 {
	return int64(float64(done.BytesIn) * (float64(rows) / float64(max(done.RecordsIn, 1))))
}

// reportEvery is how often a reducer's progress is told.
const reportEvery = 100 * time.Millisecond

// reduceAll calls r for every group and closes it. report may be nil.
func reduceAll(ctx context.Context, r Reducer, g *groups, out Emitter, report func()) error {
	if err := reduceGroups(ctx, r, g, out, report); err != nil {
		return errors.Join(err, closeReducer(ctx, r, out))
	}
	return r.Close(ctx, out)
}

// closeReducer ends a reducer whose output nobody wants any more.
func closeReducer(ctx context.Context, r Reducer, out Emitter) error {
	stopped, stop := context.WithCancel(ctx)
	stop()
	return ignoreCancel(r.Close(stopped, out))
}

func reduceGroups(ctx context.Context, r Reducer, g *groups, out Emitter, report func()) error {
	// To look at a channel costs far less than to look at the clock, and a group
	// takes as long as its function likes.
	tick := time.NewTicker(reportEvery)
	defer tick.Stop()
	for {
		group, err := g.next()
		if group == nil {
			return err
		}
		if err := r.Reduce(ctx, group, out); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		select {
		case <-tick.C:
			if report != nil {
				report()
			}
		default:
		}
	}
}

// openSources opens the task's partition of every source, in the order of the
// map tasks (law W2). What would be too much to hold open at once is merged into
// runs in scratch space first.
func (t *try) openSources(ctx context.Context, done *task.Done) ([]run, error) {
	todo, err := t.sources(ctx, done)
	if err != nil {
		return nil, err
	}
	return t.openWithin(ctx, todo)
}

// sources are the ways to open the task's one partition of every source that
// has something in it, in the order of the map tasks.
func (t *try) sources(ctx context.Context, done *task.Done) ([]func() (run, error), error) {
	var todo []func() (run, error)
	p := t.run.Lo
	for i, x := range t.run.Sources {
		part, err := x.Partition(p)
		if err != nil {
			return nil, err
		}
		if part.Rows == 0 {
			continue
		}
		done.BytesIn += part.Length
		done.RecordsIn += part.Rows
		if t.opened != nil {
			todo = append(todo, func() (run, error) { return t.opened.of(i, p), nil })
			continue
		}
		todo = append(todo, func() (run, error) { return t.openRun(ctx, t.source, x, p) })
	}
	return todo, nil
}

func (t *try) openRun(ctx context.Context, s *shuffle.Source, x *shuffle.Index, p int) (run, error) {
	r, err := s.Open(ctx, x, p)
	if err != nil {
		return nil, err
	}
	return partitionRun{r}, nil
}

// partitionRun is a partition of an exchange file as a run.
type partitionRun struct{ *shuffle.PartitionReader }

// openWithin opens all runs, or none: at most fanIn, and of those that are held in
// memory as many as the budget has room for. If some are lost it looks at the
// others all the same, so that one failure names them all.
func (t *try) openWithin(ctx context.Context, todo []func() (run, error)) (_ []run, err error) {
	var merged, runs []run
	defer func() {
		if err != nil {
			err = errors.Join(err, closeRuns(merged), closeRuns(runs))
		}
	}()
	var lost lostFiles
	held, rounds := 0, 0
	for _, open := range todo {
		r, err := open()
		if lost.add(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		runs = append(runs, r)
		held += heldBy(r)
		if lost.first != nil {
			err := closeRuns(runs)
			runs, held = nil, 0
			if err != nil {
				return nil, err
			}
			continue
		}
		if len(runs) < fanIn && held <= t.budget {
			continue
		}
		one, err := t.mergeRuns(ctx, runs, rounds)
		runs = nil // closed
		if err != nil {
			return nil, err
		}
		merged, held, rounds = append(merged, one), 0, rounds+1
		if len(merged) == fanIn {
			one, err := t.mergeRuns(ctx, merged, rounds)
			merged = nil
			if err != nil {
				return nil, err
			}
			merged, rounds = append(merged, one), rounds+1
		}
	}
	if lost.first != nil {
		return nil, lost
	}
	return append(merged, runs...), nil
}

// heldBy is how many bytes of this process's memory an open run takes.
func heldBy(r run) int {
	if p, ok := r.(partitionRun); ok && !p.Mapped() {
		return int(p.Bytes())
	}
	return 0
}

// lostFiles is the error of exchange files that no rung has.
type lostFiles struct {
	first  error
	makers []task.ID
}

func (l lostFiles) Error() string {
	if len(l.makers) == 1 {
		return l.first.Error()
	}
	return fmt.Sprintf("%v (and the output of %d more tasks)", l.first, len(l.makers)-1)
}

func (l lostFiles) Unwrap() error { return l.first }

// add takes err if it is the loss of an exchange file, or of several.
func (l *lostFiles) add(err error) bool {
	switch e := err.(type) {
	case *shuffle.LostError: // before what it wraps: why each rung had no answer
		return l.lose(e)
	case interface{ Unwrap() error }:
		return l.add(e.Unwrap())
	case interface{ Unwrap() []error }:
		some := false
		for _, one := range e.Unwrap() {
			some = l.add(one) || some
		}
		return some
	}
	return false
}

func (l *lostFiles) lose(e *shuffle.LostError) bool {
	id, ok := makerOf(e.Name)
	if !ok {
		return false
	}
	if l.first == nil {
		l.first = e
	}
	l.makers = append(l.makers, id)
	return true
}

// mergeRuns merges neighbouring runs, which it closes, into one in scratch space.
func (t *try) mergeRuns(ctx context.Context, runs []run, number int) (run, error) {
	path := filepath.Join(t.state.dir, fmt.Sprintf("merge-%05d.x", number))
	pass := func(g *groups, w *runWriter) error { return copyGroups(g, w) }
	x, err := t.mergeInto(ctx, runs, place{path: path}, pass, func(int64) { t.alive() })
	if err != nil {
		return nil, err
	}
	r, err := t.openRun(ctx, &shuffle.Source{Local: []string{t.state.dir}}, x, 0)
	if err != nil {
		return nil, err
	}
	return r, os.Remove(path) // mapped, or read: it lives as long as the run
}

// mergeInto writes what pass makes of the groups of sorted runs, which it
// closes, as an exchange file of one partition. report is told now and then how
// many pairs were taken.
func (t *try) mergeInto(ctx context.Context, runs []run, at place, pass func(*groups, *runWriter) error, report func(taken int64)) (*shuffle.Index, error) {
	m, err := newMerger(runs, t.plan.order, t.plan.exchange.Value)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	m.look = func() error {
		report(m.taken)
		return ctx.Err()
	}
	w, err := newRunWriter(at, t.plan.exchange.Value, 1)
	if err != nil {
		return nil, err
	}
	defer w.Abort()
	w.begin(0, t.plan.order)
	if err := pass(newGroups(m, 0, nil), w); err != nil {
		return nil, err
	}
	if err := w.flush(); err != nil {
		return nil, err
	}
	return w.Commit()
}
