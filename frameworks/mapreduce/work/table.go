package work

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
)

// Fold joins two accumulators of one key. Every Fold is associative and
// commutative over int64, so that it may run anywhere (law W3).
type Fold uint8

const (
	FoldSum Fold = iota + 1 // wraps are refused where the sum is read, see Table.Overflow
	FoldMin
	FoldMax
)

// Table maps keys to int64 accumulators: open addressing with linear probing
// over entries of 32 bytes. A key of up to 16 bytes lies in its entry, so that
// a hit touches one cache line; a longer one lies in an arena.
//
// A Table is not safe for concurrent use.
type Table struct {
	entries []entry
	shift   uint // hash >> shift is the home of a key
	len     int
	limit   int // grow when len reaches it
	seed    uint64
	arena   arena
	fold    Fold
	// overflow is the sticky sign of a sum that left int64.
	overflow bool
	touched  uint32
}

// entry is free when size is 0. lo and hi are the key's bytes, little endian
// and zero padded, if it is short; else its first eight bytes and its hash.
type entry struct {
	lo, hi uint64
	size   uint32 // length of the key + 1
	ref    uint32 // in the arena, if the key is long
	acc    int64
}

const (
	inlineKey  = 16
	entryBytes = 32
	firstTable = 1 << 13
)

// NewTable makes an empty table. Its hash is seeded afresh, so that no input
// can be made to collide.
func NewTable(fold Fold) *Table {
	t := &Table{fold: fold, seed: rand.Uint64()}
	t.resize(firstTable)
	return t
}

// Len is the number of keys.
func (t *Table) Len() int { return t.len }

// Bytes is the memory held.
func (t *Table) Bytes() int { return len(t.entries)*entryBytes + t.arena.bytes() }

// Reset empties the table and keeps its memory for the next use, unless it was
// hardly used: clearing it would cost more than growing it again.
func (t *Table) Reset() {
	switch {
	case t.len == 0:
	case t.len < len(t.entries)/32 && len(t.entries) > firstTable:
		t.entries = make([]entry, firstTable)
		t.shift = uint(64 - bits.TrailingZeros(firstTable))
		t.limit = firstTable / 2
	default:
		clear(t.entries)
	}
	t.len, t.overflow = 0, false
	t.arena.reset()
}

// Add folds v into key's accumulator. key is not retained.
func (t *Table) Add(key []byte, v int64) {
	var lo, hi uint64
	if len(key) <= inlineKey {
		lo, hi = inline(key)
		t.addShort(lo, hi, len(key), v)
		return
	}
	t.addLong(key, v)
}

// inline loads a key of at most 16 bytes into two words.
func inline(key []byte) (lo, hi uint64) {
	switch n := len(key); {
	case n > 8:
		lo = binary.LittleEndian.Uint64(key)
		hi = binary.LittleEndian.Uint64(key[n-8:]) >> (8 * uint(16-n))
	case n == 8:
		lo = binary.LittleEndian.Uint64(key)
	case n >= 4:
		lo = uint64(binary.LittleEndian.Uint32(key)) | uint64(binary.LittleEndian.Uint32(key[n-4:]))<<(8*uint(n-4))
	case n > 0:
		lo = uint64(key[0]) | uint64(key[n/2])<<(8*uint(n/2)) | uint64(key[n-1])<<(8*uint(n-1))
	}
	return lo, hi
}

const (
	mul1 = 0x9E3779B97F4A7C15
	mul2 = 0xD6E8FEB86659FD93
)

// mix is one folded multiplication, the step of wyhash.
func mix(a, b uint64) uint64 {
	h, l := bits.Mul64(a, b)
	return h ^ l
}

func (t *Table) hashShort(lo, hi uint64, n int) uint64 {
	return mix(lo^t.seed, hi^uint64(n)^mul1) * mul2
}

func (t *Table) hashLong(key []byte) uint64 {
	h := t.seed ^ uint64(len(key))
	for len(key) >= 8 {
		h = mix(h^binary.LittleEndian.Uint64(key), mul1)
		key = key[8:]
	}
	lo, _ := inline(key)
	return mix(h^lo, mul2) * mul1
}

// addShort folds v into the accumulator of the key held in lo and hi.
func (t *Table) addShort(lo, hi uint64, n int, v int64) {
	t.putShort(lo, hi, uint32(n), t.hashShort(lo, hi, n), v)
}

