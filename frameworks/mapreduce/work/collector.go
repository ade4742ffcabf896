package work

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/shuffle"
)

// Collector takes the pairs of a map task, combines them, and at the end
// writes them as an exchange file, by partition and, unless their order does
// not matter, sorted by key (law W1).
//
// A Collector is not safe for concurrent use.
type Collector struct {
	kinds  Kinds // of the pairs, as the exchange carries them
	order  Order
	part   *Partitioner
	budget int // bytes
	spills spills

	tally   *tallyStore  // when folding
	count   bool         // fold 1 for each pair, whatever its value
	loose   bool         // when folding: who reads the file folds again, and needs no order
	slots   *slotStore   // when combining numbers by a function
	records *recordStore // when other code combines
	scatter *scatter     // when nothing does: not a store, pairs go on at once
	refs    *refStore    // of a reduce task that sorts what was scattered
	combine combine      // over groups of the records, nil for none

	sorter  sorter
	batch   *pairs
	emitted int64
}

// combine reduces sorted pairs before they leave the map task. It calls emit
// with keys in order.
type combine func(g *groups, out Emitter) error

func floatOf(bits uint64) float64 { return math.Float64frombits(bits) }
func bitsOf(v float64) uint64     { return math.Float64bits(v) }

// Emit takes a pair with a value of bytes.
func (c *Collector) Emit(key, value []byte) error {
	switch {
	case c.tally != nil && c.count:
		return c.fold(key, 1)
	case c.kinds.Value.whole():
		v, err := parseWhole(key, value)
		if err != nil {
			return err
		}
		return c.EmitInt(key, v)
	case c.kinds.Value == Float64:
		v, err := parseFloat(key, value)
		if err != nil {
			return err
		}
		return c.EmitFloat(key, v)
	}
	if c.scatter != nil {
		c.emitted++
		b := c.scatter.batch
		b.keys.add(key)
		if b.kind.bytes() {
			b.values.add(value)
		}
		return c.scatter.full()
	}
	if err := c.room(); err != nil {
		return err
	}
	c.records.add(c.part.Of(key), c.order.Prefix(key), key, value)
	return nil
}

// EmitRecord takes pairs of bytes as they lie in a record of two columns.
func (c *Collector) EmitRecord(rec arrow.Record) error {
	if c.scatter != nil && c.kinds.Value.bytes() {
		c.emitted += rec.NumRows()
		return c.scatter.records(rec)
	}
	return emitRows(rec, c)
}

// EmitInt takes a pair with a whole value.
func (c *Collector) EmitInt(key []byte, v int64) error {
	switch {
	case c.tally != nil:
		if c.count {
			v = 1
		}
		return c.fold(key, v)
	case c.kinds.Value == Float64:
		return c.EmitFloat(key, float64(v))
	case c.kinds.Value.whole():
		return c.num(key, uint64(v))
	}
	var buf [24]byte
	return c.Emit(key, appendWholeText(buf[:0], v, Int64))
}

// EmitFloat takes a pair with a floating-point value.
func (c *Collector) EmitFloat(key []byte, v float64) error {
	switch {
	case c.kinds.Value == Float64:
		return c.num(key, math.Float64bits(v))
	case c.tally != nil && c.count:
		return c.fold(key, 1)
	case c.kinds.Value.whole():
		if v != math.Trunc(v) || math.Abs(v) >= 1<<63 {
			return core.Errorf(core.Failed, "value %v of key %q is not an integer", v, clip(key)).
				Do("set with: {type: float64}")
		}
		return c.EmitInt(key, int64(v))
	}
	var buf [32]byte
	return c.Emit(key, appendFloatText(buf[:0], v))
}

func (c *Collector) fold(key []byte, v int64) error {
	c.emitted++
	c.tally.Add(key, v)
	return c.relieve()
}

// countSpans takes words of a block, each with the value 1. Only for collectors
// that fold.
func (c *Collector) countSpans(p []byte, words []span) error {
	c.emitted += int64(len(words))
	c.tally.countSpans(p, words)
	return c.relieve()
}

// countLines counts whole lines. Only for collectors that count.
func (c *Collector) countLines(lines []byte) error {
	var spans [1024]span
	for at := 0; at < len(lines); {
		var n int
		n, at = cutLines(lines, at, spans[:])
		if err := c.countSpans(lines, spans[:n]); err != nil {
			return err
		}
	}
	return nil
}

