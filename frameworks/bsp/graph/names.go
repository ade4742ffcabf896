package graph

import (
	"math/bits"
)

// intNames numbers integers in the order in which they first occur: open addressing, since a Go map costs three
// times as much and this is done twice an edge.
type intNames struct {
	keys  []int64
	slots []uint32 // number+1, or 0
	shift uint
}

func newIntNames() *intNames {
	return &intNames{slots: make([]uint32, 1<<10), shift: 64 - 10}
}

func (t *intNames) number(key int64) uint32 {
	mask := uint64(len(t.slots) - 1)
	for i := uint64(key) * 0x9e3779b97f4a7c15 >> t.shift; ; i = (i + 1) & mask {
		switch n := t.slots[i]; {
		case n == 0:
			return t.add(i, key)
		case t.keys[n-1] == key:
			return n - 1
		}
	}
}

func (t *intNames) add(slot uint64, key int64) uint32 {
	t.keys = append(t.keys, key)
	n := uint32(len(t.keys))
	t.slots[slot] = n
	if 2*len(t.keys) > len(t.slots) {
		t.grow()
	}
	return n - 1
}

func (t *intNames) grow() {
	size := 4 * len(t.slots)
	t.slots = make([]uint32, size)
	t.shift = uint(64 - bits.Len(uint(size-1)))
	mask := uint64(size - 1)
	for i, key := range t.keys {
		at := uint64(key) * 0x9e3779b97f4a7c15 >> t.shift
		for t.slots[at] != 0 {
			at = (at + 1) & mask
		}
		t.slots[at] = uint32(i + 1)
	}
}

// stringNames numbers texts in the order in which they first occur.
type stringNames struct {
	keys []string
	of   map[string]uint32
}

func newStringNames() *stringNames { return &stringNames{of: map[string]uint32{}} }

func (t *stringNames) number(key []byte) uint32 {
	if n, ok := t.of[string(key)]; ok {
		return n
	}
	s, n := string(key), uint32(len(t.keys))
	t.keys = append(t.keys, s)
	t.of[s] = n
	return n
}
