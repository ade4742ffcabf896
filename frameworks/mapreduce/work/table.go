package work

import (
	"encoding/binary"
	"math/bits"
)

// Table maps keys to numbers: open addressing with linear probing over entries.
// A key of up to 16 bytes lies in its entry, so that a hit touches one cache
// line; a longer one lies in an arena.
//
// A Table is not safe for concurrent use.
type Table struct {
	entries []entry
	shift   uint // hash >> shift is the home of a key
	len     int
	limit   int // grow when len reaches it
	seed    seed
	arena   arena
}

const firstTable = 1 << 13

// NewTable makes an empty table.
func NewTable() *Table {
	t := &Table{seed: newSeed()}
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
	t.len = 0
	t.arena.reset()
}

// insert returns key's number, and whether it was there; else it is v now.
func (t *Table) insert(key []byte, v int64) (acc int64, found bool) {
	e := t.find(key)
	if e.size != 0 {
		return e.acc, true
	}
	if e.size, e.acc = uint32(len(key))+1, v; len(key) > inlineKey {
		e.lo, e.hi = binary.LittleEndian.Uint64(key), t.seed.long(key)
		e.ref = t.arena.put(key)
	} else {
		e.lo, e.hi = inline(key)
	}
	t.grown()
	return v, false
}

// find returns key's entry, or the free one where it would lie.
func (t *Table) find(key []byte) *entry {
	var lo, hi, hash uint64
	long := len(key) > inlineKey
	if long {
		lo, hi = binary.LittleEndian.Uint64(key), t.seed.long(key)
		hash = hi
	} else {
		lo, hi = inline(key)
		hash = t.seed.short(lo, hi, len(key))
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
	t.entries = make([]entry, n)
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
			h = t.seed.short(e.lo, e.hi, int(e.size-1))
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
	if e.size > inlineKey+1 {
		return t.arena.at(e.ref, int(e.size-1))
	}
	return e.short(buf)
}
