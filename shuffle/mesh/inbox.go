package mesh

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
)

// inbox matches what arrives with what is asked for.
type inbox struct {
	pool    *pool
	window  int           // bytes that a source's queues take from its ring
	closing chan struct{} // closed by close
	spin    spinner

	// arrivals counts what nobody waited for, for those who spin.
	arrivals atomic.Uint64

	mu      sync.Mutex
	shut    bool     // closing is closed
	sources []source // by rank
	rings   []*source
	waiters []*waiter // oldest first
	asleep  int       // goroutines that wait, for these or for room to send
	sends   []Waiting // that are under way
	tries   uint64    // sends that had to wait
	count   uint64    // messages that came
	turn    int       // the source that Any looks at first
}

// recv returns the oldest message that was asked for.
func (in *inbox) recv(ctx context.Context, a want) (*Message, error) {
	for {
		m, err := in.next(ctx, a)
		if err != nil {
			return nil, err
		}
		in.repay(m)
		if m.offer == nil {
			return m, nil
		}
		if err := m.fetch(ctx, in); err == errWithdrawn {
			continue
		} else if err != nil {
			return nil, err
		}
		return m, nil
	}
}

// repay gives the sender of a message that was taken its credits back.
func (in *inbox) repay(m *Message) {
	if m.charge > 0 {
		in.sources[m.From].link.taken(int(m.charge), m.signal)
	}
}

func (in *inbox) next(ctx context.Context, a want) (*Message, error) {
	budget := -1 // unknown
	for {
		seen := in.arrivals.Load()
		in.mu.Lock()
		m, err := in.match(a)
		look := in.look(a.from)
		in.mu.Unlock()
		if m != nil || err != nil {
			if budget > 0 {
				in.spin.won()
			}
			return m, err
		}
		if budget < 0 {
			budget = in.spin.budget(look.polls())
		} else {
			// What is there may be of no use to us, or not fit the window.
			budget = max(0, budget-matchLooks)
		}
		if !in.spin.until(&budget, func() bool { return in.arrivals.Load() != seen || look.ready() }) {
			if look.polls() {
				in.spin.lost()
			}
			break
		}
	}
	return in.sleep(ctx, a)
}

// sleep waits until a message is handed over.
func (in *inbox) sleep(ctx context.Context, a want) (*Message, error) {
	w := &waiter{want: a, got: make(chan struct{})}
	in.mu.Lock()
	m, err := in.match(a)
	if m == nil && err == nil {
		in.waiters = append(in.waiters, w)
		in.doze()
	}
	in.mu.Unlock()
	if m != nil || err != nil {
		return m, err
	}
	defer in.rise()
	select {
	case <-w.got:
		return w.msg, w.err
	case <-ctx.Done():
		err = ctx.Err()
	case <-in.closing:
		err = ErrClosed
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if i := slices.Index(in.waiters, w); i >= 0 {
		in.waiters = slices.Delete(in.waiters, i, i+1)
		return nil, err
	}
	// It was handed over while we gave up: nothing may be lost.
	return w.msg, w.err
}

// match takes the message asked for, or says why none will come. It returns
// nothing when one may still come.
func (in *inbox) match(a want) (*Message, error) {
	if in.shut {
		return nil, ErrClosed
	}
	if a.from != Any {
		s := &in.sources[a.from]
		if m := in.pop(s, a); m != nil {
			return m, nil
		}
		if m := in.drain(s, a); m != nil {
			return m, nil
		}
		if s.gone != nil {
			return nil, s.gone
		}
		return nil, nil
	}
	return in.matchAny(a)
}

func (in *inbox) matchAny(a want) (*Message, error) {
	n := len(in.sources)
	in.turn = (in.turn + 1) % n
	for i := range n {
		s := &in.sources[(in.turn+i)%n]
		m := in.pop(s, a)
		if m == nil {
			m = in.drain(s, a)
		}
		if m != nil {
			return m, nil
		}
	}
	if err := in.anyError(); err != nil && !a.spare {
		return nil, err
	}
	return nil, nil
}

// pop takes the oldest message of those asked for that s has.
func (in *inbox) pop(s *source, a want) *Message {
	k := a.key
	if a.mask != wholeKey {
		k = s.oldest(a)
	}
	q := s.queues[k]
	if len(q) == 0 {
		return nil
	}
	m := q[0]
	if q[0] = nil; len(q) == 1 {
		delete(s.queues, k)
	} else {
		s.queues[k] = q[1:]
	}
	if s.ring != nil && !m.signal {
		full := s.held > 0 && in.full(s)
		if s.held -= int(m.charge); full && !in.full(s) && len(in.waiters) > 0 {
			// What waits in the ring may be what others sleep for.
			in.drain(s, nothing)
			in.watch(s.rank)
		}
	}
	return m
}

// nothing is what no message is.
var nothing = want{key: noKey, mask: wholeKey}

// noKey is a key that no message has.
const noKey = ^key(0)

// drain takes what lies in s's ring, up to the window, and returns the first
// message of those asked for, if nobody waits for it already.
func (in *inbox) drain(s *source, a want) *Message {
	if s.ring == nil {
		return nil
	}
	for !in.full(s) {
		m, err := s.ring.take()
		if err != nil {
			s.broken = true
			s.ring.broken(err)
			return nil
		}
		if m == nil {
			return nil
		}
		in.number(m)
		if w := in.waiterFor(m); w != nil {
			in.give(w, m)
		} else if m.key()&a.mask == a.key {
			return m
		} else {
			in.enqueue(s, m)
		}
	}
	return nil
}

// full reports whether nothing is to be taken from s's ring now.
func (in *inbox) full(s *source) bool { return s.held >= in.window || s.broken }

// deliver hands m to whoever waits for it, or keeps it.
func (in *inbox) deliver(m *Message) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.number(m)
	if w := in.waiterFor(m); w != nil {
		in.give(w, m)
		return
	}
	in.enqueue(&in.sources[m.From], m)
	in.arrivals.Add(1)
}

