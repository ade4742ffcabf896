package work

import (
	"context"
	"fmt"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"

	"github.com/capstan-run/capstan/shuffle"
	"github.com/capstan-run/capstan/shuffle/partition"
)

// scatter writes pairs to their partitions in the order they come in. Who reads
// them sorts (law W1).
type scatter struct {
	*shuffle.PartitionedWriter
	batch *pairs
}

func (t *try) newScatter(part *Partitioner) (*scatter, error) {
	batch := newPairs(t.plan.exchange.Value)
	at := t.exchangePlace()
	o := shuffle.PartitionedOptions{Budget: int64(max(t.budget, minScatter)), Scratch: t.state.dir, Memory: &t.images, WriterOptions: at.options}
	if at.options.Arena != nil {
		o.Durability = shuffle.DurableMemory
	}
	w, err := shuffle.NewPartitionedWriter(at.path, batch.schema, partition.Func(part.partition), part.parts, o)
	if err != nil {
		return nil, err
	}
	return &scatter{w, batch}, nil
}

// minScatter is the least memory in which scattering goes well: a batch of each
// kind.
const minScatter = 4 * batchBytes

// partition is Of for the keys of a record.
func (p *Partitioner) partition(rec arrow.Record, ids []int32) error {
	keys, ok := rec.Column(0).(*array.Binary)
	if !ok {
		return fmt.Errorf("keys of type %s, not binary", rec.Column(0).DataType())
	}
	offsets, data := keys.ValueOffsets(), contents(keys)
	for i := range ids {
		ids[i] = int32(p.Of(data[offsets[i]:offsets[i+1]]))
	}
	return nil
}

// full is called after each pair added to the batch.
func (s *scatter) full() error {
	if s.batch.full() {
		return s.flush()
	}
	return nil
}

// flush hands the batch on. The writer keeps its memory, so that the next pairs
// get other memory of that size.
func (s *scatter) flush() error {
	if s.batch.rows() == 0 {
		return nil
	}
	rec := s.batch.record()
	defer rec.Release()
	s.batch = s.batch.another()
	return s.Write(rec)
}

// records takes pairs as they lie in a record of the exchange's schema.
func (s *scatter) records(rec arrow.Record) error {
	if err := s.flush(); err != nil {
		return err
	}
	return s.Write(rec)
}

func (s *scatter) commit(ctx context.Context) (*shuffle.Index, error) {
	if err := s.flush(); err != nil {
		return nil, err
	}
	return s.Commit(ctx)
}
