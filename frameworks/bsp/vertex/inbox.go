package vertex

import (
	"cmp"
	"encoding/binary"
	"math/bits"
	"slices"

	"github.com/capstan-run/capstan/frameworks/bsp/peer"
)

// inbox is what the vertices of a rank were sent. With a combiner it holds a
// message for each vertex. Without one the blocks are read twice: to count, and
// to put the messages of as many vertices as memory allows in order. If that is
// not all of them they are read again for the next ones.
type inbox[M any] struct {
	set      bitset
	combined []M

	listed []peer.Block
	extra  list[M] // those that came by name
	counts []uint32
	lo     uint32
	starts []uint32 // of vertices lo, lo+1, …; one more than there are
	msgs   []M
}

// of is what a vertex was sent.
func (b *inbox[M]) of(at uint32) []M {
	switch {
	case !b.set.has(at):
		return nil
	case b.combined != nil:
		return b.combined[at : at+1 : at+1]
	}
	i := at - b.lo
	return b.msgs[b.starts[i]:b.starts[i+1]:b.starts[i+1]]
}

// receive takes what the last Sync brought: requests first, since they decide
// which vertices there are, then messages.
func (e *engine[V, E, M]) receive() error {
	var requests []request[V, E]
	var blocks, named []peer.Block
	for b := range e.p.Blocks() {
		switch b.Kind {
		case kindRequests:
			for data := b.Data; len(data) > 0; {
				r, rest, err := e.decodeRequest(data)
				if err != nil {
					return e.broken(b)
				}
				requests, data = append(requests, r), rest
			}
		case kindNamed:
			named = append(named, b)
		default:
			blocks = append(blocks, b)
		}
	}
	e.mutate(requests)
	e.in.extra = list[M]{}
	for _, b := range named {
		if err := e.lookUp(b); err != nil {
			return err
		}
	}
	e.in.reset(len(e.values), e.cfg.Combiner.combine != nil)
	if e.in.combined != nil {
		return e.receiveCombined(blocks)
	}
	return e.count(blocks)
}

// lookUp finds who messages by name are for.
func (e *engine[V, E, M]) lookUp(b peer.Block) error {
	for data := b.Data; len(data) > 0; {
		id, rest, err := decodeID(data)
		if err != nil {
			return e.broken(b)
		}
		var m M
		if m, data, err = e.message.one(rest); err != nil {
			return e.broken(b)
		}
		at, ok := e.names.find(id)
		if !ok {
			v, create := e.cfg.Resolve.Missing()
			if !create {
				continue
			}
			at = e.grow(id, v)
		}
		e.in.extra.targets, e.in.extra.messages = append(e.in.extra.targets, at), append(e.in.extra.messages, m)
	}
	return nil
}

func (b *inbox[M]) reset(n int, combined bool) {
	words := (n + 63) / 64
	if len(b.set) != words {
		b.set = make(bitset, words)
	} else {
		clear(b.set)
	}
	if combined {
		if len(b.combined) != n {
			b.combined = make([]M, n)
		} else {
			clear(b.combined) // a combiner may count on zeros
		}
	}
	if !combined && len(b.counts) != n {
		b.counts = make([]uint32, n)
	} else {
		clear(b.counts)
	}
}

func (e *engine[V, E, M]) receiveCombined(blocks []peer.Block) error {
	for _, b := range blocks {
		var err error
		switch b.Kind {
		case kindDense:
			err = e.takeDense(b)
		case kindSparse:
			var l list[M]
			if l, _, err = e.listOf(b); err == nil {
				e.take(l)
			}
		case kindHubs:
			var l list[M]
			if l, _, err = e.listOf(b); err == nil {
				for i, h := range l.targets {
					e.cfg.Combiner.scatter(e.in.combined, e.in.set, e.hubRows[h], l.messages[i])
				}
				if f := e.cfg.Combiner.imply; f != nil {
					f(e.in.combined, e.in.set)
				}
			}
		default:
			err = e.broken(b)
		}
		if err != nil {
			return err
		}
	}
	e.take(e.in.extra)
	e.settle()
	return nil
}

// take combines messages into the inbox.
func (e *engine[V, E, M]) take(l list[M]) {
	for i, t := range l.targets {
		e.cfg.Combiner.add(e.in.combined, e.in.set, t, l.messages[i])
	}
}

func (e *engine[V, E, M]) takeDense(b peer.Block) error {
	n := int(e.loaded)
	words := (n + 63) / 64
	if len(b.Data) != words*8+n*sizeOf[M]() {
		return e.broken(b)
	}
	set, column := bitset(view[uint64](b.Data[:words*8])), view[M](b.Data[words*8:])
	for i, have := range set {
		if have == ^uint64(0) && e.in.set[i] == 0 {
			copy(e.in.combined[i*64:i*64+64], column[i*64:])
			e.in.set[i] = have
			continue
		}
		for word := have; word != 0; word &= word - 1 {
			t := uint32(i*64 + bits.TrailingZeros64(word))
			e.cfg.Combiner.add(e.in.combined, e.in.set, t, column[t])
		}
	}
	return nil
}

