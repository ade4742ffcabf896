package work

import (
	"cmp"
	"io"
	"math/bits"

	"github.com/apache/arrow/go/v15/arrow"
)

// pairStore is what a collector keeps pairs in.
type pairStore interface {
	// items lists what is stored, with partitions and prefixes set. The slice
	// is the store's.
	items(order Order, part *Partitioner) []item
	// arrange brings what items point to into their order, where that pays.
	arrange(items []item)
	// compare orders two items of one partition and equal prefixes.
	compare(order Order) func(a, b item) int
	// fill appends the pairs of items to p, until it is full, and returns how many.
	fill(p *pairs, items []item) int
	// empty reports whether nothing is stored.
	empty() bool
	reset()
}

// tableStore is a Table as a store.
type tableStore struct {
	*Table
	sorted []item
	// dense is the entries in the order of arrange: gathered once, so that the
	// passes after it go through memory in order.
	dense []entry
}

func (s *tableStore) empty() bool { return s.len == 0 }
func (s *tableStore) reset()      { s.Table.Reset() }

func (s *tableStore) items(order Order, part *Partitioner) []item {
	s.sorted = s.sorted[:0]
	var buf [inlineKey]byte
	for i := range s.entries {
		e := &s.entries[i]
		if e.size == 0 {
			continue
		}
		key := s.key(e, &buf)
		s.sorted = append(s.sorted, item{order.Prefix(key), uint32(part.Of(key)), uint32(i)})
	}
	return s.sorted
}

func (s *tableStore) arrange(items []item) {
	if cap(s.dense) < len(items) {
		s.dense = newEntries(len(items))
	}
	s.dense = s.dense[:len(items)]
	for i := range items {
		s.dense[i] = s.entries[items[i].ref]
		items[i].ref = uint32(i)
	}
}

func (s *tableStore) compare(order Order) func(a, b item) int {
	whole := func(x, y *entry) int {
		var xb, yb [inlineKey]byte
		return order.Compare(s.key(x, &xb), s.key(y, &yb))
	}
	if order != (Order{}) {
		return func(a, b item) int { return whole(&s.dense[a.ref], &s.dense[b.ref]) }
	}
	// Equal prefixes are equal first words: the second words decide, but for
	// long keys and for keys that end in zero bytes.
	return func(a, b item) int {
		x, y := &s.dense[a.ref], &s.dense[b.ref]
		if x.size <= inlineKey+1 && y.size <= inlineKey+1 && x.hi != y.hi {
			return cmp.Compare(bits.ReverseBytes64(x.hi), bits.ReverseBytes64(y.hi))
		}
		return whole(x, y)
	}
}

func (s *tableStore) fill(p *pairs, items []item) int {
	var buf [inlineKey]byte
	for i, it := range items {
		if p.full() {
			return i
		}
		e := &s.dense[it.ref]
		p.keys.add(s.key(e, &buf))
		if p.kind.whole() {
			p.ints = append(p.ints, e.acc)
		}
	}
	return len(items)
}

// recordStore is records as a store.
type recordStore struct{ records }

func (s *recordStore) empty() bool                      { return len(s.records.items) == 0 }
func (s *recordStore) items(Order, *Partitioner) []item { return s.records.items }

func (s *recordStore) arrange([]item) {}

func (s *recordStore) compare(order Order) func(a, b item) int {
	return func(a, b item) int { return order.Compare(s.key(a.ref), s.key(b.ref)) }
}

func (s *recordStore) fill(p *pairs, items []item) int {
	for i, it := range items {
		if p.full() {
			return i
		}
		p.keys.add(s.key(it.ref))
		switch {
		case p.kind.bytes():
			p.values.add(s.value(it.ref))
		case p.kind.whole():
			p.ints = append(p.ints, int64(s.num(it.ref)))
		case p.kind == Float64:
			p.floats = append(p.floats, floatOf(s.num(it.ref)))
		}
	}
	return len(items)
}

// storeRun is a sorted partition of a store, as a run. Its batches are valid
// until the next call.
type storeRun struct {
	store pairStore
	todo  []item
	batch *pairs
}

func (r *storeRun) Next() (arrow.Record, error) {
	if len(r.todo) == 0 {
		return nil, io.EOF
	}
	r.batch.reset()
	r.todo = r.todo[r.store.fill(r.batch, r.todo):]
	return r.batch.record(), nil
}

func (r *storeRun) Close() error { return nil }
