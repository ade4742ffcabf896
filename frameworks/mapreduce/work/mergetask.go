package work

import (
	"context"
	"errors"

	"github.com/capstan-run/capstan/frameworks/mapreduce/task"
	"github.com/capstan-run/capstan/shuffle"
)

// runMerge combines the task's one partition of some map outputs into an
// exchange file of that partition alone. Who reads it reads what these map tasks
// would have written as one.
func (t *try) runMerge(ctx context.Context) (*task.Done, error) {
	done := &task.Done{}
	merge := t.mergeSorted
	if t.plan.fold != 0 {
		merge = t.mergeFolded
	}
	x, err := merge(ctx, t.exchangePlace(), done)
	if err != nil {
		return nil, err
	}
	x.First, x.Total = t.run.Lo, t.run.Partitions
	done.Index, done.RecordsOut = x, x.Rows()
	return done, t.finishExchange(ctx, done)
}

// mergeFolded folds all pairs: their order does not matter (law W3).
func (t *try) mergeFolded(ctx context.Context, at place, done *task.Done) (*shuffle.Index, error) {
	c, err := t.newGatherer(ctx)
	if err != nil {
		return nil, err
	}
	defer t.pool.put(c)
	if err := t.gatherSources(ctx, c, done); err != nil {
		return nil, errors.Join(err, ctx.Err())
	}
	return c.Finish(ctx, at)
}

// mergeSorted merges the sorted partitions and combines their groups.
func (t *try) mergeSorted(ctx context.Context, at place, done *task.Done) (*shuffle.Index, error) {
	runs, err := t.openSources(ctx, done)
	if err != nil {
		return nil, err
	}
	pass := func(g *groups, w *runWriter) error { return t.combiner(ctx)(g, w) }
	return t.mergeInto(ctx, runs, at, pass, func(taken int64) { t.report(readBytes(done, taken), taken) })
}
