package mesh

import (
	"context"
	"sync"
)

// Hub is where the ranks of one process meet. Its zero value is ready.
type Hub struct {
	mu      sync.Mutex
	meshes  map[hubKey]*Mesh
	changed broadcast
}

type hubKey struct {
	id   string
	rank int
}

// join links m to those of the ranks that are here, and waits for the rest to
// link themselves to m. The ranks include m's own.
func (h *Hub) join(ctx context.Context, m *Mesh, ranks []int) error {
	if !h.add(m, ranks) {
		return errTwice(m.cfg.Rank)
	}
	for {
		next := h.changed.next()
		if h.linked(m, ranks) {
			return nil
		}
		select {
		case <-next:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (h *Hub) add(m *Mesh, ranks []int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	k := hubKey{m.cfg.ID, m.cfg.Rank}
	if h.meshes[k] != nil {
		return false
	}
	if h.meshes == nil {
		h.meshes = map[hubKey]*Mesh{}
	}
	h.meshes[k] = m
	for _, r := range ranks {
		if peer := h.meshes[hubKey{k.id, r}]; peer != nil {
			m.attach(r, newLocal(m, peer), nil)
			if peer != m {
				peer.attach(k.rank, newLocal(peer, m), nil)
			}
		}
	}
	h.changed.wake()
	return true
}

func (h *Hub) linked(m *Mesh, ranks []int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range ranks {
		if m.links[r].Load() == nil {
			return false
		}
	}
	return true
}

func (h *Hub) remove(m *Mesh) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if k := (hubKey{m.cfg.ID, m.cfg.Rank}); h.meshes[k] == m {
		delete(h.meshes, k)
	}
}

// local links two ranks of one process, or a rank to itself.
type local struct {
	waits
	m, peer *Mesh
	data    *credits
	signals *credits
}

// localEager is the size from which a message waits at its sender instead of
// being copied: the receiver may never ask for it.
const localEager = 64 << 10

func newLocal(m, peer *Mesh) *local {
	return &local{waits: waits{m.closing, newFate()}, m: m, peer: peer,
		data: newCredits(peer.cfg.Window), signals: newCredits(signalWindow)}
}

// back is the peer's link to this rank.
func (l *local) back() *local { return l.peer.links[l.m.cfg.Rank].Load().link.(*local) }

func (l *local) send(ctx context.Context, t Tag, n int, parts [][]byte) error {
	if n > min(localEager, l.peer.cfg.Window/4) {
		return l.offer(ctx, t, n, parts)
	}
	if err := l.reserve(ctx, l.data, n); err != nil {
		return err
	}
	msg := &Message{From: l.m.cfg.Rank, Tag: t, charge: int32(n) + overhead}
	gather(msg.reserve(l.in().pool, n), parts)
	l.in().deliver(msg)
	return nil
}

func (l *local) in() *inbox { return &l.peer.in }

// reserve takes the credits of a message of n bytes, if the link is up.
func (l *local) reserve(ctx context.Context, c *credits, n int) error {
	if err := l.check(); err != nil {
		return err
	}
	return c.take(ctx, l.waits, n+overhead)
}

func (l *local) offer(ctx context.Context, t Tag, n int, parts [][]byte) error {
	finish, err := l.propose(ctx, t, n, parts)
	if err != nil {
		return err
	}
	return finish(ctx)
}

func (l *local) propose(ctx context.Context, t Tag, n int, parts [][]byte) (func(context.Context) error, error) {
	if err := l.reserve(ctx, l.data, 0); err != nil {
		return nil, err
	}
	o, asked, copied := newOffer(n), make(chan struct{}), make(chan struct{})
	var once sync.Once
	o.ask = func() {
		once.Do(func() {
			close(asked)
			o.buf = l.in().pool.Get(n)
			gather(o.buf, parts)
			o.finish(nil)
			close(copied)
		})
	}
	l.in().deliver(&Message{From: l.m.cfg.Rank, Tag: t, charge: overhead, offer: o})
	return func(ctx context.Context) error {
		err := l.wait(ctx, asked)
		if err != nil {
			// Whoever is first has it: the receiver that copies, or we that give up.
			once.Do(func() {
				o.finish(errWithdrawn)
				parts = nil
			})
			select {
			case <-asked:
				err = nil
			default:
				return err
			}
		}
		<-copied
		return err
	}, nil
}

// now delivers a small message if there is room for it.
func (l *local) now(t Tag, n int, parts [][]byte) bool {
	if n > min(localEager, l.peer.cfg.Window/4) || l.check() != nil || !l.data.spare(n+overhead) {
		return false
	}
	msg := &Message{From: l.m.cfg.Rank, Tag: t, charge: int32(n) + overhead}
	gather(msg.reserve(l.in().pool, n), parts)
	l.in().deliver(msg)
	return true
}

func (l *local) hand(ctx context.Context, t Tag, b *Buffer) error {
	if len(b.b) <= tiny {
		defer b.Release()
		return l.send(ctx, t, len(b.b), [][]byte{b.b})
	}
	// Its bytes are charged to nobody: they exist once, as before.
	if err := l.reserve(ctx, l.data, 0); err != nil {
		b.Release()
		return err
	}
	l.in().deliver(&Message{From: l.m.cfg.Rank, Tag: t, charge: overhead, data: b.b, owner: b})
	return nil
}

func (l *local) signal(ctx context.Context, t Tag, data []byte) error {
	if err := l.reserve(ctx, l.signals, len(data)); err != nil {
		return err
	}
	msg := &Message{From: l.m.cfg.Rank, Tag: t, signal: true, charge: int32(len(data)) + overhead}
	copy(msg.reserve(l.in().pool, len(data)), data)
	l.in().deliver(msg)
	return nil
}

func (l *local) taken(n int, signal bool) {
	c := l.back().data
	if signal {
		c = l.back().signals
	}
	if err := c.give(uint64(n)); err != nil {
		panic("mesh: a rank of this process gave credits it had not: " + err.Error())
	}
}

// finish needs no answer: what was sent lies in the peer's inbox.
func (l *local) finish(context.Context) error {
	l.part(left(l.m.cfg.Rank))
	return nil
}

func (l *local) abort() { l.part(lost(l.m.cfg.Rank, nil)) }

// part lets the peer know that this rank is gone.
func (l *local) part(why *PeerError) {
	if l.peer == l.m {
		return
	}
	l.back().down.seal(why)
	l.in().leave(l.m.cfg.Rank, why)
}

func (l *local) free() {
	if l.m.cfg.Hub != nil {
		l.m.cfg.Hub.remove(l.m)
	}
}
