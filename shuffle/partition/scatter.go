package partition

import (
	"fmt"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/capstan-run/capstan/shuffle/block"
)

// Scatter moves row i of rec into the record of partition ids[i], for each of
// p partitions. len(ids) is the record's row count and every id is in [0, p).
// The result has p entries; one without rows is nil. The caller owns the
// records, whose buffers come from mem and share one allocation per buffer of
// rec: it is freed when the last record that lies in it is released.
//
// Any type that an exchange carries is scattered; another is an error.
func Scatter(mem memory.Allocator, rec arrow.Record, ids []int32, p int) ([]arrow.Record, error) {
	if len(ids) != int(rec.NumRows()) {
		return nil, fmt.Errorf("scatter %d rows with %d partition numbers", rec.NumRows(), len(ids))
	}
	if err := block.CheckSchema(rec.Schema()); err != nil {
		return nil, err
	}
	counts := make([]int, p)
	for i, id := range ids {
		if uint(id) >= uint(p) {
			return nil, fmt.Errorf("scatter row %d into partition %d of %d", i, id, p)
		}
		counts[id]++
	}
	s := scatterer{mem: mem, parts: p}
	cols := make([][]arrow.ArrayData, rec.NumCols())
	for i, col := range rec.Columns() {
		d := col.Data()
		cols[i] = s.array(d, d.Offset(), ids, counts)
	}
	recs := make([]arrow.Record, p)
	for k, n := range counts {
		if n > 0 {
			recs[k] = record(rec.Schema(), cols, k, n)
		}
	}
	for _, parts := range cols {
		release(parts)
	}
	return recs, nil
}

// record makes partition k's record of n rows.
func record(schema *arrow.Schema, cols [][]arrow.ArrayData, k, n int) arrow.Record {
	arrs := make([]arrow.Array, len(cols))
	for i, parts := range cols {
		arrs[i] = array.MakeFromData(parts[k])
	}
	rec := array.NewRecord(schema, arrs, int64(n))
	for _, a := range arrs {
		a.Release()
	}
	return rec
}

func release(parts []arrow.ArrayData) {
	for _, d := range parts {
		if d != nil {
			d.Release()
		}
	}
}

// scatterer scatters arrays into a fixed number of partitions. In what follows
// ids has one number per element, counts how often each occurs, and a result
// one array per partition, nil where its count is 0.
type scatterer struct {
	mem   memory.Allocator
	parts int
}

// array scatters len(ids) elements of d from element off of its buffers on.
func (s *scatterer) array(d arrow.ArrayData, off int, ids []int32, counts []int) []arrow.ArrayData {
	dt := d.DataType()
	l, err := block.LayoutOf(dt)
	if err != nil {
		panic("partition: scatter of an unchecked schema: " + err.Error())
	}
	var bufs [][]*memory.Buffer // by buffer, then partition
	var children [][]arrow.ArrayData
	var nulls []int
	if l.Form == block.FormNull {
		bufs, nulls = [][]*memory.Buffer{make([]*memory.Buffer, s.parts)}, counts
	} else {
		var valid []*memory.Buffer
		valid, nulls = s.validity(d, off, ids, counts)
		bufs = append(bufs, valid)
	}
	switch l.Form {
	case block.FormBits:
		bufs = append(bufs, s.bits(block.Bytes(d, 1), off, ids, counts))
	case block.FormFixed:
		bufs = append(bufs, s.fixed(block.Bytes(d, 1), off, l.Width, ids, counts))
	case block.FormBinary:
		bufs = append(bufs, varlen[int32](s, d, off, ids, counts)...)
	case block.FormLarge:
		bufs = append(bufs, varlen[int64](s, d, off, ids, counts)...)
	case block.FormList:
		offs, child := list[int32](s, d, off, ids, counts)
		bufs, children = append(bufs, offs), append(children, child)
	case block.FormLargeList:
		offs, child := list[int64](s, d, off, ids, counts)
		bufs, children = append(bufs, offs), append(children, child)
	case block.FormFixedList:
		children = append(children, s.fixedList(d.Children()[0], off, l.Width, ids, counts))
	case block.FormStruct:
		for _, c := range d.Children() {
			children = append(children, s.array(c, c.Offset()+off, ids, counts))
		}
	}
	return assemble(dt, counts, nulls, bufs, children)
}

// assemble makes the arrays of the partitions, and takes over bufs and children.
func assemble(dt arrow.DataType, counts, nulls []int, bufs [][]*memory.Buffer, children [][]arrow.ArrayData) []arrow.ArrayData {
	out := make([]arrow.ArrayData, len(counts))
	for k, n := range counts {
		if n == 0 {
			continue
		}
		b := make([]*memory.Buffer, len(bufs))
		for i := range bufs {
			b[i] = bufs[i][k]
		}
		c := make([]arrow.ArrayData, len(children))
		for i := range children {
			if c[i] = children[i][k]; c[i] == nil {
				c[i] = empty(childType(dt, i))
			}
		}
		out[k] = array.NewData(dt, n, b, c, nulls[k], 0)
		for _, x := range b {
			if x != nil {
				x.Release()
			}
		}
		release(c)
	}
	return out
}

func childType(dt arrow.DataType, i int) arrow.DataType {
	l, _ := block.LayoutOf(dt)
	return l.Children[i].Type
}

// empty returns an array of no elements: the child of lists that are all empty.
func empty(dt arrow.DataType) arrow.ArrayData {
	l, _ := block.LayoutOf(dt)
	bufs := []*memory.Buffer{nil}
	for range l.Buffers() - 1 {
		bufs = append(bufs, memory.NewBufferBytes([]byte{}))
	}
	children := make([]arrow.ArrayData, len(l.Children))
	for i, f := range l.Children {
		children[i] = empty(f.Type)
	}
	defer release(children)
	return array.NewData(dt, 0, bufs, children, 0, 0)
}
