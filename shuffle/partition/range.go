package partition

import (
	"bytes"
	"fmt"
	"sort"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/capstan-run/capstan/shuffle/block"
)

// Range partitions by ascending bounds of one key column: partition i holds the
// keys k with bounds[i-1] ≤ k < bounds[i]. Nulls come first, NaN last. It may
// be used from any goroutine.
type Range struct {
	column int
	dt     arrow.DataType
	bounds bounds
}

// bounds finds the partitions of d's elements.
type bounds interface {
	find(d arrow.ArrayData, ids []int32)
}

// NewRange returns a partitioner into bounds.Len()+1 partitions. bounds has the
// column's type, ascends, holds no null, and is not retained. Keys are
// integers, dates, times, timestamps, durations, floats, strings or binary.
func NewRange(column int, bounds arrow.Array) (*Range, error) {
	if bounds.NullN() > 0 {
		return nil, fmt.Errorf("range bounds hold a null")
	}
	r := &Range{column: column, dt: bounds.DataType()}
	d := bounds.Data()
	var sorted bool
	switch r.dt.ID() {
	case arrow.INT8:
		r.bounds, sorted = newFixed[int8](d)
	case arrow.INT16:
		r.bounds, sorted = newFixed[int16](d)
	case arrow.INT32, arrow.DATE32, arrow.TIME32:
		r.bounds, sorted = newFixed[int32](d)
	case arrow.INT64, arrow.DATE64, arrow.TIME64, arrow.TIMESTAMP, arrow.DURATION:
		r.bounds, sorted = newFixed[int64](d)
	case arrow.UINT8:
		r.bounds, sorted = newFixed[uint8](d)
	case arrow.UINT16:
		r.bounds, sorted = newFixed[uint16](d)
	case arrow.UINT32:
		r.bounds, sorted = newFixed[uint32](d)
	case arrow.UINT64:
		r.bounds, sorted = newFixed[uint64](d)
	case arrow.FLOAT32:
		r.bounds, sorted = newFixed[float32](d)
	case arrow.FLOAT64:
		r.bounds, sorted = newFixed[float64](d)
	case arrow.STRING, arrow.BINARY:
		r.bounds, sorted = newBinary[int32](d)
	case arrow.LARGE_STRING, arrow.LARGE_BINARY:
		r.bounds, sorted = newBinary[int64](d)
	default:
		return nil, fmt.Errorf("type %s cannot be a range key", r.dt)
	}
	if !sorted {
		return nil, fmt.Errorf("range bounds do not ascend")
	}
	return r, nil
}

// RangeOfBytes is [NewRange] for a binary or string column.
func RangeOfBytes(column int, dt arrow.DataType, bounds [][]byte) (*Range, error) {
	var sorted bool
	r := &Range{column: column, dt: dt}
	keys := make([][]byte, len(bounds))
	for i, b := range bounds {
		keys[i] = bytes.Clone(b)
	}
	sorted = sort.SliceIsSorted(keys, func(i, j int) bool { return bytes.Compare(keys[i], keys[j]) < 0 })
	switch dt.ID() {
	case arrow.STRING, arrow.BINARY:
		r.bounds = binaryBounds[int32](keys)
	case arrow.LARGE_STRING, arrow.LARGE_BINARY:
		r.bounds = binaryBounds[int64](keys)
	default:
		return nil, fmt.Errorf("type %s is not binary", dt)
	}
	if !sorted {
		return nil, fmt.Errorf("range bounds do not ascend")
	}
	return r, nil
}

func (r *Range) Partition(rec arrow.Record, ids []int32) error {
	if r.column < 0 || r.column >= int(rec.NumCols()) {
		return fmt.Errorf("key column %d of a record with %d columns", r.column, rec.NumCols())
	}
	col := rec.Column(r.column)
	if !arrow.TypeEqual(col.DataType(), r.dt) {
		return fmt.Errorf("key column %q has type %s, the range bounds have %s", rec.ColumnName(r.column), col.DataType(), r.dt)
	}
	if len(ids) == 0 {
		return nil
	}
	d := col.Data()
	r.bounds.find(d, ids)
	if col.NullN() > 0 { // counts where a slice does not know
		for i := range ids {
			if col.IsNull(i) {
				ids[i] = 0
			}
		}
	}
	return nil
}

// SearchBytes returns the partition of key among ascending bounds: the number
// of bounds that are not above it.
func SearchBytes(bounds [][]byte, key []byte) int {
	return sort.Search(len(bounds), func(i int) bool { return bytes.Compare(bounds[i], key) > 0 })
}

type fixed interface {
	int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64 | float32 | float64
}

type fixedBounds[T fixed] []T

func fixedOf[T fixed](d arrow.ArrayData) []T {
	if d.Len() == 0 {
		return nil
	}
	return block.Cast[T](block.Bytes(d, 1))[d.Offset():][:d.Len()]
}

func newFixed[T fixed](d arrow.ArrayData) (bounds, bool) {
	b := append(fixedBounds[T](nil), fixedOf[T](d)...)
	return b, sort.SliceIsSorted(b, func(i, j int) bool { return less(b[i], b[j]) })
}

// less orders numbers with NaN last, where cmp.Less has it first.
func less[T fixed](a, b T) bool {
	return a < b || b != b && a == a
}

func (b fixedBounds[T]) find(d arrow.ArrayData, ids []int32) {
	for i, v := range fixedOf[T](d) {
		lo, hi := 0, len(b)
		for lo < hi {
			if mid := int(uint(lo+hi) >> 1); less(v, b[mid]) {
				hi = mid
			} else {
				lo = mid + 1
			}
		}
		ids[i] = int32(lo)
	}
}

type binaryBounds[O int32 | int64] [][]byte

func newBinary[O int32 | int64](d arrow.ArrayData) (bounds, bool) {
	b := make(binaryBounds[O], d.Len())
	if d.Len() == 0 {
		return b, true
	}
	offs, data := block.Cast[O](block.Bytes(d, 1))[d.Offset():], block.Bytes(d, 2)
	for i := range b {
		b[i] = bytes.Clone(data[offs[i]:offs[i+1]])
	}
	return b, sort.SliceIsSorted(b, func(i, j int) bool { return bytes.Compare(b[i], b[j]) < 0 })
}

func (b binaryBounds[O]) find(d arrow.ArrayData, ids []int32) {
	offs, data := block.Cast[O](block.Bytes(d, 1))[d.Offset():], block.Bytes(d, 2)
	for i := range ids {
		ids[i] = int32(SearchBytes(b, data[offs[i]:offs[i+1]]))
	}
}
