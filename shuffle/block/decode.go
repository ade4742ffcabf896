package block

import (
	"fmt"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/bitutil"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

// Decode returns the record batch that b describes, its arrays lying over the
// bytes of buf, which hold a whole partition from an address that is a multiple
// of 8. The record retains buf until it is released. The caller owns the
// record.
//
// Neither b nor the bytes are trusted (laws B1 and B2): what does not fit is
// [ErrMalformed]. schema must pass [CheckSchema].
func Decode(schema *arrow.Schema, buf *memory.Buffer, b *Batch) (arrow.Record, error) {
	if b.Rows < 0 || b.Rows > MaxRows {
		return nil, fmt.Errorf("%w: %d rows", ErrMalformed, b.Rows)
	}
	d := decoder{buf: buf, batch: b}
	cols := make([]arrow.Array, 0, schema.NumFields())
	defer func() {
		for _, c := range cols {
			c.Release()
		}
	}()
	for _, f := range schema.Fields() {
		data, err := d.array(f.Type)
		if err == nil && int64(data.Len()) != b.Rows {
			err = fmt.Errorf("%w: %d values for %d rows", ErrMalformed, data.Len(), b.Rows)
			data.Release()
		}
		if err != nil {
			return nil, fmt.Errorf("column %q: %w", f.Name, err)
		}
		cols = append(cols, array.MakeFromData(data))
		data.Release()
	}
	if d.nextArray != len(b.Lengths) || d.nextBuffer != len(b.Buffers) {
		return nil, fmt.Errorf("%w: %d arrays and %d buffers, schema has %d and %d",
			ErrMalformed, len(b.Lengths), len(b.Buffers), d.nextArray, d.nextBuffer)
	}
	return array.NewRecord(schema, cols, b.Rows), nil
}

// decoder walks a batch's arrays and buffers in depth-first order.
type decoder struct {
	buf        *memory.Buffer
	batch      *Batch
	nextArray  int
	nextBuffer int
}

// array decodes the next array and its children. The caller owns the result.
func (d *decoder) array(dt arrow.DataType) (arrow.ArrayData, error) {
	l, err := LayoutOf(dt)
	if err != nil {
		return nil, err
	}
	n, nulls, err := d.node()
	if err != nil {
		return nil, err
	}
	p := parts{}
	defer p.release()
	if err := d.fill(&p, l, n, nulls); err != nil {
		return nil, fmt.Errorf("%s: %w", dt, err)
	}
	return array.NewData(dt, n, p.buffers, p.children, nulls, 0), nil
}

// parts are what an array is made of, owned until release.
type parts struct {
	buffers  []*memory.Buffer
	children []arrow.ArrayData
}

func (p *parts) release() {
	for _, b := range p.buffers {
		if b != nil {
			b.Release()
		}
	}
	for _, c := range p.children {
		c.Release()
	}
}

func (d *decoder) node() (n, nulls int, err error) {
	i := d.nextArray
	if i >= len(d.batch.Lengths) || i >= len(d.batch.Nulls) {
		return 0, 0, fmt.Errorf("%w: %d arrays, schema has more", ErrMalformed, i)
	}
	d.nextArray++
	rows, null := d.batch.Lengths[i], d.batch.Nulls[i]
	if rows < 0 || rows > MaxRows || null < 0 || null > rows {
		return 0, 0, fmt.Errorf("%w: %d elements with %d nulls", ErrMalformed, rows, null)
	}
	return int(rows), int(null), nil
}

// fill takes an array's buffers and children and checks them against each other.
func (d *decoder) fill(p *parts, l Layout, n, nulls int) error {
	if l.Form == FormNull {
		p.buffers = []*memory.Buffer{nil}
		if nulls != n {
			return fmt.Errorf("%w: %d nulls among %d", ErrMalformed, nulls, n)
		}
		return nil
	}
	if err := d.validity(p, n, nulls); err != nil {
		return err
	}
	switch l.Form {
	case FormBits:
		return d.take(p, bitutil.BytesForBits(int64(n)))
	case FormFixed:
		return d.take(p, int64(n)*int64(l.Width))
	case FormBinary, FormLarge:
		end, err := d.offsets(p, l, n)
		if err != nil {
			return err
		}
		return d.take(p, end)
	case FormList, FormLargeList:
		end, err := d.offsets(p, l, n)
		if err != nil {
			return err
		}
		return d.child(p, l.Children[0].Type, end)
	case FormFixedList:
		return d.child(p, l.Children[0].Type, int64(n)*int64(l.Width))
	}
	for _, f := range l.Children { // FormStruct
		if err := d.child(p, f.Type, int64(n)); err != nil {
			return err
		}
	}
	return nil
}

// child takes a child array, which must have at least need elements.
func (d *decoder) child(p *parts, dt arrow.DataType, need int64) error {
	c, err := d.array(dt)
	if err != nil {
		return err
	}
	p.children = append(p.children, c)
	if int64(c.Len()) < need {
		return fmt.Errorf("%w: child has %d elements, parent needs %d", ErrMalformed, c.Len(), need)
	}
	return nil
}

// validity takes the validity bitmap, which is missing where nothing is null.
func (d *decoder) validity(p *parts, n, nulls int) error {
	buf, err := d.slice()
	if err != nil {
		return err
	}
	if buf == nil {
		p.buffers = append(p.buffers, nil)
		if nulls != 0 {
			return fmt.Errorf("%w: %d nulls without a bitmap", ErrMalformed, nulls)
		}
		return nil
	}
	p.buffers = append(p.buffers, buf)
	if int64(buf.Len()) < bitutil.BytesForBits(int64(n)) {
		return fmt.Errorf("%w: bitmap of %d bytes for %d elements", ErrMalformed, buf.Len(), n)
	}
	if have := n - bitutil.CountSetBits(buf.Bytes(), 0, n); have != nulls {
		return fmt.Errorf("%w: bitmap has %d nulls, batch says %d", ErrMalformed, have, nulls)
	}
	return nil
}

// take takes a buffer of at least need bytes.
func (d *decoder) take(p *parts, need int64) error {
	buf, err := d.slice()
	if err != nil {
		return err
	}
	if buf == nil {
		// Not nil inside, or the empty values of a binary array would be nil too.
		buf = memory.NewBufferBytes([]byte{})
	}
	p.buffers = append(p.buffers, buf)
	if int64(buf.Len()) < need {
		return fmt.Errorf("%w: buffer of %d bytes, array needs %d", ErrMalformed, buf.Len(), need)
	}
	return nil
}

// offsets takes n+1 ascending offsets and returns the last, 0 for n = 0.
func (d *decoder) offsets(p *parts, l Layout, n int) (int64, error) {
	if n == 0 {
		return 0, d.take(p, 0)
	}
	width := int64(4)
	if l.Form == FormLarge || l.Form == FormLargeList {
		width = 8
	}
	if err := d.take(p, int64(n+1)*width); err != nil {
		return 0, err
	}
	raw := p.buffers[len(p.buffers)-1].Bytes()
	if width == 4 {
		return ascending(Cast[int32](raw)[:n+1])
	}
	return ascending(Cast[int64](raw)[:n+1])
}

// ascending checks that 0 ≤ o[0] ≤ o[1] ≤ … and returns the last.
func ascending[T int32 | int64](o []T) (int64, error) {
	last := o[0]
	bad := last // negative once any step or the first offset is
	for _, v := range o[1:] {
		bad |= (v - last) | v // v too: the step from a negative one may overflow
		last = v
	}
	if bad < 0 {
		return 0, fmt.Errorf("%w: offsets do not ascend from 0", ErrMalformed)
	}
	return int64(last), nil
}

// slice takes the next buffer, nil for a missing one. The caller owns it.
func (d *decoder) slice() (*memory.Buffer, error) {
	if d.nextBuffer >= len(d.batch.Buffers) {
		return nil, fmt.Errorf("%w: %d buffers, schema has more", ErrMalformed, d.nextBuffer)
	}
	x := d.batch.Buffers[d.nextBuffer]
	d.nextBuffer++
	if x.Length == 0 {
		return nil, nil
	}
	size := int64(d.buf.Len())
	if x.Offset < 0 || x.Length < 0 || x.Offset > size || x.Length > size-x.Offset || x.Offset%Alignment != 0 {
		return nil, fmt.Errorf("%w: buffer at %d of %d bytes in a partition of %d", ErrMalformed, x.Offset, x.Length, size)
	}
	return memory.SliceBuffer(d.buf, int(x.Offset), int(x.Length)), nil
}
