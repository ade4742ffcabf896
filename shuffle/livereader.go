package shuffle

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/capstan-run/capstan/shuffle/block"
)

// LiveReader reads one partition of one producer, from its first run on: each
// row once, in the order of the committed object (law L2). It is not safe for
// concurrent use.
type LiveReader struct {
	live *Live
	src  *Source
	part int
	runs int   // read before the commit,
	rows int64 // and their rows
	rest *PartitionReader
	rec  arrow.Record // what Next returned last
}

// Next returns the next record batch, or io.EOF behind the last of a committed
// object. It waits for the producer, or until ctx ends, only where there is
// nothing to read. The record is valid as one of [PartitionReader.Next]; until
// its memory is released its credit is not the producer's.
//
// [ErrAborted] ends the reader: the producer failed, and all of its rows are
// void. After the commit errors are those of [Source.Open].
func (r *LiveReader) Next(ctx context.Context) (arrow.Record, error) {
	r.drop()
	for r.rest == nil {
		run, x, news, err := r.poll()
		switch {
		case err != nil:
			return nil, fmt.Errorf("partition %d: %w", r.part, err)
		case run != nil:
			if rec, err := r.decode(run); rec != nil || err != nil {
				return rec, err
			}
		case x != nil:
			if err := r.open(ctx, x); err != nil {
				return nil, err
			}
		default:
			select {
			case <-news:
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			}
		}
	}
	return r.rest.Next()
}

// poll takes the next run, or else returns the committed object's index, or
// else what is closed when there is news.
func (r *LiveReader) poll() (*liveRun, *Index, <-chan struct{}, error) {
	l := r.live
	l.mu.Lock()
	defer l.mu.Unlock()
	part := &l.parts[r.part]
	if l.err != nil {
		return nil, nil, nil, l.err
	}
	if len(part.queue) > 0 {
		run := part.queue[0]
		part.queue = part.queue[1:]
		return &run, nil, nil, nil
	}
	return nil, l.index, l.changed, nil
}

// decode returns the record of a run. One that is damaged, or gone, is none,
// and the last of its kind: the committed object has it.
func (r *LiveReader) decode(run *liveRun) (arrow.Record, error) {
	defer func() { r.live.forget(*run) }() // the record has its own hold
	if err := r.fetch(run); err != nil {
		r.src.Metrics.fell(errors.Is(err, ErrCorrupt))
		r.live.drop(r.part)
		return nil, nil
	}
	l := r.live // schema and codec stand since before the first run
	dec, err := block.NewDecoder(l.schema, run.buf, block.Packing{Codec: l.codec, Codecs: &l.codecs, Memory: &l.pool})
	if err != nil {
		return nil, err
	}
	defer dec.Release()
	rec, err := dec.Decode(&run.batch)
	if err != nil {
		return nil, fmt.Errorf("run %d of partition %d: %w: %w", r.runs, r.part, ErrCorrupt, err)
	}
	r.rec = rec
	r.runs++
	r.rows += rec.NumRows()
	return rec, nil
}

// fetch gets the verified bytes of a run: those queued, or of the first
// directory that has them intact.
func (r *LiveReader) fetch(run *liveRun) error {
	if run.buf != nil {
		return run.verify(run.buf)
	}
	err := os.ErrNotExist
	for _, dir := range r.src.Local {
		if err = run.load(dir, r.live); err == nil {
			if m := r.src.Metrics; m != nil {
				m.LocalBytes.Add(run.length)
			}
			return nil
		}
	}
	return err
}

// open opens the committed object behind what was read: a batch is a run.
func (r *LiveReader) open(ctx context.Context, x *Index) error {
	rest, err := r.src.Open(ctx, x, r.part)
	if err != nil {
		return err
	}
	if n := len(rest.part.Batches); r.runs > n {
		rest.Close()
		return fmt.Errorf("partition %d of exchange object %s: %w: %d batches, %d were read before its commit", r.part, x.Name, ErrCorrupt, n, r.runs)
	}
	rest.next, rest.rows = r.runs, r.rows
	r.rest = rest
	return nil
}

func (r *LiveReader) drop() {
	if r.rec != nil {
		r.rec.Release()
		r.rec = nil
	}
}

// Close gives up what is queued, and the current record. It may be called
// twice.
func (r *LiveReader) Close() {
	r.drop()
	r.live.drop(r.part)
	if r.rest != nil {
		r.rest.Close()
	}
}
