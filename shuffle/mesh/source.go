package mesh

// source is what came from one rank.
type source struct {
	rank   int
	link   link
	ring   ring               // nil unless frames wait to be taken
	queues map[key][]*Message // oldest first; never empty
	held   int                // bytes of queues that came through ring
	broken bool               // ring makes no sense; gone will say so
	self   bool
	gone   *PeerError // nothing will be added to queues
	excuse bool       // Any does without it
}

// ring is a source whose frames lie in shared memory until this rank takes
// them. Its methods but ready are called under the inbox's lock.
type ring interface {
	ready() bool
	// take returns the oldest message, nil when there is none. It never blocks.
	take() (*Message, error)
	// sleep reports whether the peer will ring when a frame comes; false if
	// one is there.
	sleep() bool
	// last says that the peer puts nothing more into the ring.
	last()
	// broken ends the link; the inbox learns of it by leave, later.
	broken(err error)
}

// waiter is a receiver that sleeps.
type waiter struct {
	from int
	key  key
	got  chan struct{} // closed after msg or err is set
	msg  *Message
	err  error
}

func (w *waiter) wants(m *Message) bool {
	return (w.from == Any || w.from == m.From) && w.key == m.key()
}
