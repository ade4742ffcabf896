package block

import (
	"encoding/binary"
	"math/bits"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/bitutil"
	"github.com/zeebo/xxh3"
)

// The row hash folds 64-bit values with the multiply-and-fold step of wyhash
// (Wang Yi, public domain):
//
//	fold(a, b) = hi ⊕ lo of the 128-bit product (a ⊕ k0) × (b ⊕ k1)
//	row        = fold(… fold(fold(seed, v₀), v₁) …, number of columns)
//
// where vᵢ is the value of column i:
//
//	null                nullHash
//	bool                0 or 1
//	fixed, ≤ 8 bytes    the bytes as a little-endian number
//	other bytes         up to 16: fold of two words; above: xxh3-64
//	list                fold over its elements, then its length
//	struct              fold over its fields
const (
	hashK0     = 0xa0761d6478bd642f
	hashK1     = 0xe7037ed1a0b428db
	hashSeed   = 0x8ebc6af09c88c6e3
	nullHash   = 0x589965cc75374cc3
	chunkRows  = 1024 // so that a chunk's hashes stay in the first-level cache
	lengthSalt = 0x1d8e4e27c47d124f
)

func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a^hashK0, b^hashK1)
	return hi ^ lo
}

// RowHash returns the wrapping sum of the hashes of rec's rows (law B4). The
// schema must pass [CheckSchema]; the record must be well-formed.
func RowHash(rec arrow.Record) uint64 {
	var h RowHasher
	return h.Sum(rec)
}

// RowHasher holds the scratch of row hashing, so that a writer allocates once.
// The zero value is ready. It is not safe for concurrent use.
type RowHasher struct {
	acc  [chunkRows]uint64
	free [][]uint64
}

// Sum is [RowHash].
func (h *RowHasher) Sum(rec arrow.Record) uint64 {
	total, rows := uint64(0), int(rec.NumRows())
	for at := 0; at < rows; at += chunkRows {
		acc := h.acc[:min(chunkRows, rows-at)]
		for i := range acc {
			acc[i] = hashSeed
		}
		for _, col := range rec.Columns() {
			d := col.Data()
			h.foldInto(acc, d, d.Offset()+at)
		}
		for _, v := range acc {
			total += fold(v, uint64(rec.NumCols()))
		}
	}
	return total
}

// foldInto folds the values of len(acc) elements of d from off on into acc.
func (h *RowHasher) foldInto(acc []uint64, d arrow.ArrayData, off int) {
	val := h.take(len(acc))
	h.values(val, d, off)
	for i, v := range val {
		acc[i] = fold(acc[i], v)
	}
	h.free = append(h.free, val)
}

// take returns a slice of n, reused from a stack as deep as the types nest.
func (h *RowHasher) take(n int) []uint64 {
	if k := len(h.free); k > 0 {
		s := h.free[k-1]
		h.free = h.free[:k-1]
		if cap(s) >= n {
			return s[:n]
		}
	}
	return make([]uint64, n, max(n, chunkRows))
}

// values fills dst with the values of d's elements from off on.
func (h *RowHasher) values(dst []uint64, d arrow.ArrayData, off int) {
	if len(dst) == 0 {
		return // an empty array may have no offsets
	}
	l, err := LayoutOf(d.DataType())
	if err != nil {
		panic("block: row hash of an unchecked schema: " + err.Error())
	}
	switch l.Form {
	case FormNull:
		for i := range dst {
			dst[i] = nullHash
		}
		return
	case FormBits:
		src := Bytes(d, 1)
		for i := range dst {
			k := off + i
			dst[i] = uint64(src[k>>3]>>(k&7)) & 1
		}
	case FormFixed:
		fixedValues(dst, Bytes(d, 1), off, l.Width)
	case FormBinary:
		binaryValues(dst, Cast[int32](Bytes(d, 1))[off:], Bytes(d, 2))
	case FormLarge:
		binaryValues(dst, Cast[int64](Bytes(d, 1))[off:], Bytes(d, 2))
	case FormList:
		listValues(h, dst, Cast[int32](Bytes(d, 1))[off:], d.Children()[0])
	case FormLargeList:
		listValues(h, dst, Cast[int64](Bytes(d, 1))[off:], d.Children()[0])
	case FormFixedList:
		h.fixedListValues(dst, d.Children()[0], off, l.Width)
	case FormStruct:
		for i := range dst {
			dst[i] = hashSeed
		}
		for _, c := range d.Children() {
			h.foldInto(dst, c, c.Offset()+off)
		}
	}
	maskNulls(dst, Bytes(d, 0), off)
}

