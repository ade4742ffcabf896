package mesh

import (
	"context"
	"fmt"
	"math/bits"
	"sync"
	"unsafe"

	"github.com/capstan-run/capstan/shuffle/mesh/shm"
)

// shared is the data lane of a link within a host: a ring in each direction,
// and payloads by reference.
type shared struct {
	w     *wire
	in    *shm.Consumer
	spare []Message
	crumb []byte
	far   *mapping // the pair's region and the peer's arena
	arena []byte   // the peer's
	yours *returns // where we give the peer's payloads back

	mine *arena
	ours *returns // where the peer gives ours back
	lent []loan   // guarded by mine
	idle []uint32 // free slots; guarded by mine

	space broadcast
	mu    sync.Mutex
	out   *shm.Producer
	sent  uint64
	ended bool
}

// sharedEager is the size up to which two copies through a ring cost less
// than one and the upkeep of a reference.
const sharedEager = 16 << 10

// ringSize is the data of one ring: a power of two, and not more of a window
// than a processor's cache holds.
func ringSize(window int) int {
	return min(256<<10, 1<<(bits.Len(uint(window))-1))
}

// pairSize is the size of the region that two ranks share:
//
//	ring of the lower rank's messages │ of the higher's │ returns of the lower's payloads │ of the higher's
func pairSize(ring int) int {
	return (2*(shm.RingOverhead+ring) + 2*returnsSize + 4095) &^ 4095
}

// newShared lays a data lane over the pair's region.
func newShared(w *wire, pair, arena *shm.Region, ring int) (*shared, error) {
	s := &shared{w: w, far: newMapping(pair, arena), arena: arena.Bytes(), mine: w.m.arena}
	mem, each := pair.Bytes(), shm.RingOverhead+ring
	rings := [2][]byte{mem[:each], mem[each : 2*each]}
	tables := [2]*returns{(*returns)(unsafe.Pointer(&mem[2*each])), (*returns)(unsafe.Pointer(&mem[2*each+returnsSize]))}
	me, it := 0, 1
	if w.m.cfg.Rank > w.rank {
		me, it = 1, 0
	}
	var err error
	if s.out, err = shm.NewProducer(rings[me]); err == nil {
		s.in, err = shm.NewConsumer(rings[it])
	}
	s.ours, s.yours = tables[me], tables[it]
	for i := range uint32(slots) {
		s.idle = append(s.idle, slots-1-i)
	}
	return s, err
}

func (s *shared) send(ctx context.Context, t Tag, n int, parts [][]byte) (bool, error) {
	if n <= sharedEager {
		return true, s.put(ctx, kindData, t, n, parts)
	}
	if n > s.mine.most() {
		return false, nil
	}
	if err := s.w.check(); err != nil {
		return true, err
	}
	b, err := s.mine.alloc(ctx, s.w.waits, n)
	if err != nil {
		return true, err
	}
	gather(b.b, parts)
	return true, s.reference(ctx, t, b)
}

// now sends a small message if there is room for it and nothing to be said
// against it.
func (s *shared) now(t Tag, n int, parts [][]byte) bool {
	if n > sharedEager {
		return false
	}
	s.mu.Lock()
	if s.ended || s.w.down.sealed.Load() {
		s.mu.Unlock()
		return false
	}
	ok, err := s.out.Put(label(kindData, t), n, parts)
	wake := false
	if ok && err == nil {
		s.sent++
		wake = s.out.Wake()
	}
	s.mu.Unlock()
	if wake {
		s.w.control.post(kindDoorbell, 0, nil)
	}
	return ok
}

func (s *shared) offer(ctx context.Context, t Tag, envelope []byte) error {
	return s.put(ctx, kindOffer, t, len(envelope), [][]byte{envelope})
}

func (s *shared) hand(ctx context.Context, t Tag, b *Buffer) (bool, error) {
	if b.arena != s.mine || b.b == nil {
		return false, nil
	}
	return true, s.reference(ctx, t, b)
}

// reference sends the place of b, which is in this rank's arena.
func (s *shared) reference(ctx context.Context, t Tag, b *Buffer) error {
	// Once b is lent, the loss of the peer may take it at any time.
	r := reference{off: uint64(b.off), length: uint64(len(b.b))}
	for {
		next := s.mine.space.next()
		slot, ok := s.mine.lend(s, b)
		if ok {
			r.slot = slot
			err := s.put(ctx, kindReference, t, referenceSize, [][]byte{r.bytes()})
			if err != nil && s.mine.unlend(s, loan{slot, b}) {
				b.Release()
			}
			return err
		}
		if err := s.mine.wait(ctx, s.w.waits, next); err != nil {
			b.Release()
			return err
		}
	}
}

