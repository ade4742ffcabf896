package graph

import (
	"bufio"
	"errors"
	"io"
	"math"
	"os"

	"github.com/capstan-run/capstan/frameworks/bsp/graph/span"
)

// bucket is the edges of neighbouring rows, in a file while the CSR is built.
// The file is runs of edges: how many, their rows, targets and weights.
type bucket struct {
	rows    Range
	file    *os.File
	row     []uint32 // buffered
	target  []uint32
	weight  []float64
	edges   int // in the file
	longest int // edges in a run
}

const (
	bucketRun  = 8 << 10 // edges buffered for each bucket
	maxBuckets = 1 << 10
)

// openBuckets cuts the rows into buckets of which each fits into a part of
// memory.
func (b *builder) openBuckets(total uint64, memory int64) error {
	most := uint64(max(memory/(4*b.width()), 64<<10)) // edges in a bucket
	most = max(most, total/maxBuckets)
	var err error
	b.of = part(b.offsets, most, math.MaxInt, func(r Range) {
		k := &bucket{rows: r}
		if err == nil {
			k.file, err = span.Scratch(b.scratch)
		}
		b.buckets = append(b.buckets, k)
	})
	if err != nil {
		b.close()
	}
	return err
}

func (b *builder) addToBuckets(rows, targets []uint32, weights []float64) error {
	for i, row := range rows {
		k := b.buckets[b.of.find(row)]
		k.row, k.target = append(k.row, row), append(k.target, targets[i])
		if b.weighted {
			k.weight = append(k.weight, weights[i])
		}
		if len(k.row) == bucketRun {
			if err := k.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (k *bucket) flush() error {
	k.longest = max(k.longest, len(k.row))
	k.edges += len(k.row)
	for _, part := range [][]byte{span.Bytes([]uint32{uint32(len(k.row))}), span.Bytes(k.row), span.Bytes(k.target), span.Bytes(k.weight)} {
		if _, err := k.file.Write(part); err != nil {
			return err
		}
	}
	k.row, k.target, k.weight = k.row[:0], k.target[:0], k.weight[:0]
	return nil
}

func (b *builder) closeBuckets() {
	for _, k := range b.buckets {
		k.close()
	}
}

func (k *bucket) close() {
	if k.file != nil {
		_ = k.file.Close()
		k.file = nil
	}
}

// finishBuckets puts one bucket after the other in order.
func (b *builder) finishBuckets() (*CSR, *region, error) {
	defer b.closeBuckets()
	targets, err := span.NewWriter[uint32](b.scratch)
	if err != nil {
		return nil, nil, err
	}
	var weights *span.Writer[float64]
	if b.weighted {
		if weights, err = span.NewWriter[float64](b.scratch); err != nil {
			_ = targets.Close()
			return nil, nil, err
		}
	}
	for _, k := range b.buckets {
		if err == nil {
			err = b.order(k, targets, weights)
		}
		k.close()
	}
	if err != nil {
		_ = targets.Close()
		if weights != nil {
			_ = weights.Close()
		}
		return nil, nil, err
	}
	return b.mapped(targets, weights)
}

func (b *builder) mapped(targets *span.Writer[uint32], weights *span.Writer[float64]) (*CSR, *region, error) {
	r := &region{}
	r.own(b.index, false)
	c := &CSR{Offsets: b.offsets}
	t, err := targets.Span()
	if err == nil {
		c.Targets = t.Data
		r.own(t, t.Mapped())
	}
	if weights != nil {
		w, e := weights.Span()
		if e == nil {
			c.Weights = w.Data
			r.own(w, w.Mapped())
		} else if err == nil {
			err = e
		}
	}
	if err != nil {
		_ = r.close()
		return nil, nil, err
	}
	return c, r, nil
}

// order reads a bucket, puts its edges into rows and appends those to the files.
func (b *builder) order(k *bucket, targets *span.Writer[uint32], weights *span.Writer[float64]) error {
	if err := k.flush(); err != nil {
		return err
	}
	p := plan{degrees: make([]uint32, k.rows.Len()), limit: b.limit, weighted: b.weighted, memory: math.MaxInt64, cores: b.cores}
	for v := range p.degrees {
		p.degrees[v] = uint32(b.offsets[k.rows.First+v+1] - b.offsets[k.rows.First+v])
	}
	part, err := newBuilder(p)
	if err != nil {
		return err
	}
	c, r, err := k.build(part)
	if err != nil {
		part.close()
		return err
	}
	err = targets.Write(c.Targets)
	if err == nil && weights != nil {
		err = weights.Write(c.Weights)
	}
	return errors.Join(err, r.close())
}

// build makes the bucket's rows.
func (k *bucket) build(part *builder) (*CSR, *region, error) {
	if _, err := k.file.Seek(0, io.SeekStart); err != nil {
		return nil, nil, err
	}
	if err := k.read(part.weighted, func(row, target []uint32, weight []float64) error {
		for i := range row {
			row[i] -= uint32(k.rows.First)
		}
		return part.add(row, target, weight)
	}); err != nil {
		return nil, nil, err
	}
	return part.finish()
}

// read calls f with each run. f owns the slices until it returns.
func (k *bucket) read(weighted bool, f func(row, target []uint32, weight []float64) error) error {
	in := bufio.NewReaderSize(k.file, 1<<20)
	head := make([]uint32, 1)
	rows, targets := make([]uint32, k.longest), make([]uint32, k.longest)
	var weights []float64
	if weighted {
		weights = make([]float64, k.longest)
	}
	for {
		if err := span.ReadFull(in, head); err != nil {
			if err == io.EOF {
				return nil
			}
			return err
		}
		n := head[0]
		w := weights[:min(int(n), len(weights))]
		if err := span.ReadFull(in, rows[:n]); err != nil {
			return err
		}
		if err := span.ReadFull(in, targets[:n]); err != nil {
			return err
		}
		if err := span.ReadFull(in, w); err != nil {
			return err
		}
		if err := f(rows[:n], targets[:n], w); err != nil {
			return err
		}
	}
}
