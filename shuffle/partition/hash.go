package partition

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/bitutil"
	"github.com/apache/arrow/go/v15/arrow/float16"
	"github.com/zeebo/xxh3"

	"github.com/capstan-run/capstan/shuffle/block"
)

// NullHash is the hash of a null.
const NullHash = 0x9e3779b97f4a7c15

// HashBytes returns the hash of a key.
func HashBytes(key []byte) uint64 { return xxh3.Hash(key) }

// HashString returns the hash of a key.
func HashString(key string) uint64 { return xxh3.HashString(key) }

// Of returns the partition, of p, that hash h belongs to. It uses h's high
// bits: a hash table inside one partition should use the low ones.
func Of(h uint64, p int) int {
	hi, _ := bits.Mul64(h, uint64(p))
	return int(hi)
}

// HashColumns fills hashes[i] with the hash of row i's key, the values of
// columns. len(hashes) is the record's row count. A column that cannot be a
// key, or is not there, is an error.
func HashColumns(rec arrow.Record, columns []int, hashes []uint64) error {
	if err := checkColumns(rec, columns); err != nil {
		return err
	}
	return hashRows(rec, columns, 0, hashes, make([]uint64, scratchOf(columns, len(hashes))))
}

func checkColumns(rec arrow.Record, columns []int) error {
	if len(columns) == 0 {
		return fmt.Errorf("hash of no columns: name at least one key column")
	}
	for _, c := range columns {
		if c < 0 || c >= int(rec.NumCols()) {
			return fmt.Errorf("key column %d of a record with %d columns", c, rec.NumCols())
		}
	}
	return nil
}

// scratchOf is how many hashes of further columns hashRows needs room for.
func scratchOf(columns []int, n int) int {
	if len(columns) > 1 {
		return n
	}
	return 0
}

// hashRows hashes the rows from row at on, as many as hashes has. scratch is as
// long where there are several columns.
func hashRows(rec arrow.Record, columns []int, at int, hashes, scratch []uint64) error {
	for k, c := range columns {
		out := hashes
		if k > 0 {
			out = scratch[:len(hashes)]
		}
		if err := hashColumn(rec.Column(c).Data(), at, out); err != nil {
			return fmt.Errorf("key column %q: %w", rec.ColumnName(c), err)
		}
		if k > 0 {
			join(hashes, out)
		}
	}
	return nil
}

func join(hashes, next []uint64) {
	var b [16]byte
	for i, h := range next {
		binary.LittleEndian.PutUint64(b[:], hashes[i])
		binary.LittleEndian.PutUint64(b[8:], h)
		hashes[i] = xxh3.Hash(b[:])
	}
}

// hashColumn fills out with the hashes of d's values from element at on.
func hashColumn(d arrow.ArrayData, at int, out []uint64) error {
	if len(out) == 0 {
		return nil
	}
	dt := d.DataType()
	if x, ok := dt.(arrow.ExtensionType); ok {
		dt = x.StorageType()
	}
	l, err := block.LayoutOf(dt)
	if err != nil {
		return err
	}
	off, n := d.Offset()+at, len(out)
	switch l.Form {
	case block.FormNull:
		for i := range out {
			out[i] = NullHash
		}
		return nil
	case block.FormBits:
		hashBits(out, block.Bytes(d, 1), off)
	case block.FormBinary:
		hashBinary(out, block.Cast[int32](block.Bytes(d, 1))[off:], block.Bytes(d, 2))
	case block.FormLarge:
		hashBinary(out, block.Cast[int64](block.Bytes(d, 1))[off:], block.Bytes(d, 2))
	case block.FormFixed:
		hashFixed(out, dt, block.Bytes(d, 1)[off*l.Width:][:n*l.Width], l.Width)
	case block.FormDictionary:
		if err := hashEntries(out, d, off); err != nil {
			return err
		}
	default:
		return fmt.Errorf("type %s cannot be a key", dt)
	}
	maskNulls(out, block.Bytes(d, 0), off)
	return nil
}

