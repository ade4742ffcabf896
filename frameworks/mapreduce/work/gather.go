package work

import (
	"context"
	"errors"
	"io"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/capstan-run/capstan/frameworks/mapreduce/task"
	"github.com/capstan-run/capstan/shuffle/partition"
)

// newGatherer makes the collector of a reduce task that folds or sorts what it
// reads.
func (t *try) newGatherer(ctx context.Context) (*Collector, error) {
	if t.plan.scatters {
		kinds := t.plan.exchange
		return &Collector{
			kinds: kinds, order: t.plan.order, part: &Partitioner{parts: 1}, budget: t.budget,
			spills: spills{dir: t.state.dir}, batch: newPairs(kinds.Value),
			refs: &refStore{kind: kinds.Value, order: t.plan.order},
		}, nil
	}
	c, err := t.newCollector(ctx)
	if err != nil {
		return nil, err
	}
	c.part = &Partitioner{parts: 1}
	c.tally.partition(c.part)
	return c, nil
}

// gatherSources reads the task's partition of every source, one after the other,
// into c. Runs that c spilled have earlier pairs than those after them, which
// keeps the order of equal keys (law W2).
func (t *try) gatherSources(ctx context.Context, c *Collector, done *task.Done) error {
	todo, err := t.sources(ctx, done)
	if err != nil {
		return err
	}
	var lost lostFiles
	rows := int64(0)
	for _, open := range todo {
		r, err := open()
		if lost.add(err) {
			continue // look at the others all the same, so that one failure names them all
		}
		if err != nil {
			return err
		}
		if lost.first == nil {
			err = c.gather(r, func(n int64) {
				rows += n
				t.report(readBytes(done, rows), rows)
			})
		}
		if err := errors.Join(err, r.Close(), ctx.Err()); err != nil {
			return err
		}
	}
	if lost.first != nil {
		return lost
	}
	return nil
}

// gather takes the pairs of r. report is told of rows, a batch at a time.
func (c *Collector) gather(r run, report func(rows int64)) error {
	at := cursor{kind: c.kinds.Value}
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			if p, ok := r.(partitionRun); ok && c.refs != nil {
				p.Random() // from here on in the order of keys
			}
			return nil
		}
		if err != nil {
			return err
		}
		at.rec = rec
		if err := at.columns(); err != nil {
			return err
		}
		n := int(rec.NumRows())
		if c.refs != nil {
			heap, mapped := heapOf(r, rec)
			err = c.take(&at, heap, mapped)
		} else {
			err = c.foldBatch(&at, n)
		}
		if err != nil {
			return err
		}
		report(int64(n))
	}
}

// heapOf is how many bytes of this process's memory rec of r takes, and of a
// mapped file.
func heapOf(r run, rec arrow.Record) (heap, mapped int) {
	size := int(partition.RecordSize(rec))
	if p, ok := r.(partitionRun); ok && p.Mapped() {
		return 0, size
	}
	return size, 0
}

// relieveEvery is how many rows are folded between two looks at the memory.
const relieveEvery = 1 << 10

func (c *Collector) foldBatch(at *cursor, n int) error {
	for i := range n {
		v := int64(1)
		if c.kinds.Value.whole() {
			v = at.ints[i]
		}
		c.tally.put(at.data[at.offsets[i]:at.offsets[i+1]], v)
		if i%relieveEvery == 0 {
			if err := c.relieve(); err != nil {
				return err
			}
		}
	}
	return c.relieve()
}

// runs is what the collector holds, as sorted runs of its one partition, which
// live as long as it does.
func (c *Collector) runs(ctx context.Context) ([]run, error) {
	if len(c.spills.runs) > 0 {
		if err := c.spill(); err != nil {
			return nil, err
		}
		return c.spills.open(ctx, 0)
	}
	s := c.store()
	sorted, _ := c.sorter.sort(s.items(c.order, c.part), 1, s.arrange, s.compare(c.order))
	if err := c.overflowed(); err != nil {
		return nil, err
	}
	return []run{&storeRun{store: s, todo: sorted, batch: c.batch}}, nil
}
