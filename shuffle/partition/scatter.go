package partition

import (
	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/capstan-run/capstan/shuffle/block"
)

// Scatter moves row i of rec into the record of partition ids[i], for each of
// p partitions. len(ids) is the record's row count and every id is in [0, p).
// The result has p entries; one without rows is nil. The caller owns the
// records, which share one allocation from mem: it is freed when the last of
// them is released. Dictionaries are rec's own values, each once.
//
// Any type that an exchange carries is scattered; another is an error. It is
// [Group] for one record, for those who want records.
func Scatter(mem memory.Allocator, rec arrow.Record, ids []int32, p int) ([]arrow.Record, error) {
	g, err := NewGroup(rec.Schema(), p)
	if err != nil {
		return nil, err
	}
	defer g.Close()
	if err := g.Add(rec, ids); err != nil {
		return nil, err
	}
	plan := g.Plan()
	at, end := make([]int64, p), int64(0)
	for k, n := range plan.Bodies {
		at[k] = end
		end += n
	}
	image := memory.NewBufferWithAllocator(mem.Allocate(int(end)), mem)
	defer image.Release()
	g.Scatter(image.Bytes(), plan, at, make([]uint64, p))
	return g.records(image, plan, at)
}

// records makes the records of the partitions over image.
func (g *Group) records(image *memory.Buffer, plan *Plan, at []int64) ([]arrow.Record, error) {
	dicts := g.Dictionaries()
	defer func() {
		for _, d := range dicts {
			d.Release()
		}
	}()
	dec := block.OverDictionaries(g.schema, image, dicts)
	defer dec.Release()
	recs := make([]arrow.Record, g.parts)
	for k := range recs {
		b := plan.Batches[k]
		if b.Rows == 0 {
			continue
		}
		b.Buffers = append([]block.Extent(nil), b.Buffers...)
		for i := range b.Buffers {
			b.Buffers[i].Offset += at[k]
		}
		var err error
		if recs[k], err = dec.Decode(&b); err != nil {
			for _, r := range recs[:k] {
				if r != nil {
					r.Release()
				}
			}
			return nil, err
		}
	}
	return recs, nil
}

// offsetsOf returns n+1 offsets of d from off on.
func offsetsOf[T int32 | int64](d arrow.ArrayData, off, n int) []T {
	if n == 0 {
		return make([]T, 1) // an empty array may have no offsets at all
	}
	return block.Cast[T](block.Bytes(d, 1))[off : off+n+1]
}