// put appends a frame to the ring and waits for room.
func (s *shared) put(ctx context.Context, k kind, t Tag, n int, parts [][]byte) error {
	for {
		ok, room, err := s.try(label(k, t), n, parts)
		switch {
		case err == ErrClosed:
			return err
		case err != nil && s.w.check() != nil:
			return s.w.check()
		case err != nil:
			s.w.fail(err)
			<-s.w.down.over
			return s.w.down.err
		case ok:
			return nil
		}
		if err := s.w.wait(ctx, room); err != nil {
			return err
		}
	}
}

// try appends a frame, or returns what is closed when there may be room.
func (s *shared) try(l uint64, n int, parts [][]byte) (bool, <-chan struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return false, nil, ErrClosed
	}
	if err := s.w.check(); err != nil {
		return false, nil, err
	}
	for {
		ok, err := s.out.Put(l, n, parts)
		if err != nil {
			return false, nil, err
		}
		if ok {
			s.sent++
			if s.out.Wake() {
				s.w.control.post(kindDoorbell, 0, nil)
			}
			return true, nil, nil
		}
		room := s.space.next()
		if asleep, err := s.out.Sleep(n); asleep || err != nil {
			return false, room, err
		}
	}
}

// ready, take, sleep, last and broken make the lane an inbox's ring.
func (s *shared) ready() bool { return s.in.Ready() }

func (s *shared) take() (*Message, error) {
	f, ok, err := s.in.Next()
	if !ok {
		return nil, err
	}
	m, err := s.message(&f)
	if s.in.Done() {
		s.w.control.post(kindDoorbell, 0, nil)
	}
	return m, err
}

func (s *shared) sleep() bool { return s.in.Sleep() }

func (s *shared) last() { s.in.Last() }

func (s *shared) broken(err error) { s.w.fail(err) }

// message makes a message of a frame. It takes what it needs from the ring
// once, since the peer could write there meanwhile.
func (s *shared) message(f *shm.Frame) (*Message, error) {
	k, t, err := split(f.Label)
	if err != nil {
		return nil, err
	}
	n := f.Len()
	switch {
	case k == kindData && n <= sharedEager:
		m := s.newMessage(n)
		m.From, m.Tag, m.charge = s.w.rank, t, int32(n)+overhead
		if n > tiny {
			m.reserve(&s.w.m.pool, n)
		}
		gather2(m.data, f)
		return m, nil
	case k == kindOffer && n == offerSize:
		var b [offerSize]byte
		gather2(b[:], f)
		return s.w.gotOffer(t, b[:])
	case k == kindReference && n == referenceSize:
		var b [referenceSize]byte
		gather2(b[:], f)
		r, err := readReference(b[:], uint64(len(s.arena)))
		if err != nil {
			return nil, err
		}
		s.far.retain()
		end := r.off + r.length
		return &Message{From: s.w.rank, Tag: t, charge: overhead, owner: s, slot: r.slot, data: s.arena[r.off:end:end]}, nil
	}
	return nil, fmt.Errorf("%w: frame of kind %d with %d bytes in the ring", errProtocol, k, n)
}

// newMessage makes small messages and their bytes several at a time: for them
// the allocation would be the larger part of the work. Under the inbox's lock.
func (s *shared) newMessage(n int) *Message {
	if n > tiny {
		return new(Message)
	}
	if len(s.spare) == 0 {
		s.spare = make([]Message, 16)
	}
	m, size := &s.spare[0], (n+7)&^7
	s.spare = s.spare[1:]
	if len(s.crumb) < size {
		s.crumb = make([]byte, 1<<10)
	}
	m.data, s.crumb = s.crumb[:n:n], s.crumb[size:]
	return m
}

func gather2(b []byte, f *shm.Frame) { copy(b[copy(b, f.A):], f.B) }

// free gives a payload by reference back to its sender.
func (s *shared) free(m *Message) {
	s.yours.words[m.slot].Store(1)
	if s.yours.want.Load() == 1 && s.yours.want.CompareAndSwap(1, 0) {
		s.w.control.post(kindDoorbell, 0, nil)
	}
	s.far.release()
}

func (s *shared) taken(int) {}

func (s *shared) credit(uint64) error { return errProtocol }

// rang wakes whoever may have waited for what the peer did.
func (s *shared) rang() {
	s.space.wake()
	s.mine.space.wake()
	s.w.m.in.rang(s.w.rank)
}

func (s *shared) end() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	return s.sent
}

// has is true: what was sent before a finish lies in the ring. The lock waits
// for those who are putting something there: a peer that is told that we know
// of its finish finds in its ring all that it must give back.
func (s *shared) has(uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return true
}

func (s *shared) lost() { s.mine.forfeit(s) }

func (s *shared) close() {}

func (s *shared) unmap() { s.far.release() }
