package block

import (
	"encoding/binary"
	"math/bits"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/bitutil"
	"github.com/zeebo/xxh3"
)

// The row hash, version 2, folds 64-bit values with the multiply-and-fold step
// of wyhash (Wang Yi, public domain), and long values as XXH3 does (Yann
// Collet, BSD-2): as a sum of products that do not wait for each other.
//
//	mul(a, b)  = hi ⊕ lo of the 128-bit product a × b
//	fold(a, b) = mul(a ⊕ k0, b ⊕ k1)
//	row        = fold(… fold(fold(seed, v₀), v₁) …)
//
// where vᵢ is the value of column i:
//
//	null                nullHash
//	bool                0 or 1
//	fixed, ≤ 8 bytes    the bytes as a little-endian number
//	other bytes, n ≤ 16 fold of the two words, zeros after the last byte, with
//	                    n × lengthSalt xored into the first
//	16 < n ≤ 256        n × lengthSalt, plus mul(w₂ₖ ⊕ s₂ₖ, w₂ₖ₊₁ ⊕ s₂ₖ₊₁) of
//	                    each whole block k of 16 bytes that does not reach the
//	                    end, plus that of the last 16 bytes with s₃₀ and s₃₁
//	longer              XXH3-64, seed 0
//	dictionary          that of the value it stands for
//	list                fold over its elements from lengthSalt, then its length
//	struct              fold over its fields from seed
//
// A version 1 row had one more step, fold(row, number of columns), and XXH3-64
// of every value above 16 bytes: hashes of different versions do not compare.
const (
	hashK0     = 0xa0761d6478bd642f
	hashK1     = 0xe7037ed1a0b428db
	hashSeed   = 0x8ebc6af09c88c6e3
	nullHash   = 0x589965cc75374cc3
	lengthSalt = 0x1d8e4e27c47d124f

	// ChunkRows is the most rows that RowHasher.Rows takes at a time: their
	// hashes stay in the first-level cache.
	ChunkRows = 1024

	shortest, longest = 16, 256 // of the values hashed as a sum of products
)

// secrets are the pairs s₀, s₁ to s₃₀, s₃₁: the golden ratio's multiples, mixed.
var secrets = func() (s [16][2]uint64) {
	for i := range 32 {
		s[i/2][i%2] = fold(uint64(i+1)*0x9e3779b97f4a7c15, hashSeed)
	}
	return s
}()