// hashEntries gives every element the hash of the entry that it names: a
// dictionary's values meet plain ones.
func hashEntries(out []uint64, d arrow.ArrayData, off int) error {
	dict := d.Dictionary()
	entries := make([]uint64, dict.Len())
	if err := hashColumn(dict, 0, entries); err != nil {
		return err
	}
	valid := block.Bytes(d, 0)
	index := block.Indices(d)
	for i := range out {
		k := off + i
		if len(valid) > 0 && valid[k>>3]>>(k&7)&1 == 0 {
			continue
		}
		out[i] = entries[index(k)]
	}
	return nil
}

func maskNulls(out []uint64, valid []byte, off int) {
	if len(valid) == 0 || bitutil.CountSetBits(valid, off, len(out)) == len(out) {
		return
	}
	for i := range out {
		if k := off + i; valid[k>>3]>>(k&7)&1 == 0 {
			out[i] = NullHash
		}
	}
}

func hashBits(out []uint64, src []byte, off int) {
	h := [2]uint64{xxh3.Hash([]byte{0}), xxh3.Hash([]byte{1})}
	for i := range out {
		k := off + i
		out[i] = h[src[k>>3]>>(k&7)&1]
	}
}

func hashBinary[T int32 | int64](out []uint64, offs []T, data []byte) {
	offs = offs[:len(out)+1]
	for i := range out {
		key := data[offs[i]:offs[i+1]]
		if n := len(key); n > 8 && n <= 16 {
			out[i] = hash16(binary.LittleEndian.Uint64(key), binary.LittleEndian.Uint64(key[n-8:]), n)
			continue
		}
		out[i] = xxh3.Hash(key)
	}
}

// hash16 is XXH3-64 of a key of n bytes, 9 to 16, that begins with the word lo
// and ends with the word hi: it costs less than the call that would choose it.
// The constants are words 3 to 6 of XXH3's secret, by twos.
func hash16(lo, hi uint64, n int) uint64 {
	lo ^= 0x1f67b3b7a4a44072 ^ 0x78e5c0cc4ee679cb
	hi ^= 0x2172ffcc7dd05a82 ^ 0x8e2443f7744608b8
	top, bottom := bits.Mul64(lo, hi)
	h := uint64(n) + bits.ReverseBytes64(lo) + hi + (top ^ bottom)
	h ^= h >> 37
	h *= 0x165667919e3779f9
	return h ^ h>>32
}

func hashFixed(out []uint64, dt arrow.DataType, src []byte, width int) {
	switch dt.ID() {
	case arrow.INT8:
		hashInts(out, block.Cast[int8](src))
	case arrow.INT16:
		hashInts(out, block.Cast[int16](src))
	case arrow.INT32, arrow.DATE32, arrow.TIME32:
		hashInts(out, block.Cast[int32](src))
	case arrow.UINT8:
		hashInts(out, src)
	case arrow.UINT16:
		hashInts(out, block.Cast[uint16](src))
	case arrow.UINT32:
		hashInts(out, block.Cast[uint32](src))
	case arrow.INT64, arrow.UINT64, arrow.DATE64, arrow.TIME64, arrow.TIMESTAMP, arrow.DURATION:
		hashInts(out, block.Cast[uint64](src))
	case arrow.FLOAT16:
		for i, v := range block.Cast[uint16](src) {
			out[i] = hashFloat(float64(float16.FromBits(v).Float32()))
		}
	case arrow.FLOAT32:
		for i, v := range block.Cast[float32](src) {
			out[i] = hashFloat(float64(v))
		}
	case arrow.FLOAT64:
		for i, v := range block.Cast[float64](src) {
			out[i] = hashFloat(v)
		}
	default:
		for i := range out {
			out[i] = xxh3.Hash(src[i*width : (i+1)*width])
		}
	}
}

func hashInts[T int8 | uint8 | int16 | uint16 | int32 | uint32 | uint64](out []uint64, src []T) {
	var b [8]byte
	for i, v := range src[:len(out)] {
		binary.LittleEndian.PutUint64(b[:], uint64(v))
		out[i] = xxh3.Hash(b[:])
	}
}

const canonicalNaN = 0x7ff8000000000000

func hashFloat(v float64) uint64 {
	u := math.Float64bits(v)
	switch {
	case v == 0:
		u = 0
	case v != v:
		u = canonicalNaN
	}
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], u)
	return xxh3.Hash(b[:])
}