// number puts m behind all that came before it.
func (in *inbox) number(m *Message) {
	in.count++
	m.order = in.count
}

func (in *inbox) enqueue(s *source, m *Message) {
	if s.queues == nil {
		s.queues = map[key][]*Message{}
	}
	s.queues[m.key()] = append(s.queues[m.key()], m)
	if s.ring != nil && !m.signal {
		s.held += int(m.charge)
	}
}

// putBack makes m, which was taken, the first of its queue again.
func (in *inbox) putBack(m *Message) {
	in.mu.Lock()
	defer in.mu.Unlock()
	m.charge = 0
	if w := in.waiterFor(m); w != nil {
		in.give(w, m)
		return
	}
	s := &in.sources[m.From]
	in.enqueue(s, m)
	q := s.queues[m.key()]
	copy(q[1:], q)
	q[0] = m
	in.arrivals.Add(1)
}

func (in *inbox) waiterFor(m *Message) *waiter {
	for _, w := range in.waiters {
		if w.takes(m) {
			return w
		}
	}
	return nil
}

// give ends w's sleep with m.
func (in *inbox) give(w *waiter, m *Message) {
	i := slices.Index(in.waiters, w)
	in.waiters = slices.Delete(in.waiters, i, i+1)
	w.msg = m
	w.wake()
}

func (w *waiter) wake() {
	if w.posted != nil {
		w.posted.settle()
		return
	}
	close(w.got)
}

// rang takes what a peer rang for.
func (in *inbox) rang(rank int) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.watch(rank)
}

// watch makes sure that somebody who sleeps for from is woken: it drains rings
// until their producers promise to ring.
func (in *inbox) watch(from int) {
	for _, s := range in.rings {
		if from != Any && from != s.rank {
			continue
		}
		for s.gone == nil && in.sleepsFor(s.rank) && !in.full(s) && !s.ring.sleep() {
			in.drain(s, nothing)
		}
	}
}

// sleepsFor reports whether a message from a rank has somebody who is to be
// woken for it. What was only asked for may help a goroutine that sleeps for
// something else: its sender may be what that waits for in the end.
func (in *inbox) sleepsFor(rank int) bool {
	return in.asleep > 0 && slices.ContainsFunc(in.waiters, func(w *waiter) bool { return w.from == Any || w.from == rank })
}

// doze notes that a goroutine is about to sleep. Under the lock.
func (in *inbox) doze() {
	in.asleep++
	in.watch(Any)
}

func (in *inbox) rise() {
	in.mu.Lock()
	in.asleep--
	in.mu.Unlock()
}

// sight is the rings in which what comes may lie.
type sight struct {
	one ring
	all []*source
}

// look returns where a receiver looks. Under the lock; what it returns is used
// outside.
func (in *inbox) look(from int) sight {
	if from == Any {
		return sight{all: in.rings}
	}
	return sight{one: in.sources[from].ring}
}

func (v *sight) polls() bool { return v.one != nil || len(v.all) > 0 }

func (v *sight) ready() bool {
	if v.one != nil {
		return v.one.ready()
	}
	for _, s := range v.all {
		if s.ring.ready() {
			return true
		}
	}
	return false
}

// attach makes l the way to a rank, from whose ring, if it has one, frames are
// taken from now on.
func (in *inbox) attach(rank int, l link, lane *shared) {
	in.mu.Lock()
	defer in.mu.Unlock()
	s := &in.sources[rank]
	s.link = l
	if lane != nil {
		s.ring = lane
		in.rings = append(in.rings, s)
		in.watch(rank)
	}
}