func maskNulls(dst []uint64, valid []byte, off int) {
	if len(valid) == 0 || bitutil.CountSetBits(valid, off, len(dst)) == len(dst) {
		return
	}
	for i := range dst {
		if k := off + i; valid[k>>3]>>(k&7)&1 == 0 {
			dst[i] = nullHash
		}
	}
}

func fixedValues(dst []uint64, src []byte, off, width int) {
	switch width {
	case 1:
		copyValues(dst, src[off:])
	case 2:
		copyValues(dst, Cast[uint16](src)[off:])
	case 4:
		copyValues(dst, Cast[uint32](src)[off:])
	case 8:
		copy(dst, Cast[uint64](src)[off:])
	default:
		for i := range dst {
			k := (off + i) * width
			dst[i] = bytesHash(src[k : k+width])
		}
	}
}

func copyValues[T uint8 | uint16 | uint32](dst []uint64, src []T) {
	src = src[:len(dst)]
	for i, v := range src {
		dst[i] = uint64(v)
	}
}

func binaryValues[T int32 | int64](dst []uint64, offs []T, data []byte) {
	offs = offs[:len(dst)+1]
	lo := int(offs[0])
	for i := range dst {
		hi := int(offs[i+1])
		if n := hi - lo; n <= 16 && lo+16 <= len(data) {
			// Reading on into the next value spares a branch per length, which
			// on words of mixed length costs more than the hash itself.
			w := data[lo : lo+16]
			dst[i] = shortHash(binary.LittleEndian.Uint64(w), binary.LittleEndian.Uint64(w[8:]), n)
		} else {
			dst[i] = bytesHash(data[lo:hi])
		}
		lo = hi
	}
}

// bytesHash is xxh3-64 above 16 bytes, and shortHash of the bytes, with zeros
// after them, up to there.
func bytesHash(b []byte) uint64 {
	if len(b) > 16 {
		return xxh3.Hash(b)
	}
	var w [16]byte
	copy(w[:], b)
	return shortHash(binary.LittleEndian.Uint64(w[:]), binary.LittleEndian.Uint64(w[8:]), len(b))
}

// shortHash hashes the first n ≤ 16 bytes of the words a and b.
func shortHash(a, b uint64, n int) uint64 {
	m := &shortMasks[n&31]
	return fold(a&m[0]^uint64(n)*lengthSalt, b&m[1])
}

// shortMasks[n] keeps the first n bytes of two words. Beyond 16 it is never
// used, and 32 entries spare the bounds check.
var shortMasks = func() (m [32][2]uint64) {
	for n := range 17 {
		m[n] = [2]uint64{1<<(8*min(n, 8)) - 1, 1<<(8*max(n-8, 0)) - 1}
	}
	return m
}()

func listValues[T int32 | int64](h *RowHasher, dst []uint64, offs []T, child arrow.ArrayData) {
	offs = offs[:len(dst)+1]
	lo, hi := int(offs[0]), int(offs[len(dst)])
	elems := h.take(hi - lo)
	h.values(elems, child, child.Offset()+lo)
	for i := range dst {
		dst[i] = foldList(elems[int(offs[i])-lo : int(offs[i+1])-lo])
	}
	h.free = append(h.free, elems)
}

func (h *RowHasher) fixedListValues(dst []uint64, child arrow.ArrayData, off, width int) {
	elems := h.take(len(dst) * width)
	h.values(elems, child, child.Offset()+off*width)
	for i := range dst {
		dst[i] = foldList(elems[i*width : (i+1)*width])
	}
	h.free = append(h.free, elems)
}

func foldList(elems []uint64) uint64 {
	v := uint64(lengthSalt)
	for _, e := range elems {
		v = fold(v, e)
	}
	return fold(v, uint64(len(elems)))
}