func mul(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

func fold(a, b uint64) uint64 { return mul(a^hashK0, b^hashK1) }

// RowHash returns the wrapping sum of the hashes of rec's rows (law B4). The
// schema must pass [CheckSchema]; the record must be well-formed.
func RowHash(rec arrow.Record) uint64 {
	var h RowHasher
	return h.Sum(rec)
}

// RowHasher holds the scratch of row hashing, so that a writer allocates once.
// The zero value is ready. It is not safe for concurrent use.
type RowHasher struct {
	acc   [ChunkRows]uint64
	free  [][]uint64
	dicts []dictHashes
}

// dictHashes are the hashes of a dictionary's entries.
type dictHashes struct {
	of     arrow.ArrayData
	hashes []uint64
}

// maxDicts bounds how many dictionaries a hasher remembers.
const maxDicts = 64

// Sum is [RowHash].
func (h *RowHasher) Sum(rec arrow.Record) uint64 {
	total, rows := uint64(0), int(rec.NumRows())
	for at := 0; at < rows; at += ChunkRows {
		for _, v := range h.Rows(rec, at, min(ChunkRows, rows-at)) {
			total += v
		}
	}
	h.Forget()
	return total
}

// Rows returns the hashes of n ≤ ChunkRows rows of rec from row at on. They
// are valid until the next call. It may remember dictionaries of rec until
// [RowHasher.Forget].
func (h *RowHasher) Rows(rec arrow.Record, at, n int) []uint64 {
	acc := h.acc[:n]
	for i := range acc {
		acc[i] = hashSeed
	}
	for _, col := range rec.Columns() {
		d := col.Data()
		h.foldInto(acc, d, d.Offset()+at)
	}
	return acc
}

// Forget drops what the hasher remembers of dictionaries.
func (h *RowHasher) Forget() {
	for i := range h.dicts {
		h.give(h.dicts[i].hashes)
	}
	clear(h.dicts)
	h.dicts = h.dicts[:0]
}

// foldInto folds the values of len(acc) elements of d from off on into acc.
func (h *RowHasher) foldInto(acc []uint64, d arrow.ArrayData, off int) {
	if len(acc) == 0 || h.foldDirect(acc, d, off) {
		return
	}
	val := h.take(len(acc))
	h.values(val, d, off)
	for i, v := range val {
		acc[i] = fold(acc[i], v)
	}
	h.give(val)
}

// foldDirect folds columns of strings, without a pass in between.
func (h *RowHasher) foldDirect(acc []uint64, d arrow.ArrayData, off int) bool {
	l, err := LayoutOf(d.DataType())
	if err != nil || hasNulls(Bytes(d, 0), off, len(acc)) {
		return false
	}
	switch l.Form {
	case FormBinary:
		foldStrings(acc, Cast[int32](Bytes(d, 1))[off:], Bytes(d, 2))
	case FormLarge:
		foldBinary(acc, Cast[int64](Bytes(d, 1))[off:], Bytes(d, 2))
	default:
		return false
	}
	return true
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
	return make([]uint64, n, max(n, ChunkRows))
}

func (h *RowHasher) give(s []uint64) { h.free = append(h.free, s) }

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
	case FormDictionary:
		h.dictionaryValues(dst, d, off, l)
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

func hasNulls(valid []byte, off, n int) bool {
	return len(valid) > 0 && bitutil.CountSetBits(valid, off, n) != n
}

func maskNulls(dst []uint64, valid []byte, off int) {
	if !hasNulls(valid, off, len(dst)) {
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
		if n := hi - lo; n <= shortest && lo+16 <= len(data) {
			dst[i] = wordHash(data[lo:lo+16], n)
		} else {
			dst[i] = bytesHash(data[lo:hi])
		}
		lo = hi
	}
}

// foldBinary is binaryValues, folded into acc.
func foldBinary[T int32 | int64](acc []uint64, offs []T, data []byte) {
	offs = offs[:len(acc)+1]
	lo := int(offs[0])
	for i := range acc {
		hi := int(offs[i+1])
		var v uint64
		if n := hi - lo; n <= shortest && lo+16 <= len(data) {
			v = wordHash(data[lo:lo+16], n)
		} else {
			v = bytesHash(data[lo:hi])
		}
		acc[i] = fold(acc[i], v)
		lo = hi
	}
}

// wordHash is bytesHash of the first n ≤ 16 bytes of w: reading on into the
// next value spares a branch per length, which on words of mixed length costs
// more than the hash itself.
func wordHash(w []byte, n int) uint64 {
	return shortHash(binary.LittleEndian.Uint64(w), binary.LittleEndian.Uint64(w[8:]), n)
}

func bytesHash(b []byte) uint64 {
	n := len(b)
	if n <= shortest {
		var w [16]byte
		copy(w[:], b)
		return wordHash(w[:], n)
	}
	if n > longest {
		return xxh3.Hash(b)
	}
	h := uint64(n) * lengthSalt
	last := b[n-16:]
	for k := 0; len(b) > 16; k++ {
		s := &secrets[k&15]
		h += mul(binary.LittleEndian.Uint64(b)^s[0], binary.LittleEndian.Uint64(b[8:])^s[1])
		b = b[16:]
	}
	s := &secrets[15]
	return h + mul(binary.LittleEndian.Uint64(last)^s[0], binary.LittleEndian.Uint64(last[8:])^s[1])
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

// dictionaryValues looks up the hashes of the entries that d's indices name.
func (h *RowHasher) dictionaryValues(dst []uint64, d arrow.ArrayData, off int, l Layout) {
	hashes := h.entries(d.Dictionary())
	valid := Bytes(d, 0)
	index := indexReader(Bytes(d, 1), l.Width)
	for i := range dst {
		// The index below a null may be anything.
		if k := off + i; len(valid) == 0 || valid[k>>3]>>(k&7)&1 == 1 {
			dst[i] = hashes[index(k)]
		}
	}
}

// entries returns the hashes of the entries of dict.
func (h *RowHasher) entries(dict arrow.ArrayData) []uint64 {
	for i := range h.dicts {
		if h.dicts[i].of == dict {
			return h.dicts[i].hashes
		}
	}
	hashes := h.take(dict.Len())
	h.values(hashes, dict, dict.Offset())
	if len(h.dicts) == maxDicts {
		h.Forget()
	}
	h.dicts = append(h.dicts, dictHashes{dict, hashes})
	return hashes
}

func listValues[T int32 | int64](h *RowHasher, dst []uint64, offs []T, child arrow.ArrayData) {
	offs = offs[:len(dst)+1]
	lo, hi := int(offs[0]), int(offs[len(dst)])
	elems := h.take(hi - lo)
	h.values(elems, child, child.Offset()+lo)
	for i := range dst {
		dst[i] = foldList(elems[int(offs[i])-lo : int(offs[i+1])-lo])
	}
	h.give(elems)
}

func (h *RowHasher) fixedListValues(dst []uint64, child arrow.ArrayData, off, width int) {
	elems := h.take(len(dst) * width)
	h.values(elems, child, child.Offset()+off*width)
	for i := range dst {
		dst[i] = foldList(elems[i*width : (i+1)*width])
	}
	h.give(elems)
}

func foldList(elems []uint64) uint64 {
	v := uint64(lengthSalt)
	for _, e := range elems {
		v = fold(v, e)
	}
	return fold(v, uint64(len(elems)))
}
