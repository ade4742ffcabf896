package work

import (
	"github.com/apache/arrow/go/v15/arrow"
)

// refStore sorts pairs where they lie: it keeps the records that hold them, and
// of each pair its place and the prefix of its key.
type refStore struct {
	kind  Kind
	order Order
	held  []arrow.Record
	heap  int // bytes of held that are memory of this process
	file  int // and those of mapped files
	pages []page
	list  []item
	seen  byte // of look, so that its loads are not left out
}

// page is the columns of up to pageRows rows of a record. An item's ref is the
// number of its page, and its row in there.
type page struct {
	keyAt, valueAt []int32
	keys, values   []byte
	ints           []int64
	floats         []float64
}

const (
	pageBits = 12
	pageRows = 1 << pageBits
	maxPages = 1 << (32 - pageBits)
)

// take adds the pairs of rec, whose columns c holds; heap is how many bytes of
// this process's memory they take, file how many of a mapped file.
func (s *refStore) take(rec arrow.Record, c *cursor, heap, file int) {
	rec.Retain()
	s.held, s.heap, s.file = append(s.held, rec), s.heap+heap, s.file+file
	rows := int(rec.NumRows())
	for from := 0; from < rows; from += pageRows {
		to := min(from+pageRows, rows)
		p := page{keyAt: c.offsets[from : to+1], keys: c.data}
		switch {
		case s.kind.bytes():
			p.valueAt, p.values = c.valueOff[from:to+1], c.valueBuf
		case s.kind.whole():
			p.ints = c.ints[from:to]
		case s.kind == Float64:
			p.floats = c.floats[from:to]
		}
		s.add(&p, to-from)
		s.pages = append(s.pages, p)
	}
}

// add adds the items of a page that comes next.
func (s *refStore) add(p *page, rows int) {
	first := uint32(len(s.pages)) << pageBits
	for i := range rows {
		key := p.keys[p.keyAt[i]:p.keyAt[i+1]]
		s.list = append(s.list, item{prefix: s.order.Prefix(key), ref: first | uint32(i)})
	}
}

// mappedShare: mapped files may take budget/mappedShare more than the budget. The
// kernel can drop their pages, but pairs are looked at in the order of keys, which
// is no order to read a file in: what does not stay in memory is better sorted in
// parts.
const mappedShare = 2

// tight reports whether the store holds more than budget bytes, or can number no
// more pairs.
func (s *refStore) tight(budget int) bool {
	memory := s.heap + len(s.list)*itemBytes
	return memory > budget || memory+s.file > budget+budget/mappedShare || len(s.pages) > maxPages-maxPages/4
}

func (s *refStore) at(ref uint32) (*page, int) {
	return &s.pages[ref>>pageBits], int(ref & (pageRows - 1))
}

func (p *page) key(i int) []byte   { return p.keys[p.keyAt[i]:p.keyAt[i+1]] }
func (p *page) value(i int) []byte { return p.values[p.valueAt[i]:p.valueAt[i+1]] }

func (s *refStore) key(ref uint32) []byte {
	p, i := s.at(ref)
	return p.key(i)
}

func (s *refStore) items(Order, *Partitioner) []item { return s.list }
func (s *refStore) empty() bool                      { return len(s.list) == 0 }
func (s *refStore) arrange([]item)                   {}

func (s *refStore) compare(order Order) func(a, b item) int {
	return func(a, b item) int { return order.Compare(s.key(a.ref), s.key(b.ref)) }
}

func (s *refStore) fill(p *pairs, items []item) int {
	for n := 0; n < len(items); {
		if p.full() {
			return n
		}
		ahead := items[n:min(n+lookAhead, len(items))]
		s.look(ahead)
		for _, it := range ahead {
			from, i := s.at(it.ref)
			p.keys.add(from.key(i))
			switch {
			case p.kind.bytes():
				p.values.add(from.value(i))
			case p.kind.whole():
				p.ints = append(p.ints, from.ints[i])
			case p.kind == Float64:
				p.floats = append(p.floats, from.floats[i])
			}
		}
		n += len(ahead)
	}
	return len(items)
}

// sortedRefs is pairs of a refStore in their order.
type sortedRefs struct {
	*refStore
	todo []item
}

// onlyRefs answers with what runs are, if they are one run of a refStore.
func onlyRefs(runs []run) (sortedRefs, bool) {
	if len(runs) != 1 {
		return sortedRefs{}, false
	}
	r, ok := runs[0].(*storeRun)
	if !ok {
		return sortedRefs{}, false
	}
	refs, ok := r.store.(*refStore)
	return sortedRefs{refs, r.todo}, ok
}

// copyTo emits the pairs. look is told now and then how many were; its error ends
// it.
func (s sortedRefs) copyTo(out Emitter, look func(rows int) error) error {
	for n := 0; n < len(s.todo); n += lookAhead {
		ahead := s.todo[n:min(n+lookAhead, len(s.todo))]
		s.look(ahead)
		for _, it := range ahead {
			if err := s.emit(out, it.ref); err != nil {
				return err
			}
		}
		if n%pageRows == 0 {
			if err := look(n); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *refStore) emit(out Emitter, ref uint32) error {
	p, i := s.at(ref)
	switch {
	case s.kind.bytes():
		return out.Emit(p.key(i), p.value(i))
	case s.kind.whole():
		return out.EmitInt(p.key(i), p.ints[i])
	case s.kind == Float64:
		return out.EmitFloat(p.key(i), p.floats[i])
	}
	return out.Emit(p.key(i), nil)
}

// lookAhead is how many pairs are brought to the cache together: sorted pairs lie
// anywhere in memory, and the misses of loads that wait for nothing overlap.
const lookAhead = 64

// look brings pairs to the cache: first where they begin and end, then their
// bytes.
func (s *refStore) look(items []item) {
	var key, value, end [lookAhead]*byte
	nothing := new(byte)
	for n, it := range items {
		p, i := s.at(it.ref)
		key[n], value[n], end[n] = nothing, nothing, nothing
		if k := p.key(i); len(k) > 0 {
			key[n] = &k[0]
		}
		if p.valueAt == nil {
			continue
		}
		if v := p.value(i); len(v) > 0 {
			value[n], end[n] = &v[0], &v[len(v)-1]
		}
	}
	var sum byte
	for n := range items {
		sum += *key[n] + *value[n] + *end[n]
	}
	s.seen = sum
}

// reset gives the records back.
func (s *refStore) reset() {
	for _, rec := range s.held {
		rec.Release()
	}
	clear(s.held)
	clear(s.pages)
	s.held, s.pages, s.list, s.heap, s.file = s.held[:0], s.pages[:0], s.list[:0], 0, 0
}
