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

// entrySort brings entries into the order of their keys.
type entrySort struct {
	sorted []item
	// dense is the entries in the order of arrange: gathered once, so that the
	// passes after it go through memory in order.
	dense []entry
}

// prefix is the prefix of an entry's key.
func (e *entry) prefix(order Order, key func(*entry, *[inlineKey]byte) []byte) uint64 {
	if order == (Order{}) {
		return bits.ReverseBytes64(e.lo)
	}
	var buf [inlineKey]byte
	return order.Prefix(key(e, &buf))
}

func (s *entrySort) gather(entries []entry, items []item) {
	if cap(s.dense) < len(items) {
		s.dense = make([]entry, len(items))
	}
	s.dense = s.dense[:len(items)]
	for i := range items {
		s.dense[i] = entries[items[i].ref]
		items[i].ref = uint32(i)
	}
}

func (s *entrySort) compare(order Order, key func(*entry, *[inlineKey]byte) []byte) func(a, b item) int {
	whole := func(x, y *entry) int {
		var xb, yb [inlineKey]byte
		return order.Compare(key(x, &xb), key(y, &yb))
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

// tallyStore is a Tally as a store.
type tallyStore struct {
	*Tally
	entrySort
	all []entry // of all buckets; hi of a long key is its bucket
}

func (s *tallyStore) reset() { s.Tally.Reset() }

func (s *tallyStore) items(order Order, _ *Partitioner) []item {
	s.Fold()
	n := 0
	for b := range s.buckets {
		n += len(s.buckets[b].pending)
	}
	if cap(s.all) < n {
		s.all, s.sorted = make([]entry, 0, n), make([]item, 0, n)
	}
	s.all, s.sorted = s.all[:0], s.sorted[:0]
	for b := range s.buckets {
		k := &s.buckets[b]
		for i := range k.pending {
			e := &k.pending[i]
			s.sorted = append(s.sorted, item{e.prefix(order, k.key), uint32(b) >> s.sub, uint32(len(s.all))})
			s.all = append(s.all, *e)
			if e.size > inlineKey+1 {
				s.all[len(s.all)-1].hi = uint64(b)
			}
		}
	}
	return s.sorted
}

// key returns the key of an entry of all or dense.
func (s *tallyStore) key(e *entry, buf *[inlineKey]byte) []byte {
	if e.size > inlineKey+1 {
		return s.buckets[e.hi].long(e)
	}
	return e.short(buf)
}

func (s *tallyStore) arrange(items []item) { s.gather(s.all, items) }
func (s *tallyStore) compare(order Order) func(a, b item) int {
	return s.entrySort.compare(order, s.key)
}

func (s *tallyStore) fill(p *pairs, items []item) int {
	for i := range items {
		if p.full() {
			return i
		}
		s.add(p, &s.dense[items[i].ref])
	}
	return len(items)
}

// add appends an entry of all or dense to p.
func (s *tallyStore) add(p *pairs, e *entry) {
	var buf [inlineKey]byte
	p.keys.add(s.key(e, &buf))
	if p.kind.whole() {
		p.ints = append(p.ints, e.acc)
	}
}

// tallyRun is a partition of a folded tally as a run, in no order. Its batches are
// valid until the next call.
type tallyRun struct {
	todo  []bucket
	at    int // in todo[0]
	batch *pairs
}

func (r *tallyRun) Next() (arrow.Record, error) {
	r.batch.reset()
	for len(r.todo) > 0 && !r.batch.full() {
		r.take(&r.todo[0])
	}
	if r.batch.rows() == 0 {
		return nil, io.EOF
	}
	return r.batch.record(), nil
}

// take moves entries of k to the batch, until that is full or k is done.
func (r *tallyRun) take(k *bucket) {
	var buf [inlineKey]byte
	for i := r.at; i < len(k.pending); i++ {
		if r.batch.full() {
			r.at = i
			return
		}
		e := &k.pending[i]
		r.batch.keys.add(k.key(e, &buf))
		if r.batch.kind.whole() {
			r.batch.ints = append(r.batch.ints, e.acc)
		}
	}
	r.todo, r.at = r.todo[1:], 0
}

func (r *tallyRun) Close() error { return nil }

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
