package work

import (
	"context"
	"maps"

	"golang.org/x/sync/errgroup"

	"github.com/capstan-run/capstan/frameworks/mapreduce/task"
	"github.com/capstan-run/capstan/shuffle"
)

// share is neighbouring partitions of a task's sources, which are small and lie
// side by side: they are read together.
type share struct {
	lo      int
	readers [][]*shuffle.PartitionReader // by source, then by partition from lo on
}

// of is the partition p of source i.
func (s *share) of(i, p int) run { return partitionRun{s.readers[i][p-s.lo]} }

// openMost is how many partitions of sources are open at once.
const openMost = 1 << 15

func (t *try) openShare(ctx context.Context, lo, hi int) (*share, error) {
	spans := make([]shuffle.Span, len(t.run.Sources))
	for i, x := range t.run.Sources {
		spans[i] = shuffle.Span{Index: x, Lo: lo, Hi: hi}
	}
	readers, err := t.source.OpenAll(ctx, spans)
	return &share{lo, readers}, err
}

func (s *share) close() {
	for _, readers := range s.readers {
		for _, r := range readers {
			_ = r.Close() // nil, by its contract
		}
	}
}

// reduceShare reduces several partitions, one after the other. Each is to user
// code a reduce task of its own.
func (t *try) reduceShare(ctx context.Context) (*task.Done, error) {
	if t.plan.body.Preview != nil {
		t.preview = newPreview(t.plan.body.Preview, t.plan.result)
	}
	all := &task.Done{}
	step := max(1, openMost/max(1, len(t.run.Sources)))
	for lo := t.run.Lo; lo < t.run.Hi; lo += step {
		if err := t.reduceSome(ctx, lo, min(lo+step, t.run.Hi), all); err != nil {
			return nil, err
		}
	}
	all.Preview = t.preview.list()
	return all, nil
}

// stagedAtOnce is how many small parts are on their way to the store at a time:
// each waits for the disk there, and together they wait about as long as one.
const stagedAtOnce = 8

// reduceSome adds what comes of the partitions lo to hi-1 to all.
func (t *try) reduceSome(ctx context.Context, lo, hi int, all *task.Done) error {
	s, err := t.openShare(ctx, lo, hi)
	if err != nil {
		return err
	}
	defer s.close()
	dones := make([]*task.Done, 0, hi-lo)
	at := task.Progress{Bytes: all.BytesIn, Records: all.RecordsIn}
	staging, stagingCtx := errgroup.WithContext(ctx)
	staging.SetLimit(stagedAtOnce)
	for p := lo; p < hi && err == nil; p++ {
		var r *reduced
		if r, err = t.reduceOne(stagingCtx, s, p, at); err != nil {
			break
		}
		at.Bytes, at.Records = at.Bytes+r.done.BytesIn, at.Records+r.done.RecordsIn
		dones = append(dones, r.done)
		stage := func() error {
			defer r.t.clean()
			defer r.part.Abort()
			return r.stage(stagingCtx)
		}
		if r.part.Small() {
			staging.Go(stage)
		} else {
			err = stage()
		}
	}
	if failed := staging.Wait(); failed != nil {
		err = failed // and not what came of the others then
	}
	for _, done := range dones {
		join(all, done)
	}
	return err
}

// reduceOne reduces partition p, after those that make up at. The caller cleans
// up after the try.
func (t *try) reduceOne(ctx context.Context, s *share, p int, at task.Progress) (*reduced, error) {
	r := *t.run
	r.Task.Index, r.Lo, r.Hi = p, p, p+1
	one, err := newTry(t.Worker, &r, func(now task.Progress) {
		if t.progress != nil {
			now.Bytes, now.Records = now.Bytes+at.Bytes, now.Records+at.Records
			t.progress(now)
		}
	})
	if err != nil {
		return nil, err
	}
	one.opened, one.preview = s, t.preview
	reduced, err := one.reduceToPart(ctx)
	if err != nil {
		one.clean()
	}
	return reduced, err
}

// join adds what came of a partition to what came of those before.
func join(all, done *task.Done) {
	all.Parts = append(all.Parts, done.Parts...)
	all.SideParts = append(all.SideParts, done.SideParts...)
	all.BytesIn += done.BytesIn
	all.RecordsIn += done.RecordsIn
	all.RecordsOut += done.RecordsOut
	all.DeadLetters += done.DeadLetters
	if all.Counters == nil {
		all.Counters = maps.Clone(done.Counters)
		return
	}
	for name, n := range done.Counters {
		all.Counters[name] += n
	}
}