// listOf reads a block of targets and messages, and whose it is.
func (e *engine[V, E, M]) listOf(b peer.Block) (l list[M], worker int, err error) {
	if len(b.Data) < 8 {
		return l, 0, e.broken(b)
	}
	n, worker := int(binary.LittleEndian.Uint32(b.Data)), int(binary.LittleEndian.Uint32(b.Data[4:]))
	body := 8 + (n*4+7)&^7
	if body > len(b.Data) {
		return l, 0, e.broken(b)
	}
	l.targets = view[uint32](b.Data[8 : 8+n*4])
	if e.message.plain() {
		l.messages = view[M](b.Data[body:])
	} else {
		l.messages = make([]M, n)
		err = e.message.decode(b.Data[body:], l.messages)
	}
	most := len(e.values)
	if b.Kind == kindHubs {
		most = len(e.hubRows)
	}
	if err != nil || len(l.messages) != n && sizeOf[M]() > 0 || n > 0 && int(slices.Max(l.targets)) >= most {
		return l, 0, e.broken(b)
	}
	if sizeOf[M]() == 0 {
		l.messages = make([]M, n)
	}
	return l, worker, nil
}

// count sees how many messages each vertex has.
func (e *engine[V, E, M]) count(blocks []peer.Block) error {
	// Workers of a rank send as they go; law V2 wants the order of vertices.
	order := make(map[int]int, len(blocks)) // by place: the worker
	places := make([]int, len(blocks))
	for i, b := range blocks {
		l, worker, err := e.listOf(b)
		if err != nil {
			return err
		}
		e.deliver(b.Kind, l, func(t uint32, _ M) { e.in.counts[t]++ })
		order[i], places[i] = worker, i
	}
	slices.SortStableFunc(places, func(a, b int) int {
		return cmp.Or(cmp.Compare(blocks[a].From, blocks[b].From), cmp.Compare(order[a], order[b]))
	})
	e.in.listed = e.in.listed[:0]
	for _, i := range places {
		e.in.listed = append(e.in.listed, blocks[i])
	}
	for _, t := range e.in.extra.targets {
		e.in.counts[t]++
	}
	for t, n := range e.in.counts {
		if n > 0 {
			e.in.set.put(uint32(t))
		}
	}
	e.settle()
	return nil
}

// settle asks the resolver about messages for vertices that were removed.
func (e *engine[V, E, M]) settle() {
	for i := range e.in.set {
		for word := e.in.set[i] & e.removed[i]; word != 0; word &= word - 1 {
			at := uint32(i*64 + bits.TrailingZeros64(word))
			if !e.revive(at) {
				e.in.set.drop(at)
			}
		}
	}
}

// pass is the end of the longest run of vertices from lo on whose messages fit
// memory: a multiple of 64, or the last vertex.
func (e *engine[V, E, M]) pass(lo uint32) uint32 {
	end := uint32(len(e.values))
	if e.in.combined != nil || len(e.in.listed)+len(e.in.extra.targets) == 0 {
		return end
	}
	room := max(1, e.p.Memory()/4/int64(max(1, sizeOf[M]())))
	for at := lo; at < end; at += 64 {
		for _, n := range e.in.counts[at:min(at+64, end)] {
			room -= int64(n)
		}
		if room < 0 && at > lo {
			return at
		}
	}
	return end
}

// group puts the messages of a pass in order.
func (e *engine[V, E, M]) group(lo, hi uint32) error {
	b := &e.in
	if b.combined != nil {
		return nil
	}
	b.lo = lo
	if n := int(hi-lo) + 1; cap(b.starts) < n {
		b.starts = make([]uint32, n)
	} else {
		b.starts = b.starts[:n]
	}
	total := uint32(0)
	for i, n := range b.counts[lo:hi] {
		b.starts[i] = total
		total += n
	}
	if cap(b.msgs) < int(total) {
		b.msgs = make([]M, total)
	}
	b.msgs = b.msgs[:total]
	for _, block := range b.listed {
		l, _, err := e.listOf(block)
		if err != nil {
			return err
		}
		e.deliver(block.Kind, l, func(t uint32, m M) { b.fill(t, m, lo, hi) })
	}
	for i, t := range b.extra.targets {
		b.fill(t, b.extra.messages[i], lo, hi)
	}
	// Each start has moved to its end, which is the next one's start.
	copy(b.starts[1:], b.starts[:hi-lo])
	b.starts[0] = 0
	return nil
}

func (b *inbox[M]) fill(t uint32, m M, lo, hi uint32) {
	if t >= lo && t < hi {
		b.msgs[b.starts[t-lo]] = m
		b.starts[t-lo]++
	}
}

// deliver calls f for each message of a list and the vertex that it is for.
func (e *engine[V, E, M]) deliver(kind uint32, l list[M], f func(uint32, M)) {
	for i, t := range l.targets {
		if kind != kindHubs {
			f(t, l.messages[i])
			continue
		}
		for _, u := range e.hubRows[t] {
			f(u, l.messages[i])
		}
	}
}
