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

// oldest is the key of the oldest message of those asked for, noKey if there is
// none.
func (s *source) oldest(a want) key {
	found, order := noKey, ^uint64(0)
	for k, q := range s.queues {
		if k&a.mask == a.key && q[0].order < order {
			found, order = k, q[0].order
		}
	}
	return found
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

// want is what a receiver asks for: a rank or Any, and the bits of a key that
// mask has.
type want struct {
	from int
	key  key
	mask key
	// spare lets Any do without ranks that are gone.
	spare bool
}

// wholeKey is the mask of who asks for one tag.
const wholeKey = ^key(0)

func (w want) takes(m *Message) bool {
	return (w.from == Any || w.from == m.From) && m.key()&w.mask == w.key
}

// waiter is a receiver that sleeps, or one that has only asked (Posted).
type waiter struct {
	want
	got    chan struct{} // closed after msg or err is set; nil for a Posted
	posted *Posted       // nil for who sleeps
	msg    *Message
	err    error
}
