package mesh

import (
	"context"
	"slices"
)

// TrySend is [Mesh.Send] where it need not wait for the receiver; false where it
// would, and then nothing was sent.
func (m *Mesh) TrySend(to int, t Tag, parts ...[]byte) (bool, error) {
	if !m.enter() {
		return false, ErrClosed
	}
	defer m.leave()
	if to < 0 || to >= len(m.links) {
		_, err := m.linkTo(context.Background(), to)
		return false, err
	}
	l, n := m.links[to].Load(), sizeOf(parts)
	switch {
	case l == nil:
		return false, nil
	case l.ring != nil && n <= sharedEager:
		return l.ring.now(t, n, parts), nil
	}
	return l.now(t, n, slices.Clone(parts)), nil
}

// Offer gives a message its place behind those sent before, and returns what
// waits until its receiver has asked for it and it is sent: to be called once.
// Until then parts must not change. However small the message, it is not sent
// before it is asked for.
func (m *Mesh) Offer(ctx context.Context, to int, t Tag, parts ...[]byte) (func(context.Context) error, error) {
	if !m.enter() {
		return nil, ErrClosed
	}
	l, err := m.linkTo(ctx, to)
	var finish func(context.Context) error
	if err == nil {
		finish, err = l.propose(ctx, t, sizeOf(parts), slices.Clone(parts))
	}
	if err != nil {
		m.leave()
		return nil, err
	}
	return func(ctx context.Context) error {
		defer m.leave()
		return finish(ctx)
	}, nil
}

// now of a wire sends by reference: what fits the ring has been tried.
func (w *wire) now(t Tag, n int, parts [][]byte) bool {
	s, near := w.data.(*shared)
	return near && n > sharedEager && n <= s.mine.most() && s.lendNow(t, n, parts)
}

// lendNow sends by reference if arena, slots and ring have room.
func (s *shared) lendNow(t Tag, n int, parts [][]byte) bool {
	b := s.mine.try(n)
	if b == nil {
		return false
	}
	r := reference{off: uint64(b.off), length: uint64(n)}
	slot, ok := s.mine.lend(s, b)
	if !ok {
		b.Release()
		return false
	}
	gather(b.b, parts)
	r.slot = slot
	sent, _, err := s.try(label(kindReference, t), referenceSize, [][]byte{r.bytes()})
	if sent && err == nil {
		return true
	}
	if s.mine.unlend(s, loan{slot, b}) {
		b.Release()
	}
	return false
}

// Promise returns a Posted that no message ends, but [Posted.Keep]: for what else
// a call of [Mesh.Await] waits for.
func (m *Mesh) Promise() *Posted {
	p := &Posted{m: m, w: waiter{want: want{from: Any}}}
	p.w.posted = p
	return p
}

// Keep ends a promise, once.
func (p *Posted) Keep(err error) {
	p.m.in.mu.Lock()
	defer p.m.in.mu.Unlock()
	p.finish(err)
}