// relieve empties a tally that holds too much.
func (c *Collector) relieve() error {
	if !c.tally.tight() {
		return nil
	}
	return c.spill()
}

// take keeps the pairs of a record that c reads: what is in this process's memory
// for it is heap bytes, and mapped of a file. Only for collectors of refs.
func (c *Collector) take(at *cursor, heap, mapped int) error {
	c.refs.take(at.rec, at, heap, mapped)
	if !c.refs.tight(c.budget) {
		return nil
	}
	return c.spill()
}

func (c *Collector) num(key []byte, bits uint64) error {
	if c.scatter != nil {
		c.emitted++
		b := c.scatter.batch
		b.keys.add(key)
		if b.kind == Float64 {
			b.floats = append(b.floats, floatOf(bits))
		} else {
			b.ints = append(b.ints, int64(bits))
		}
		return c.scatter.full()
	}
	if c.slots != nil {
		c.emitted++
		if c.slots.tight(c.budget) {
			if err := c.spill(); err != nil {
				return err
			}
		}
		return c.slots.add(key, bits)
	}
	if err := c.room(); err != nil {
		return err
	}
	c.records.addNum(c.part.Of(key), c.order.Prefix(key), key, bits)
	return nil
}

// room makes room for one more record.
func (c *Collector) room() error {
	c.emitted++
	r := &c.records.records
	if r.bytes() <= c.budget && !r.arena.full() || len(r.items) == 0 {
		return nil
	}
	return c.spill()
}

// store is the one in use.
func (c *Collector) store() pairStore {
	switch {
	case c.tally != nil:
		return c.tally
	case c.slots != nil:
		return c.slots
	case c.refs != nil:
		return c.refs
	}
	return c.records
}

// spill writes what is stored as a run in scratch space and forgets it.
func (c *Collector) spill() error {
	index, err := c.writeSorted(place{path: c.spills.name()})
	if err != nil {
		return err
	}
	c.spills.add(index)
	return nil
}

// Finish writes all pairs as an exchange file. Spilled runs are gone
// afterwards, also after an error.
func (c *Collector) Finish(ctx context.Context, at place) (*shuffle.Index, error) {
	defer c.spills.remove()
	switch {
	case c.scatter != nil:
		return c.scatter.commit(ctx)
	case len(c.spills.runs) > 0:
	case c.loose:
		return c.writeLoose(at)
	default:
		return c.writeSorted(at)
	}
	if !c.store().empty() {
		if err := c.spill(); err != nil {
			return nil, err
		}
	}
	return c.mergeSpills(ctx, at)
}

// writeSorted sorts what is stored, writes it, and empties the store.
func (c *Collector) writeSorted(at place) (*shuffle.Index, error) {
	s := c.store()
	sorted, ends := c.sorter.sort(s.items(c.order, c.part), c.part.parts, s.arrange, s.compare(c.order))
	if err := c.overflowed(); err != nil {
		return nil, err
	}
	w, err := newRunWriter(at, c.kinds.Value, c.part.parts)
	if err != nil {
		return nil, err
	}
	defer w.Abort()
	from := 0
	for p, end := range ends {
		r := &storeRun{store: s, todo: sorted[from:end], batch: c.batch}
		from = end
		if err := c.writePartition(w, p, r); err != nil {
			return nil, err
		}
	}
	index, err := w.Commit()
	if err != nil {
		return nil, err
	}
	s.reset()
	return index, nil
}

// writeLoose folds what is stored and writes it.
func (c *Collector) writeLoose(at place) (*shuffle.Index, error) {
	c.tally.Fold()
	if err := c.overflowed(); err != nil {
		return nil, err
	}
	w, err := newRunWriter(at, c.kinds.Value, c.part.parts)
	if err != nil {
		return nil, err
	}
	defer w.Abort()
	for p := range c.part.parts {
		if err := w.copy(p, &tallyRun{todo: c.tally.of(p), batch: c.batch}); err != nil {
			return nil, err
		}
	}
	return w.Commit()
}

func (c *Collector) overflowed() error {
	if c.tally != nil && c.tally.Overflow() {
		return overflow()
	}
	return nil
}

