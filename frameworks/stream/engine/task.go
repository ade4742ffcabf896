package engine

import (
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/capstan-run/capstan/frameworks/stream/epoch"
	"github.com/capstan-run/capstan/frameworks/stream/operator"
	"github.com/capstan-run/capstan/frameworks/stream/snapshot"
	"github.com/capstan-run/capstan/frameworks/stream/topology"
)

// Task is one task at work. Step belongs to one goroutine; what asks something of
// a task (Trigger, Publish) may be called from any.
type Task struct {
	topology.Task
	part  *Part
	exact bool

	source operator.Source // one of these three
	oper   operator.Operator
	sink   operator.Sink

	lagging operator.Lagging // oper, if it is that; nil if not

	in        []*inlet
	turn      int
	out       [][]*router // by output, for each edge that reads it
	box       []parcel    // emitted, and not sent yet
	exhausted bool
	handed    int64 // the last epoch that was handed in

	bell chan struct{} // rung when there may be something to do

	mu      sync.Mutex
	trigger int64
	publish []epoch.Publish
	passed  int64 // the last epoch that was committed
}

// inlet is the end of a link.
type inlet struct {
	link *Link
	in   int  // the input that it belongs to
	has  bool // the barrier of the epoch that is under way has come
}

// Emit is operator.Emitter's.
func (t *Task) Emit(out int, rec arrow.Record) error { return t.Pin(out, unpinned, rec) }

// Pin is operator.Emitter's.
func (t *Task) Pin(out, pin int, rec arrow.Record) (err error) {
	defer rec.Release()
	for _, r := range t.out[out] {
		if t.box, err = r.deal(t.box, pin, rec); err != nil {
			return err
		}
	}
	return nil
}

// Trigger has a source begin an epoch.
func (t *Task) Trigger(number int64) {
	t.mu.Lock()
	t.trigger = number
	t.mu.Unlock()
	t.ring()
}

// Publish has a sink publish a part.
func (t *Task) Publish(p epoch.Publish) {
	t.mu.Lock()
	t.publish = append(t.publish, p)
	t.mu.Unlock()
	t.ring()
}

func (t *Task) ring() {
	select {
	case t.bell <- struct{}{}:
	default:
	}
}

// run steps the task until ctx ends.
func (t *Task) run(ctx context.Context) error {
	for ctx.Err() == nil {
		did, err := t.Step(ctx)
		if err != nil {
			return err
		}
		if did {
			continue
		}
		select {
		case <-t.bell:
		case <-ctx.Done():
		}
	}
	return nil
}

// Step does one thing that is to be done. did is false if there is none.
func (t *Task) Step(ctx context.Context) (did bool, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("component %s, task %d: %w", t.Component.ID, t.ID, err)
		}
	}()
	if sent := t.flush(); len(t.box) > 0 {
		return sent, nil // law N1
	}
	if did, err := t.publishOne(ctx); did || err != nil {
		return did, err
	}
	if did, err := t.told(ctx); did || err != nil {
		return did, err
	}
	if t.lagging != nil {
		if did, err := t.lagging.Collect(ctx, t); did || err != nil {
			return did, err
		}
	}
	if number, ok := t.due(); ok {
		if t.lagging != nil && !t.lagging.Idle() {
			return false, nil // what is under way belongs to the epoch
		}
		return true, t.handIn(ctx, number)
	}
	if t.source != nil {
		return t.pull(ctx)
	}
	return t.work(ctx)
}

// flush sends what was emitted, as far as there is credit. Batches for one link
// keep their order; one link that is full does not hold up the others.
func (t *Task) flush() (sent bool) {
	if len(t.box) == 0 {
		return false
	}
	var full []*Link
	kept := t.box[:0]
	for _, p := range t.box {
		if contains(full, p.link) || !p.link.Offer(p.rec) {
			full = append(full, p.link)
			kept = append(kept, p)
			continue
		}
		sent = true
	}
	clear(t.box[len(kept):])
	t.box = kept
	return sent
}

func contains(list []*Link, l *Link) bool {
	for _, o := range list {
		if o == l {
			return true
		}
	}
	return false
}

