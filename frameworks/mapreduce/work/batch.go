package work

import (
	"unsafe"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

// Most rows and bytes of a batch written to the exchange.
const (
	batchRows  = 1 << 16
	batchBytes = 4 << 20
)

// pairSchema is the exchange's schema of pairs whose values are of kind k: key
// binary, then value binary, int64 or float64, or no value.
func pairSchema(k Kind) *arrow.Schema {
	columns := []arrow.Field{{Name: "key", Type: arrow.BinaryTypes.Binary}}
	switch {
	case k.bytes():
		columns = append(columns, arrow.Field{Name: "value", Type: arrow.BinaryTypes.Binary})
	case k.whole():
		columns = append(columns, arrow.Field{Name: "value", Type: arrow.PrimitiveTypes.Int64})
	case k == Float64:
		columns = append(columns, arrow.Field{Name: "value", Type: arrow.PrimitiveTypes.Float64})
	}
	return arrow.NewSchema(columns, nil)
}

// byteColumn builds a binary array without an Arrow builder: two appends a row.
type byteColumn struct {
	offsets []int32
	data    []byte
}

func (c *byteColumn) add(b []byte) {
	c.data = append(c.data, b...)
	c.offsets = append(c.offsets, int32(len(c.data)))
}

func (c *byteColumn) reset() {
	c.offsets = append(c.offsets[:0], 0)
	c.data = c.data[:0]
}

// arrayOf shares the column's memory.
func (c *byteColumn) array(t arrow.DataType) arrow.Array {
	d := array.NewData(t, len(c.offsets)-1,
		[]*memory.Buffer{nil, memory.NewBufferBytes(rawBytes(c.offsets)), memory.NewBufferBytes(c.data)}, nil, 0, 0)
	defer d.Release()
	return array.MakeFromData(d)
}

func numArray[T int64 | uint64 | float64](t arrow.DataType, values []T) arrow.Array {
	d := array.NewData(t, len(values), []*memory.Buffer{nil, memory.NewBufferBytes(rawBytes(values))}, nil, 0, 0)
	defer d.Release()
	return array.MakeFromData(d)
}

// rawBytes is the memory of a slice of fixed-width values.
func rawBytes[T int32 | int64 | uint64 | float64](s []T) []byte {
	if len(s) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&s[0])), len(s)*int(unsafe.Sizeof(s[0])))
}

// pairs collects pairs into batches of the exchange's schema.
type pairs struct {
	schema *arrow.Schema
	kind   Kind
	keys   byteColumn
	values byteColumn
	ints   []int64
	floats []float64
}

func newPairs(k Kind) *pairs {
	p := &pairs{schema: pairSchema(k), kind: k}
	p.reset()
	return p
}

// another is empty pairs of the same kind and with as much room.
func (p *pairs) another() *pairs {
	n := &pairs{schema: p.schema, kind: p.kind, keys: p.keys.another(), values: p.values.another()}
	if cap(p.ints) > 0 {
		n.ints = make([]int64, 0, cap(p.ints))
	}
	if cap(p.floats) > 0 {
		n.floats = make([]float64, 0, cap(p.floats))
	}
	return n
}

func (c *byteColumn) another() byteColumn {
	n := byteColumn{offsets: make([]int32, 0, cap(c.offsets)), data: make([]byte, 0, cap(c.data))}
	n.reset()
	return n
}

func (p *pairs) rows() int { return len(p.keys.offsets) - 1 }

func (p *pairs) full() bool {
	return p.rows() >= batchRows || len(p.keys.data)+len(p.values.data) >= batchBytes
}

func (p *pairs) reset() {
	p.keys.reset()
	p.values.reset()
	p.ints, p.floats = p.ints[:0], p.floats[:0]
}

// record shares the batch's memory: it is valid until reset.
func (p *pairs) record() arrow.Record {
	columns := []arrow.Array{p.keys.array(arrow.BinaryTypes.Binary)}
	switch {
	case p.kind.bytes():
		columns = append(columns, p.values.array(arrow.BinaryTypes.Binary))
	case p.kind.whole():
		columns = append(columns, numArray(arrow.PrimitiveTypes.Int64, p.ints))
	case p.kind == Float64:
		columns = append(columns, numArray(arrow.PrimitiveTypes.Float64, p.floats))
	}
	rec := array.NewRecord(p.schema, columns, int64(p.rows()))
	for _, c := range columns {
		c.Release()
	}
	return rec
}
