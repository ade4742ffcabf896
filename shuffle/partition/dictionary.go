package partition

import (
	"encoding/binary"
	"math"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/shuffle/block"
)

// Dictionary collects the values that the dictionaries of records hold, each
// once. It only grows: an index once given stays what it is, so that batches
// written before and after agree.
type Dictionary struct {
	t      *arrow.DictionaryType
	values block.Layout
	limit  int // entries the index type can name
	codes  map[string]int32
	null   int32 // the code of the null entry, -1 for none
	ends   []int64
	bytes  []byte
	last   arrow.ArrayData // the dictionary merged last, retained,
	remap  []int32         // and what its indices became
}

// NewDictionary returns an empty dictionary of type t, which must be one of a
// schema that passes [block.CheckSchema].
func NewDictionary(t *arrow.DictionaryType) *Dictionary {
	l, err := block.LayoutOf(t.ValueType)
	if err != nil {
		panic("partition: a dictionary of an unchecked schema: " + err.Error())
	}
	bits := t.IndexType.(arrow.FixedWidthDataType).BitWidth()
	if arrow.IsSignedInteger(t.IndexType.ID()) {
		bits--
	}
	limit := math.MaxInt32
	if bits < 31 {
		limit = 1 << bits
	}
	return &Dictionary{t: t, values: l, limit: limit, codes: map[string]int32{}, null: -1}
}

// merge is Add for the dictionary of one record after the other, which is often
// the same.
func (x *Dictionary) merge(d arrow.ArrayData) ([]int32, error) {
	if x.last != nil && x.last == d {
		return x.remap, nil
	}
	remap, err := x.Add(d)
	if err != nil {
		return nil, err
	}
	x.forget()
	d.Retain()
	x.last, x.remap = d, remap
	return remap, nil
}

// Add adds the entries of d, and returns the index that each has here; nil
// where that is its own. More entries than the type's indices can name are an
// error, after which x is of no use. d is not retained.
func (x *Dictionary) Add(d arrow.ArrayData) ([]int32, error) {
	remap, same := make([]int32, d.Len()), true
	for i := range remap {
		code, err := x.code(d, d.Offset()+i)
		if err != nil {
			return nil, err
		}
		remap[i] = code
		same = same && code == int32(i)
	}
	if same {
		remap = nil
	}
	return remap, nil
}

func (x *Dictionary) forget() {
	if x.last != nil {
		x.last.Release()
		x.last = nil
	}
}

// code returns the code of d's entry at position k of its buffers.
func (x *Dictionary) code(d arrow.ArrayData, k int) (int32, error) {
	if valid := block.Bytes(d, 0); len(valid) > 0 && valid[k>>3]>>(k&7)&1 == 0 {
		if x.null < 0 {
			if err := x.room(); err != nil {
				return 0, err
			}
			x.null = int32(len(x.ends))
			if x.values.Form == block.FormFixed {
				x.bytes = append(x.bytes, make([]byte, x.values.Width)...)
			}
			x.ends = append(x.ends, int64(len(x.bytes)))
		}
		return x.null, nil
	}
	v := x.entry(d, k)
	if code, ok := x.codes[string(v)]; ok {
		return code, nil
	}
	if err := x.room(); err != nil {
		return 0, err
	}
	code := int32(len(x.ends))
	x.codes[string(v)] = code
	x.bytes = append(x.bytes, v...)
	x.ends = append(x.ends, int64(len(x.bytes)))
	return code, nil
}

func (x *Dictionary) room() error {
	if len(x.ends) == x.limit || x.values.Form == block.FormBinary && len(x.bytes) > math.MaxInt32/2 {
		return core.Errorf(core.Failed, "the dictionaries of a column hold more than the %d values that indices of type %s can name",
			len(x.ends), x.t.IndexType).Do("use a wider index type, or decode the column before it is exchanged")
	}
	return nil
}

func (x *Dictionary) entry(d arrow.ArrayData, k int) []byte {
	switch x.values.Form {
	case block.FormFixed:
		return block.Bytes(d, 1)[k*x.values.Width:][:x.values.Width]
	case block.FormLarge:
		o := block.Cast[int64](block.Bytes(d, 1))[k : k+2]
		return block.Bytes(d, 2)[o[0]:o[1]]
	}
	o := block.Cast[int32](block.Bytes(d, 1))[k : k+2]
	return block.Bytes(d, 2)[o[0]:o[1]]
}

// Data returns all values so far. The caller releases it.
func (x *Dictionary) Data() arrow.ArrayData {
	// A copy, since more may be added while it lives.
	return x.data(x.ends, append([]byte{}, x.bytes...), x.null)
}

// Select returns the values of the given entries, in that order. The caller
// releases it.
func (x *Dictionary) Select(entries []int32) arrow.ArrayData {
	ends, null, size := make([]int64, len(entries)), int32(-1), int64(0)
	for i, k := range entries {
		size += x.ends[k] - x.start(k)
		ends[i] = size
		if k == x.null {
			null = int32(i)
		}
	}
	bytes := make([]byte, 0, size)
	for _, k := range entries {
		bytes = append(bytes, x.bytes[x.start(k):x.ends[k]]...)
	}
	return x.data(ends, bytes, null)
}

// start is where the bytes of entry k begin.
func (x *Dictionary) start(k int32) int64 {
	if k == 0 {
		return 0
	}
	return x.ends[k-1]
}

// data is the array of values that end where ends has them in bytes. That at
// null, if it is one, is null.
func (x *Dictionary) data(ends []int64, bytes []byte, null int32) arrow.ArrayData {
	n, nulls := len(ends), 0
	var valid *memory.Buffer
	if null >= 0 {
		bits := make([]byte, (n+7)/8)
		for i := range n {
			if i != int(null) {
				bits[i>>3] |= 1 << (i & 7)
			}
		}
		valid, nulls = memory.NewBufferBytes(bits), 1
	}
	bufs := []*memory.Buffer{valid, memory.NewBufferBytes(bytes)}
	if x.values.Form != block.FormFixed {
		bufs = []*memory.Buffer{valid, memory.NewBufferBytes(x.offsets(ends)), bufs[1]}
	}
	return array.NewData(x.t.ValueType, n, bufs, nil, nulls, 0)
}

func (x *Dictionary) offsets(ends []int64) []byte {
	if len(ends) == 0 {
		return []byte{}
	}
	if x.values.Form == block.FormLarge {
		out := make([]byte, 8, 8*(len(ends)+1))
		for _, e := range ends {
			out = binary.LittleEndian.AppendUint64(out, uint64(e))
		}
		return out
	}
	out := make([]byte, 4, 4*(len(ends)+1))
	for _, e := range ends {
		out = binary.LittleEndian.AppendUint32(out, uint32(e))
	}
	return out
}
