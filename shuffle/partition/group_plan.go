package partition

import (
	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/bitutil"

	"github.com/capstan-run/capstan/shuffle/block"
)

// slack is the room behind a buffer of values of any length: they are moved in
// steps of up to so many bytes, the last of which may reach beyond the end.
const slack = gatherStep

// Plan is where the rows of a group go.
type Plan struct {
	// Batches has one batch per partition; one without rows is zero. Extents
	// count from the start of the batch's body.
	Batches []block.Batch
	Bodies  []int64 // the length of each body, a multiple of block.Alignment
}

// Plan returns the places of all values gathered.
func (g *Group) Plan() *Plan {
	p := &Plan{Batches: make([]block.Batch, g.parts), Bodies: make([]int64, g.parts)}
	filled := 0
	for _, n := range g.rows {
		if n > 0 {
			filled++
		}
	}
	numbers := make([]int64, 2*filled*g.shape.Arrays)
	extents := make([]block.Extent, filled*g.shape.Buffers)
	for k, n := range g.rows {
		if n == 0 {
			continue
		}
		a, b := g.shape.Arrays, g.shape.Buffers
		batch := block.Batch{Rows: n, Lengths: numbers[:a:a], Nulls: numbers[a : 2*a : 2*a], Buffers: extents[:b:b]}
		numbers, extents = numbers[2*a:], extents[b:]
		p.Bodies[k] = g.place(&batch, k)
		p.Batches[k] = batch
	}
	return p
}

// place lays the buffers of partition k's batch out and returns the body's length.
func (g *Group) place(batch *block.Batch, k int) int64 {
	at := int64(0)
	for _, f := range g.fields {
		n := f.counts[k]
		batch.Lengths[f.array], batch.Nulls[f.array] = n, f.nullsOf(k)
		b := f.buffer
		put := func(length, room int64) {
			batch.Buffers[b] = block.Extent{Offset: at, Length: length}
			if length > 0 {
				at = block.Align(at + length + room)
			}
			b++
		}
		if f.layout.Form == block.FormNull {
			continue
		}
		if f.nullsOf(k) > 0 {
			put(bitutil.BytesForBits(n), 0)
		} else {
			put(0, 0)
		}
		switch f.layout.Form {
		case block.FormBits:
			put(bitutil.BytesForBits(n), 0)
		case block.FormFixed, block.FormDictionary:
			put(n*int64(f.layout.Width), f.slack())
		case block.FormBinary, block.FormLarge:
			put(f.offsetBytes(n), 0)
			put(f.ends[k], slack)
		case block.FormList, block.FormLargeList:
			put(f.offsetBytes(n), 0)
		}
	}
	return at
}

func (f *field) nullsOf(k int) int64 {
	switch {
	case f.layout.Form == block.FormNull:
		return f.counts[k]
	case f.nulls == nil:
		return 0
	}
	return f.nulls[k]
}

// slack is the room behind values of fixed width.
func (f *field) slack() int64 {
	switch f.layout.Width {
	case 1, 2, 4, 8, 16:
		return 0
	}
	return slack
}

// offsetBytes is the length of the offsets of n strings or lists.
func (f *field) offsetBytes(n int64) int64 {
	switch {
	case n == 0:
		return 0
	case f.layout.Form == block.FormLarge || f.layout.Form == block.FormLargeList:
		return 8 * (n + 1)
	}
	return 4 * (n + 1)
}

// RecordSize returns how many bytes rec's rows take, without what its buffers
// hold beyond them, and without dictionaries.
func RecordSize(rec arrow.Record) int64 {
	n := int64(0)
	for _, col := range rec.Columns() {
		d := col.Data()
		n += arraySize(d, d.Offset(), d.Len())
	}
	return n
}

func arraySize(d arrow.ArrayData, off, n int) int64 {
	l, err := block.LayoutOf(d.DataType())
	if err != nil || n == 0 {
		return 0
	}
	size := int64(0)
	if len(block.Bytes(d, 0)) > 0 {
		size += bitutil.BytesForBits(int64(n))
	}
	span := func(lo, hi, width int) {
		size += int64((n + 1) * width)
		if l.Form == block.FormBinary || l.Form == block.FormLarge {
			size += int64(hi - lo)
			return
		}
		c := d.Children()[0]
		size += arraySize(c, c.Offset()+lo, hi-lo)
	}
	switch l.Form {
	case block.FormBits:
		size += bitutil.BytesForBits(int64(n))
	case block.FormFixed, block.FormDictionary:
		size += int64(n * l.Width)
	case block.FormBinary, block.FormList:
		o := offsetsOf[int32](d, off, n)
		span(int(o[0]), int(o[n]), 4)
	case block.FormLarge, block.FormLargeList:
		o := offsetsOf[int64](d, off, n)
		span(int(o[0]), int(o[n]), 8)
	case block.FormFixedList:
		c := d.Children()[0]
		size += arraySize(c, c.Offset()+off*l.Width, n*l.Width)
	case block.FormStruct:
		for _, c := range d.Children() {
			size += arraySize(c, c.Offset()+off, n)
		}
	}
	return size
}
