package work

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"slices"

	"github.com/capstan-run/capstan/frameworks/dataset/input"
	"github.com/capstan-run/capstan/frameworks/dataset/output"
	"github.com/capstan-run/capstan/frameworks/mapreduce/task"
)

func (t *try) runMap(ctx context.Context) (*task.Done, error) {
	if t.plan.newReducer == nil {
		return t.mapToOutput(ctx)
	}
	c, err := t.newCollector(ctx)
	if err != nil {
		return nil, err
	}
	done := &task.Done{}
	defer t.pool.put(c)
	if c.scatter != nil {
		defer c.scatter.Abort() // nothing after its commit
	}
	if err := t.mapInput(ctx, c, done); err != nil {
		c.spills.remove()
		return nil, err
	}
	if done.Index, err = c.Finish(ctx, t.exchangePlace()); err != nil {
		return nil, err
	}
	done.RecordsOut, done.Combined = c.emitted, !t.plan.scatters
	return done, t.finishExchange(ctx, done)
}

// finishExchange finishes a try that made an exchange file.
func (t *try) finishExchange(ctx context.Context, done *task.Done) error {
	if err := t.finish(ctx, done); err != nil {
		return errors.Join(err, t.files.remove(done.Index.Name))
	}
	return t.files.share(ctx, done.Index)
}

// newCollector makes the collector of a task, whose combiner runs until ctx ends.
func (t *try) newCollector(ctx context.Context) (*Collector, error) {
	p := t.plan
	c := &Collector{
		kinds:  p.exchange,
		order:  p.order,
		part:   NewPartitioner(p.body.Shuffle, t.run.Partitions, p.order, t.run.Bounds, p.separator),
		budget: t.budget,
		spills: spills{dir: t.state.dir},
		batch:  newPairs(p.exchange.Value),
		count:  p.count,
	}
	if p.fold != 0 {
		c.tally, c.loose = t.pool.tally(p.fold, c.part, c.budget), p.refolds
		return c, nil
	}
	if p.scatters {
		var err error
		c.scatter, err = t.newScatter(c.part)
		return c, err
	}
	if err := t.combineWith(ctx, c); err != nil {
		return nil, err
	}
	if c.slots == nil {
		c.records = t.pool.store(p.exchange.Value)
	}
	return c, nil
}

// combineWith gives the collector a combiner that is code.
func (t *try) combineWith(ctx context.Context, c *Collector) error {
	p := t.plan
	if p.newCombine == nil {
		return nil
	}
	step := t.context("combine", p.combineStep())
	if p.exchange.Value.fixed() && len(step.Step.Exec) == 0 {
		r, err := p.newCombine(step)
		if err != nil {
			return err
		}
		c.slots = newSlotStore(p.exchange.Value, r)
	}
	c.combine = t.combiner(ctx)
	return nil
}

// combiner is the job's combiner that is code.
func (t *try) combiner(ctx context.Context) combine {
	step := t.context("combine", t.plan.combineStep())
	return func(g *groups, out Emitter) error {
		r, err := t.plan.newCombine(step)
		if err != nil {
			return err
		}
		return reduceAll(ctx, r, g, out, nil)
	}
}

// mapToOutput runs a task of a map-only job: its pairs are the result.
func (t *try) mapToOutput(ctx context.Context) (*task.Done, error) {
	part := t.newPart(t.resultPart())
	defer part.Abort()
	sink, err := newSink(part, t.plan.result, t.plan.body)
	if err != nil {
		return nil, err
	}
	done := &task.Done{}
	if err := t.mapInput(ctx, sink, done); err != nil {
		return nil, err
	}
	if err := sink.Close(); err != nil {
		return nil, err
	}
	done.Preview = sink.preview.list()
	return done, t.finishPart(ctx, done, sink, part)
}

func (t *try) resultPart() output.Part {
	o := t.plan.body.Output
	return output.ResultPart(t.run.Task.Index, o.Format, o.Compression)
}

// finishPart stages the part that sink, which is closed, has written, and
// describes the finished try.
func (t *try) finishPart(ctx context.Context, done *task.Done, sink *Sink, part *output.PartWriter) error {
	p, err := part.Close(ctx, sink.rows)
	if err != nil {
		return err
	}
	done.Parts, done.RecordsOut = append(done.Parts, p), sink.rows
	return t.finish(ctx, done)
}

// finish stages the side parts and adds the counters.
func (t *try) finish(ctx context.Context, done *task.Done) error {
	dead, n, err := t.dead.close(ctx)
	if err != nil {
		return err
	}
	done.SideParts, done.DeadLetters = dead, n
	for _, name := range slices.Sorted(maps.Keys(t.state.side)) {
		p, err := t.sidePart(ctx, name)
		if err != nil {
			return err
		}
		done.SideParts = append(done.SideParts, p)
	}
	done.Counters = t.state.counts()
	return nil
}

func (t *try) sidePart(ctx context.Context, name string) (output.Part, error) {
	f := t.state.side[name].file
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return output.Part{}, err
	}
	// The tasks of both phases have numbers of their own: the phase keeps them apart.
	w := t.newPart(output.SidePart(name+"-"+string(t.run.Task.Phase), t.run.Task.Index))
	defer w.Abort()
	if _, err := io.Copy(w, f); err != nil {
		return output.Part{}, err
	}
	return w.Close(ctx, 0)
}

// mapInput runs the mapper over the split.
func (t *try) mapInput(ctx context.Context, out Emitter, done *task.Done) error {
	m, err := t.plan.newMapper(t.context("map", &t.plan.body.Map))
	if err != nil {
		return err
	}
	feed := t.feedBlocks
	if f := t.plan.body.Input.Format; f != "" && f != "text" {
		feed = t.feedRecords
	}
	err = feed(ctx, m, out, done)
	if err != nil {
		// The script's own end says more than the pipe that broke under us.
		stopped, stop := context.WithCancel(ctx)
		stop()
		return errors.Join(err, ignoreCancel(m.Close(stopped, out)))
	}
	return m.Close(ctx, out)
}

func ignoreCancel(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

func (t *try) options() input.Options {
	o := input.OptionsOf(t.plan.body.Input, t.store, t.dead.add)
	o.Sample = t.run.Task.Phase == task.Sample
	o.Memory = &t.images
	return o
}

func (t *try) feedBlocks(ctx context.Context, m Mapper, out Emitter, done *task.Done) error {
	bm := blockMapper(m)
	r := input.NewBlockReader(t.run.Split, t.options())
	defer r.Close()
	for {
		b, err := r.Next(ctx)
		if errors.Is(err, io.EOF) {
			done.BytesIn = r.Read()
			return nil
		}
		if err != nil {
			return err
		}
		t.state.at(b.File, b.Offset)
		if err := bm.Block(ctx, b, out); err != nil {
			return err
		}
		done.RecordsIn += int64(bytes.Count(b.Data, newline))
		t.report(r.Read(), done.RecordsIn)
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// report tells of progress; from any goroutine of the try.
func (t *try) report(bytes, records int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.bytes, t.records = bytes, records
	t.tell()
}

// alive tells of progress that no count shows.
func (t *try) alive() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.beats++
	t.tell()
}

func (t *try) tell() {
	if t.progress != nil {
		t.progress(task.Progress{Task: t.run.Task, Try: t.run.Try, Bytes: t.bytes, Records: t.records, Status: t.state.statusText(), Beats: t.beats})
	}
}
