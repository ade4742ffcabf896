package executor

// outbox is one direction's numbered payloads: queued, sent, and kept until
// acknowledged. It is a bare data structure; its owner locks.
//
//	 acked │ sent, unacknowledged │ waiting │
//	───────┼──────────────────────┼─────────┼─→ seq
//	     base                   next      base+len
type outbox[T any] struct {
	items []T
	sizes []int
	base  uint64 // sequence number of items[0], from 1
	next  int    // index of the first item not sent in this session
	bytes int    // of all items
	sent  int    // bytes sent and not acknowledged
}

// push queues an item of size bytes.
func (o *outbox[T]) push(item T, size int) {
	if o.base == 0 {
		o.base = 1
	}
	o.items = append(o.items, item)
	o.sizes = append(o.sizes, size)
	o.bytes += size
}

// take returns the next item to send and its number. It answers false when
// nothing waits or when window bytes are on their way already; one item is
// always let through, however large.
func (o *outbox[T]) take(window int) (item T, seq uint64, ok bool) {
	if o.next == len(o.items) || (o.sent > 0 && o.sent+o.sizes[o.next] > window) {
		return item, 0, false
	}
	item, seq = o.items[o.next], o.base+uint64(o.next)
	o.sent += o.sizes[o.next]
	o.next++
	return item, seq, true
}

// ack drops every item up to seq. A number that was never given is ignored.
func (o *outbox[T]) ack(seq uint64) {
	if seq < o.base || seq >= o.base+uint64(len(o.items)) {
		return
	}
	n := int(seq-o.base) + 1
	for i, size := range o.sizes[:n] {
		o.bytes -= size
		if i < o.next {
			o.sent -= size
		}
	}
	clear(o.items[:n])
	o.items, o.sizes = o.items[n:], o.sizes[n:]
	o.base += uint64(n)
	o.next = max(o.next-n, 0)
}

// rewind makes everything unacknowledged wait again, for a new session.
func (o *outbox[T]) rewind() { o.next, o.sent = 0, 0 }

// restart begins a new stream with those waiting items that keep allows.
func (o *outbox[T]) restart(keep func(T) bool) {
	items, sizes := o.items, o.sizes
	*o = outbox[T]{base: 1}
	for i, item := range items {
		if keep(item) {
			o.push(item, sizes[i])
		}
	}
}

// first is the lowest number that may still be sent.
func (o *outbox[T]) first() uint64 { return max(o.base, 1) }

func (o *outbox[T]) len() int { return len(o.items) }