func (t *Task) publishOne(ctx context.Context) (bool, error) {
	t.mu.Lock()
	if len(t.publish) == 0 {
		t.mu.Unlock()
		return false, nil
	}
	p := t.publish[0]
	t.publish = t.publish[1:]
	t.mu.Unlock()
	if err := t.sink.Publish(ctx, p.Piece.Part); err != nil {
		return true, err
	}
	t.part.tell(epoch.Published{Epoch: p.Epoch, Task: t.ID, Index: p.Piece.Index})
	return true, nil
}

// Passed tells a source that an epoch was committed.
func (t *Task) Passed(number int64) {
	t.mu.Lock()
	t.passed = number
	t.mu.Unlock()
	t.ring()
}

// told tells the source what was committed.
func (t *Task) told(ctx context.Context) (bool, error) {
	t.mu.Lock()
	number := t.passed
	t.passed = 0
	t.mu.Unlock()
	s, ok := t.source.(operator.Told)
	if !ok || number == 0 {
		return false, nil
	}
	return true, s.Committed(ctx, number)
}

// due is the epoch to hand in, once its barrier is here from everywhere.
func (t *Task) due() (int64, bool) {
	if t.source != nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		return t.trigger, t.trigger > t.handed
	}
	var number int64
	for _, i := range t.in {
		e, ok := i.link.Due()
		if ok && !i.has {
			i.has = true
			if !t.exact {
				i.link.Pass() // law N2
			}
		}
		if !i.has {
			return 0, false
		}
		number = max(number, e)
	}
	if !t.exact {
		number = t.handed + 1
	}
	return number, true
}

// handIn hands in the task's piece and passes the barrier on (law N3).
func (t *Task) handIn(ctx context.Context, number int64) error {
	piece := snapshot.Piece{Component: t.Component.ID, Index: t.Index}
	var err error
	switch {
	case t.source != nil:
		piece.Position, piece.Exhausted = t.source.Position(), t.exhausted
	case t.sink != nil:
		piece.Part, err = t.sink.Seal(ctx, number)
	default:
		if k, ok := t.oper.(operator.Keyed); ok {
			b := k.Snapshot()
			piece.State = fmt.Sprintf("state/%012d-%s-%05d-%s", number, t.Component.ID, t.Index, t.part.owner)
			piece.Bytes = int64(len(b))
			err = t.part.store.Put(ctx, piece.State, b)
		}
	}
	if err != nil {
		return fmt.Errorf("hand in epoch %d: %w", number, err)
	}
	t.part.tell(epoch.Handed{Epoch: number, Task: t.ID, Piece: piece})
	t.handed = number
	if s, ok := t.source.(operator.Told); ok {
		s.Handed(number)
	}
	for _, i := range t.in {
		if t.exact {
			i.link.Pass()
		}
		i.has = false
	}
	for _, routers := range t.out {
		for _, r := range routers {
			for _, l := range r.links {
				l.Mark(number)
			}
		}
	}
	return nil
}

func (t *Task) pull(ctx context.Context) (bool, error) {
	if t.exhausted {
		return false, nil
	}
	more, err := t.source.Next(ctx, t)
	if err == nil && !more {
		t.exhausted = true
		t.part.tell(epoch.Exhausted{Task: t.ID})
	}
	return true, err
}

// work takes a batch from the next link in turn that has one.
func (t *Task) work(ctx context.Context) (bool, error) {
	if t.lagging != nil && !t.lagging.Room() {
		return false, nil
	}
	for range t.in {
		i := t.in[t.turn]
		t.turn = (t.turn + 1) % len(t.in)
		if t.exact && i.has {
			continue
		}
		rec := i.link.Take()
		if rec == nil {
			continue
		}
		defer rec.Release()
		if t.sink != nil {
			return true, t.sink.Write(ctx, i.in, rec)
		}
		return true, t.oper.Process(ctx, i.in, rec, t)
	}
	return false, nil
}

func (t *Task) close() {
	for _, made := range []any{t.source, t.oper, t.sink} {
		if c, ok := made.(io.Closer); ok {
			_ = c.Close() // nothing that counts is lost: it was sealed, or did not happen
		}
	}
}
