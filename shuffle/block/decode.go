package block

import (
	"fmt"
	"unsafe"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/bitutil"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

// Decode returns the record batch that b describes, of a partition without
// codec and dictionaries. See [Decoder.Decode].
func Decode(schema *arrow.Schema, buf *memory.Buffer, b *Batch) (arrow.Record, error) {
	d := Decoder{schema: schema, buf: buf}
	return d.Decode(b)
}

// Decoder decodes the batches of one partition. It is not safe for concurrent
// use.
type Decoder struct {
	schema *arrow.Schema
	buf    *memory.Buffer
	codec  Codec
	codecs *Codecs
	mem    memory.Allocator
	dicts  []arrow.ArrayData
}

// Packing says how a partition's batches are packed.
type Packing struct {
	Codec        Codec
	Codecs       *Codecs          // decoders; needed with a codec
	Memory       memory.Allocator // takes what is decompressed; needed with a codec
	Dictionaries []Batch          // where the dictionaries lie, in the order of their IDs
}

// NewDecoder returns a decoder of the partition whose bytes are buf, from an
// address that is a multiple of 8. It retains buf until Release. schema must
// pass [CheckSchema].
func NewDecoder(schema *arrow.Schema, buf *memory.Buffer, p Packing) (*Decoder, error) {
	types := Dictionaries(schema)
	if len(types) != len(p.Dictionaries) {
		return nil, fmt.Errorf("%w: %d dictionaries, schema has %d", ErrMalformed, len(p.Dictionaries), len(types))
	}
	buf.Retain()
	d := &Decoder{schema: schema, buf: buf, codec: p.Codec, codecs: p.Codecs, mem: p.Memory}
	for i, t := range types {
		values, err := d.dictionary(t, &p.Dictionaries[i])
		if err != nil {
			d.Release()
			return nil, fmt.Errorf("dictionary %d: %w", i, err)
		}
		d.dicts = append(d.dicts, values)
	}
	return d, nil
}

// OverDictionaries returns a decoder of batches without codec that lie in buf,
// with dictionaries that do not. It retains both.
func OverDictionaries(schema *arrow.Schema, buf *memory.Buffer, dicts []arrow.ArrayData) *Decoder {
	buf.Retain()
	for _, d := range dicts {
		d.Retain()
	}
	return &Decoder{schema: schema, buf: buf, dicts: append([]arrow.ArrayData(nil), dicts...)}
}

// Dictionaries returns the dictionaries, in the order of [Dictionaries]. They
// are the decoder's, until Release.
func (d *Decoder) Dictionaries() []arrow.ArrayData { return d.dicts }

// Release gives up the decoder's hold on the partition's bytes. Records have
// their own.
func (d *Decoder) Release() {
	for _, v := range d.dicts {
		v.Release()
	}
	d.dicts = nil
	d.buf.Release()
}

func (d *Decoder) dictionary(t *arrow.DictionaryType, b *Batch) (arrow.ArrayData, error) {
	w := walker{buf: d.buf, batch: b}
	values, err := w.array(t.ValueType)
	if err != nil {
		return nil, err
	}
	if err := w.end(); err != nil {
		values.Release()
		return nil, err
	}
	return values, nil
}

// Decode returns the record batch that b describes, its arrays lying over the
// partition's bytes, or over memory of its own where b is compressed. The
// record retains what it lies over until it is released. The caller owns the
// record.
//
// Neither b nor the bytes are trusted (laws B1 and B2): what does not fit is
// [ErrMalformed].
func (d *Decoder) Decode(b *Batch) (arrow.Record, error) {
	if b.Rows < 0 || b.Rows > MaxRows {
		return nil, fmt.Errorf("%w: %d rows", ErrMalformed, b.Rows)
	}
	w := walker{buf: d.buf, batch: b, dicts: d.dicts}
	if b.Raw != 0 {
		var err error
		if w.inflated, err = d.inflate(b); err != nil {
			return nil, err
		}
		defer w.inflated.release()
	}
	rec := newRecord(d.schema, b.Rows)
	for i := range d.schema.NumFields() {
		f := d.schema.Field(i) // Fields would copy them all
		data, err := w.array(f.Type)
		if err == nil && int64(data.Len()) != b.Rows {
			err = fmt.Errorf("%w: %d values for %d rows", ErrMalformed, data.Len(), b.Rows)
			data.Release()
		}
		if err != nil {
			rec.Release()
			return nil, fmt.Errorf("column %q: %w", f.Name, err)
		}
		rec.cols = append(rec.cols, array.MakeFromData(data))
		data.Release()
	}
	if err := w.end(); err != nil {
		rec.Release()
		return nil, err
	}
	return rec, nil
}

// walker walks a batch's arrays and buffers in depth-first order.
type walker struct {
	buf        *memory.Buffer
	batch      *Batch
	inflated   inflated
	dicts      []arrow.ArrayData
	nextArray  int
	nextBuffer int
	nextDict   int
}

// end refuses a batch with more than its schema has.
func (d *walker) end() error {
	if d.nextArray != len(d.batch.Lengths) || d.nextBuffer != len(d.batch.Buffers) {
		return fmt.Errorf("%w: %d arrays and %d buffers, schema has %d and %d",
			ErrMalformed, len(d.batch.Lengths), len(d.batch.Buffers), d.nextArray, d.nextBuffer)
	}
	return nil
}

// array decodes the next array and its children. The caller owns the result.
func (d *walker) array(dt arrow.DataType) (arrow.ArrayData, error) {
	l, err := LayoutOf(dt)
	if err != nil {
		return nil, err
	}
	n, nulls, err := d.node()
	if err != nil {
		return nil, err
	}
	p := parts{buffers: make([]*memory.Buffer, 0, max(l.Buffers(), 1))}
	defer p.release()
	if err := d.fill(&p, dt, l, n, nulls); err != nil {
		return nil, fmt.Errorf("%s: %w", dt, err)
	}
	if p.dict != nil {
		return array.NewDataWithDictionary(dt, n, p.buffers, nulls, 0, p.dict), nil
	}
	return array.NewData(dt, n, p.buffers, p.children, nulls, 0), nil
}

// parts are what an array is made of, owned until release.
type parts struct {
	buffers  []*memory.Buffer
	children []arrow.ArrayData
	dict     *array.Data // not owned
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

func (d *walker) node() (n, nulls int, err error) {
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
func (d *walker) fill(p *parts, dt arrow.DataType, l Layout, n, nulls int) error {
	if l.Form == FormNull {
		p.buffers = append(p.buffers, nil)
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
	case FormDictionary:
		return d.indices(p, dictionaryType(dt), l, n)
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

// indices takes the indices of a dictionary array and its dictionary.
func (d *walker) indices(p *parts, t *arrow.DictionaryType, l Layout, n int) error {
	if err := d.take(p, int64(n)*int64(l.Width)); err != nil {
		return err
	}
	if d.nextDict == len(d.dicts) {
		return fmt.Errorf("%w: %d dictionaries, schema has more", ErrMalformed, d.nextDict)
	}
	dict := d.dicts[d.nextDict].(*array.Data)
	d.nextDict++
	p.dict = dict
	var valid []byte
	if p.buffers[0] != nil {
		valid = p.buffers[0].Bytes()
	}
	return checkIndices(t, p.buffers[1].Bytes(), valid, n, dict.Len())
}

// child takes a child array, which must have at least need elements.
func (d *walker) child(p *parts, dt arrow.DataType, need int64) error {
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
func (d *walker) validity(p *parts, n, nulls int) error {
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
func (d *walker) take(p *parts, need int64) error {
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
func (d *walker) offsets(p *parts, l Layout, n int) (int64, error) {
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
	const some = 1024
	last := o[0]
	bad := last // negative once any step or the first offset is
	for rest := o[1:]; len(rest) > 0; {
		next := rest[:min(some, len(rest))]
		rest = rest[len(next):]
		bad |= touch(next)
		for _, v := range next {
			bad |= (v - last) | v // v too: the step from a negative one may overflow
			last = v
		}
	}
	if bad < 0 {
		return 0, fmt.Errorf("%w: offsets do not ascend from 0", ErrMalformed)
	}
	return int64(last), nil
}

// touch reads a value of every cache line of o, none of which waits for
// another: where they are not in the cache, they come together.
func touch[T int32 | int64](o []T) T {
	t := T(0)
	for i := 0; i < len(o); i += Alignment / int(unsafe.Sizeof(t)) {
		t |= o[i]
	}
	return t
}

// slice takes the next buffer, nil for a missing one. The caller owns it.
func (d *walker) slice() (*memory.Buffer, error) {
	i := d.nextBuffer
	if i >= len(d.batch.Buffers) {
		return nil, fmt.Errorf("%w: %d buffers, schema has more", ErrMalformed, i)
	}
	d.nextBuffer++
	if d.inflated != nil {
		b := d.inflated[i]
		if b != nil {
			b.Retain()
		}
		return b, nil
	}
	x := d.batch.Buffers[i]
	if x.Length == 0 {
		return nil, nil
	}
	if err := checkExtent(x, int64(d.buf.Len())); err != nil {
		return nil, err
	}
	return memory.SliceBuffer(d.buf, int(x.Offset), int(x.Length)), nil
}

// checkExtent refuses what does not lie, aligned, in a partition of size bytes.
func checkExtent(x Extent, size int64) error {
	if x.Offset < 0 || x.Length < 0 || x.Offset > size || x.Length > size-x.Offset || x.Offset%Alignment != 0 {
		return fmt.Errorf("%w: buffer at %d of %d bytes in a partition of %d", ErrMalformed, x.Offset, x.Length, size)
	}
	return nil
}