func (c *Collector) writePartition(w *runWriter, p int, r run) error {
	if c.combine == nil {
		return w.copy(p, r)
	}
	m, err := newMerger([]run{r}, c.order, c.kinds.Value)
	if err != nil {
		return err
	}
	defer m.Close()
	w.begin(p, c.order)
	if err := c.combine(newGroups(m, 0, nil), w); err != nil {
		return err
	}
	return w.flush()
}

// mergeSpills merges the runs partition by partition.
func (c *Collector) mergeSpills(ctx context.Context, at place) (*shuffle.Index, error) {
	w, err := newRunWriter(at, c.kinds.Value, c.part.parts)
	if err != nil {
		return nil, err
	}
	defer w.Abort()
	for p := range c.part.parts {
		runs, err := c.spills.open(ctx, p)
		if err != nil {
			return nil, err
		}
		m, err := newMerger(runs, c.order, c.kinds.Value)
		if err != nil {
			return nil, err
		}
		w.begin(p, c.order)
		if err := errors.Join(c.mergePartition(m, w), m.Close()); err != nil {
			return nil, err
		}
	}
	return w.Commit()
}

func (c *Collector) mergePartition(m *merger, w *runWriter) error {
	g := newGroups(m, 0, nil)
	var err error
	switch {
	case c.tally != nil:
		err = foldGroups(c.tally.fold, g, w)
	case c.combine != nil:
		err = c.combine(g, w)
	default:
		err = copyGroups(g, w)
	}
	return errors.Join(err, w.flush())
}

// pairTaker takes the current pair of a merge.
type pairTaker interface{ pair(c *cursor) error }

// copyGroups writes every pair as it is.
func copyGroups(g *groups, w pairTaker) error {
	for ; g.head != nil && g.err == nil; g.advance() {
		if err := w.pair(g.head); err != nil {
			return err
		}
	}
	return g.err
}

// foldGroups writes one pair for each key.
func foldGroups(f Fold, g *groups, w *runWriter) error {
	for {
		group, err := g.next()
		if group == nil {
			return err
		}
		if w.out.kind == None {
			if err := w.Emit(group.Key(), nil); err != nil {
				return err
			}
			continue
		}
		acc, err := f.all(group)
		if err != nil {
			return err
		}
		if err := w.EmitInt(group.Key(), acc); err != nil {
			return err
		}
	}
}

// all folds the whole values of a group.
func (f Fold) all(g *Group) (int64, error) {
	g.Next()
	acc := g.Int()
	for g.Next() {
		v := g.Int()
		switch f {
		case FoldSum:
			s := acc + v
			if (s > acc) != (v > 0) && v != 0 {
				return 0, overflow().At(fmt.Sprintf("key %q", clip(g.Key())))
			}
			acc = s
		case FoldMin:
			acc = min(acc, v)
		case FoldMax:
			acc = max(acc, v)
		}
	}
	return acc, nil
}

func overflow() *core.Error {
	return core.Errorf(core.Failed, "a sum leaves the range of 64-bit integers").Do("set with: {type: float64}")
}

// spills are the runs of one task in scratch space.
type spills struct {
	dir  string // of the task's own
	runs []*shuffle.Index
}

func (s *spills) name() string { return filepath.Join(s.dir, fmt.Sprintf("run-%05d.x", len(s.runs))) }

func (s *spills) add(x *shuffle.Index) { s.runs = append(s.runs, x) }

// open opens partition p of every run.
func (s *spills) open(ctx context.Context, p int) ([]run, error) {
	source := &shuffle.Source{Local: []string{s.dir}}
	var runs []run
	for _, x := range s.runs {
		r, err := source.Open(ctx, x, p)
		if err != nil {
			return nil, errors.Join(err, closeRuns(runs))
		}
		runs = append(runs, r)
	}
	return runs, nil
}

func closeRuns(runs []run) error {
	var errs []error
	for _, r := range runs {
		errs = append(errs, r.Close())
	}
	return errors.Join(errs...)
}

func (s *spills) remove() {
	for _, x := range s.runs {
		_ = os.Remove(filepath.Join(s.dir, x.Name)) // scratch space goes with the executor
	}
	s.runs = nil
}
