package work

import (
	"bytes"
	"context"
	"unsafe"

	"github.com/capstan-run/capstan/core"
)

// slotStore keeps the values of each key in a list, for combiners that are
// functions over values of 64 bits: when a list is full the combiner shortens
// it. So a frequent key costs a call for every few dozen of its values, and
// the memory is that of the distinct keys.
//
//	table: key ─→ number ─→ slot: the first values, then more
type slotStore struct {
	table     *Table // its accumulators are numbers of slots
	slots     [][]slot
	n         int
	more      int // bytes of the lists beyond their slots
	kind      Kind
	reducer   Reducer
	out       slotEmitter
	group     Group
	entrySort // of the table
}

// slot is the values of one key, in the order of their emission.
type slot struct {
	n     int
	first [slotFirst]uint64
	more  []uint64 // once there are more: all of them
}

const (
	slotFirst = 3
	slotFull  = 32
	slotChunk = 1 << 12
)

func newSlotStore(kind Kind, r Reducer) *slotStore {
	return &slotStore{table: NewTable(), kind: kind, reducer: r}
}

// beside is the memory beside the table's.
func (s *slotStore) beside() int { return s.more + s.n*int(unsafe.Sizeof(slot{})) }

// tight is as a table's.
func (s *slotStore) tight(budget int) bool {
	return s.n > 0 && s.beside() > budget/2 || s.table.tight(1, budget/2)
}

func (s *slotStore) at(number int64) *slot { return &s.slots[number/slotChunk][number%slotChunk] }

// add keeps a value, combining the key's values if there are many.
func (s *slotStore) add(key []byte, bits uint64) error {
	number, found := s.table.insert(key, int64(s.n))
	if !found {
		if s.n/slotChunk == len(s.slots) {
			s.slots = append(s.slots, make([]slot, slotChunk))
		}
		s.n++
	}
	sl := s.at(number)
	switch {
	case sl.n < slotFirst:
		sl.first[sl.n] = bits
	case sl.n == slotFirst && len(sl.more) == 0:
		if cap(sl.more) == 0 {
			sl.more = make([]uint64, 0, slotFull)
			s.more += slotFull * 8
		}
		sl.more = append(append(sl.more, sl.first[:]...), bits)
	default:
		if sl.n == cap(sl.more) {
			s.more += cap(sl.more) * 8
		}
		sl.more = append(sl.more, bits)
	}
	if sl.n++; sl.n >= slotFull && sl.n == cap(sl.more) {
		return s.shorten(key, sl)
	}
	return nil
}

func (s *slot) values() []uint64 {
	if s.n <= slotFirst {
		return s.first[:s.n]
	}
	return s.more
}

// shorten combines a slot's values.
func (s *slotStore) shorten(key []byte, sl *slot) error {
	values := sl.values()
	c := &cursor{key: key, kind: s.kind, row: -1, rows: len(values)}
	if len(values) > 0 {
		c.ints = unsafe.Slice((*int64)(unsafe.Pointer(&values[0])), len(values))
		c.floats = unsafe.Slice((*float64)(unsafe.Pointer(&values[0])), len(values))
	}
	s.out.key, s.out.kind, s.out.values = key, s.kind, s.out.values[:0]
	s.group = Group{cursor: c, key: key}
	if err := s.reducer.Reduce(context.Background(), &s.group, &s.out); err != nil {
		return err
	}
	sl.set(s.out.values)
	return nil
}

func (s *slot) set(values []uint64) {
	s.n = len(values)
	s.more = s.more[:0]
	if s.n <= slotFirst {
		copy(s.first[:], values)
		return
	}
	s.more = append(s.more, values...)
}

func (s *slotStore) empty() bool { return s.n == 0 }

func (s *slotStore) reset() {
	s.table.Reset()
	s.slots, s.n, s.more = nil, 0, 0
}

func (s *slotStore) items(order Order, part *Partitioner) []item {
	s.sorted = s.sorted[:0]
	var buf [inlineKey]byte
	for i := range s.table.entries {
		if e := &s.table.entries[i]; e.size != 0 {
			s.sorted = append(s.sorted, item{e.prefix(order, s.table.key), uint32(part.Of(s.table.key(e, &buf))), uint32(i)})
		}
	}
	return s.sorted
}

func (s *slotStore) arrange(items []item) { s.gather(s.table.entries, items) }
func (s *slotStore) compare(order Order) func(a, b item) int {
	return s.entrySort.compare(order, s.table.key)
}

func (s *slotStore) fill(p *pairs, items []item) int {
	var buf [inlineKey]byte
	for i, it := range items {
		if p.full() {
			return i
		}
		e := &s.dense[it.ref]
		key := s.table.key(e, &buf)
		for _, v := range s.at(e.acc).values() {
			p.keys.add(key)
			if p.kind == Float64 {
				p.floats = append(p.floats, floatOf(v))
			} else {
				p.ints = append(p.ints, int64(v))
			}
		}
	}
	return len(items)
}

// slotEmitter takes what a combiner makes of a slot.
type slotEmitter struct {
	key    []byte
	kind   Kind
	values []uint64
}

func (e *slotEmitter) Emit(key, value []byte) error {
	if e.kind == Float64 {
		v, err := parseFloat(key, value)
		if err != nil {
			return err
		}
		return e.EmitFloat(key, v)
	}
	v, err := parseWhole(key, value)
	if err != nil {
		return err
	}
	return e.EmitInt(key, v)
}

func (e *slotEmitter) EmitInt(key []byte, v int64) error { return e.take(key, uint64(v)) }

func (e *slotEmitter) EmitFloat(key []byte, v float64) error { return e.take(key, bitsOf(v)) }

func (e *slotEmitter) take(key []byte, bits uint64) error {
	if !bytes.Equal(key, e.key) {
		return core.Errorf(core.Failed, "the combiner emits key %q for %q", clip(key), clip(e.key)).
			At("spec.combine").Do("let the combiner emit the key it is given; do other work in map or reduce")
	}
	e.values = append(e.values, bits)
	return nil
}