// putShort is addShort for a key whose hash is known.
func (t *Table) putShort(lo, hi uint64, n uint32, hash uint64, v int64) {
	mask := uint64(len(t.entries) - 1)
	for i := hash >> t.shift; ; i++ {
		e := &t.entries[i&mask]
		if e.lo == lo && e.hi == hi && e.size == n+1 {
			t.join(e, v)
			return
		}
		if e.size == 0 {
			*e = entry{lo: lo, hi: hi, size: n + 1, acc: v}
			t.grown()
			return
		}
	}
}

// insert returns key's accumulator, and whether it was there; else it is v now.
func (t *Table) insert(key []byte, v int64) (acc int64, found bool) {
	if e := t.find(key); e.size != 0 {
		return e.acc, true
	}
	t.Add(key, v)
	return v, false
}

// find returns key's entry, or the free one where it would lie.
func (t *Table) find(key []byte) *entry {
	var lo, hi, hash uint64
	long := len(key) > inlineKey
	if long {
		lo, hi = binary.LittleEndian.Uint64(key), t.hashLong(key)
		hash = hi
	} else {
		lo, hi = inline(key)
		hash = t.hashShort(lo, hi, len(key))
	}
	mask := uint64(len(t.entries) - 1)
	for i := hash >> t.shift; ; i++ {
		e := &t.entries[i&mask]
		if e.size == 0 || e.lo == lo && e.hi == hi && e.size == uint32(len(key))+1 &&
			(!long || string(t.arena.at(e.ref, len(key))) == string(key)) {
			return e
		}
	}
}

func (t *Table) addLong(key []byte, v int64) {
	t.putLong(key, binary.LittleEndian.Uint64(key), t.hashLong(key), v)
}

// putLong is addLong for a key whose first word and hash are known.
func (t *Table) putLong(key []byte, lo, hash uint64, v int64) {
	mask := uint64(len(t.entries) - 1)
	for i := hash >> t.shift; ; i++ {
		e := &t.entries[i&mask]
		if e.size == uint32(len(key))+1 && e.lo == lo && e.hi == hash &&
			string(t.arena.at(e.ref, len(key))) == string(key) {
			t.join(e, v)
			return
		}
		if e.size == 0 {
			*e = entry{lo: lo, hi: hash, size: uint32(len(key)) + 1, ref: t.arena.put(key), acc: v}
			t.grown()
			return
		}
	}
}

func (t *Table) join(e *entry, v int64) {
	switch t.fold {
	case FoldSum:
		s := e.acc + v
		if (s > e.acc) != (v > 0) && v != 0 {
			t.overflow = true
		}
		e.acc = s
	case FoldMin:
		e.acc = min(e.acc, v)
	case FoldMax:
		e.acc = max(e.acc, v)
	}
}

// Overflow reports whether a sum left the range of int64 since the last Reset.
func (t *Table) Overflow() bool { return t.overflow }

// tight reports whether taking in more keys might need memory past budget. An
// empty table never is.
func (t *Table) tight(more, budget int) bool {
	if t.len == 0 {
		return false
	}
	// Growing holds the old entries beside twice as many new ones.
	return t.len+more >= t.limit && 3*len(t.entries)*entryBytes+t.arena.bytes() > budget ||
		t.arena.bytes() > budget || t.arena.full()
}

func (t *Table) grown() {
	if t.len++; t.len >= t.limit {
		t.resize(2 * len(t.entries))
	}
}

func (t *Table) resize(n int) {
	old := t.entries
	t.entries = newEntries(n)
	t.shift = uint(64 - bits.TrailingZeros(uint(n)))
	// Half full at most: linear probing over cache lines of two entries then
	// needs 1.5 looks for a hit.
	t.limit = n / 2
	mask := uint64(n - 1)
	for k := range old {
		e := &old[k]
		if e.size == 0 {
			continue
		}
		h := e.hi
		if e.size <= inlineKey+1 {
			h = t.hashShort(e.lo, e.hi, int(e.size-1))
		}
		i := h >> t.shift
		for t.entries[i&mask].size != 0 {
			i++
		}
		t.entries[i&mask] = *e
	}
}

// key returns the key of a full entry. A short one is written to buf, whose
// contents it shares.
func (t *Table) key(e *entry, buf *[inlineKey]byte) []byte {
	n := int(e.size - 1)
	if n <= inlineKey {
		binary.LittleEndian.PutUint64(buf[:8], e.lo)
		binary.LittleEndian.PutUint64(buf[8:], e.hi)
		return buf[:n]
	}
	return t.arena.at(e.ref, n)
}
