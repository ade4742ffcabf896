package vertex

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"unsafe"
)

// The kinds of blocks that ranks send each other. All numbers are little-endian,
// parts begin at multiples of 8.
//
//	dense     bits of the targets that have a message, from the receiver's first
//	          vertex on; a message for each of its vertices
//	sparse    uint32 n; n targets, as the receiver's local numbers, each uint32; n messages
//	listed    uint32 n, uint32 worker; as sparse. A target may come several times
//	hubs      as listed; the targets are numbers of cut vertices, whose edges to the
//	          receiver's vertices the message is for
//	named     n times: an ID, a message
//	requests  requests, one after the other
const (
	kindDense uint32 = 1 + iota
	kindSparse
	kindListed
	kindNamed
	kindRequests
	kindHubs
)

// pieceSize is about how many bytes of listed messages go at once.
const pieceSize = 1 << 20

// outbox is what a worker has to send. With a combiner it holds a message for
// each vertex of the graph, else the last piece for each rank.
type outbox[M any] struct {
	column []M
	set    bitset
	late   map[uint32]M // for vertices added since

	lists    []list[M] // by rank
	hubs     list[M]   // of cut vertices
	named    [][]byte  // by rank
	requests [][]byte  // by rank
}

// list is a piece of messages for one rank.
type list[M any] struct {
	targets  []uint32
	messages []M
}

// send sends m to a vertex.
func (w *worker[V, E, M]) send(to uint32, m M) {
	if w.out.column == nil {
		w.append(to, m)
		return
	}
	if to >= w.e.total {
		if old, ok := w.out.late[to]; ok {
			m = w.e.cfg.Combiner.combine(old, m)
		} else if w.out.late == nil {
			w.out.late = map[uint32]M{}
		}
		w.out.late[to] = m
		return
	}
	w.e.cfg.Combiner.add(w.out.column, w.out.set, to, m)
}

// scatter sends m to all targets of a vertex.
func (w *worker[V, E, M]) scatter(from uint32, targets []uint32, m M) {
	if from < w.e.hubs {
		l := &w.out.hubs
		l.targets, l.messages = append(l.targets, w.e.hubFirst+from), append(l.messages, m)
		return
	}
	if w.out.column != nil && (w.e.changed == nil || w.e.changed[from] == nil) {
		w.e.cfg.Combiner.scatter(w.out.column, w.out.set, targets, m)
		return
	}
	for _, t := range targets {
		w.send(t, m)
	}
}

// append adds to the piece of the target's rank.
func (w *worker[V, E, M]) append(to uint32, m M) {
	r, at := w.e.place(to)
	l := &w.out.lists[r]
	l.targets = append(l.targets, at)
	l.messages = append(l.messages, m)
	if len(l.targets) >= w.e.piece {
		w.flushList(r)
	}
}

// flushList sends a rank's piece. The first error is kept: Compute returns none.
func (w *worker[V, E, M]) flushList(r int) {
	l := &w.out.lists[r]
	if len(l.targets) == 0 {
		return
	}
	w.sendBlock(r, kindListed, head(len(l.targets), w.index), l.targets, l.messages)
	l.targets, l.messages = l.targets[:0], l.messages[:0]
}

func head(n, worker int) uint64 { return uint64(uint32(n)) | uint64(worker)<<32 }

// sendBlock sends targets and their messages.
func (w *worker[V, E, M]) sendBlock(r int, kind uint32, head uint64, targets []uint32, messages []M) {
	var h, pad [8]byte
	binary.LittleEndian.PutUint64(h[:], head)
	gap := pad[:len(targets)%2*4]
	body := w.encoded[:0]
	if w.e.message.plain() {
		body = raw(messages)
	} else {
		body = w.e.message.encode(body, messages)
		w.encoded = body
	}
	w.fail(w.e.p.SendBlock(r, kind, h[:], raw(targets), gap, body))
}

func (w *worker[V, E, M]) sendNamed(id ID, m M) {
	w.checkID(id)
	r := w.e.names.owner(id)
	b := id.append(w.out.named[r])
	w.out.named[r] = w.e.message.encode(b, []M{m})
	if len(w.out.named[r]) >= pieceSize {
		w.flushBytes(r, kindNamed, w.out.named)
	}
}

// ask asks for a mutation.
func (w *worker[V, E, M]) ask(q request[V, E]) {
	r := 0
	if q.op == addVertex {
		w.checkID(q.id)
		r = w.e.names.owner(q.id)
	} else {
		r, _ = w.e.place(q.from)
	}
	w.asked++
	w.out.requests[r] = w.e.encodeRequest(w.out.requests[r], q)
	if len(w.out.requests[r]) >= pieceSize {
		w.flushBytes(r, kindRequests, w.out.requests)
	}
}

// checkID panics where an ID cannot be one of the graph's: Compute has no other
// way out.
func (w *worker[V, E, M]) checkID(id ID) {
	switch {
	case w.e.names.all == nil:
		panic("vertices are addressed by ID without Config.Names")
	case id.text != w.e.names.texts:
		panic(fmt.Sprintf("ID %q is text and the graph's are integers, or the other way round", id))
	}
}

func (w *worker[V, E, M]) flushBytes(r int, kind uint32, all [][]byte) {
	if len(all[r]) > 0 {
		w.fail(w.e.p.SendBlock(r, kind, all[r]))
		all[r] = all[r][:0]
	}
}

// whole panics where edges may lie on other ranks.
func (w *worker[V, E, M]) whole() {
	if w.e.cfg.Cut {
		panic("with Config.Cut, edges are used by SendToNeighbours and Degree alone")
	}
}

// flush sends what a worker has, but for a combined column.
func (w *worker[V, E, M]) flush() {
	if h := &w.out.hubs; len(h.targets) > 0 {
		for r := range w.e.size {
			w.sendBlock(r, kindHubs, head(len(h.targets), w.index), h.targets, h.messages)
		}
		h.targets, h.messages = h.targets[:0], h.messages[:0]
	}
	for r := range w.e.size {
		if w.out.column == nil {
			w.flushList(r)
		}
		w.flushBytes(r, kindNamed, w.out.named)
		w.flushBytes(r, kindRequests, w.out.requests)
	}
}

// absorb combines the column of another worker into this one's.
func (w *worker[V, E, M]) absorb(o *worker[V, E, M]) {
	o.imply()
	for i, word := range o.out.set {
		for ; word != 0; word &= word - 1 {
			t := uint32(i*64 + bits.TrailingZeros64(word))
			w.e.cfg.Combiner.add(w.out.column, w.out.set, t, o.out.column[t])
		}
	}
	o.clear(0, w.e.total)
	for _, t := range sortedKeys(o.out.late) {
		w.send(t, o.out.late[t])
	}
	clear(o.out.late)
}

// clear empties a part of the column: what is not set is zero.
func (w *worker[V, E, M]) clear(lo, hi uint32) {
	clear(w.out.column[lo:hi])
	for t := lo; t < hi; {
		if t%64 == 0 && hi-t >= 64 {
			w.out.set[t/64] = 0
			t += 64
			continue
		}
		w.out.set.drop(t)
		t++
	}
}

// imply puts into the set what scatter left out.
func (w *worker[V, E, M]) imply() {
	if f := w.e.cfg.Combiner.imply; f != nil {
		f(w.out.column, w.out.set)
	}
}

// sendColumn sends the combined messages, and empties the column.
func (w *worker[V, E, M]) sendColumn() {
	w.imply()
	for r := range w.e.size {
		w.sendSection(r)
	}
	late := make([]list[M], w.e.size)
	for _, t := range sortedKeys(w.out.late) {
		r, at := w.e.place(t)
		late[r].targets, late[r].messages = append(late[r].targets, at), append(late[r].messages, w.out.late[t])
	}
	for r, l := range late {
		if len(l.targets) > 0 {
			w.sendBlock(r, kindSparse, head(len(l.targets), 0), l.targets, l.messages)
		}
	}
	clear(w.out.late)
}

// sendSection sends the messages for the vertices of a rank, all of them with
// gaps or those there are, whichever is shorter.
func (w *worker[V, E, M]) sendSection(r int) {
	lo, hi := w.e.bounds[r], w.e.bounds[r+1]
	n := int(hi - lo)
	have := w.out.set.section(&w.bits, lo, n)
	switch size := sizeOf[M](); {
	case have == 0:
		return
	case w.e.message.plain() && n*size+len(w.bits)*8 <= have*(size+4):
		w.fail(w.e.p.SendBlock(r, kindDense, raw(w.bits), raw(w.out.column[lo:hi])))
	default:
		w.sendSparse(r, lo, have)
	}
	if have*8 > n {
		w.clear(lo, hi)
		return
	}
	var zero M
	for i, word := range w.bits {
		for ; word != 0; word &= word - 1 {
			t := lo + uint32(i*64+bits.TrailingZeros64(word))
			w.out.column[t] = zero
			w.out.set.drop(t)
		}
	}
}

func (w *worker[V, E, M]) sendSparse(r int, lo uint32, have int) {
	l := &w.sparse
	l.targets, l.messages = l.targets[:0], l.messages[:0]
	for i, word := range w.bits {
		for ; word != 0; word &= word - 1 {
			t := uint32(i*64 + bits.TrailingZeros64(word))
			l.targets = append(l.targets, t)
			l.messages = append(l.messages, w.out.column[lo+t])
		}
	}
	w.sendBlock(r, kindSparse, head(have, 0), l.targets, l.messages)
}

// fail keeps the first error.
func (w *worker[V, E, M]) fail(err error) {
	if err != nil && w.err == nil {
		w.err = err
	}
}

// sizeOf is how many bytes a value takes in memory.
func sizeOf[T any]() int {
	var zero T
	return int(unsafe.Sizeof(zero))
}
