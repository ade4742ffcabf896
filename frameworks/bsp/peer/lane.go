package peer

import (
	"sync"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/shuffle/mesh"
)

// lane is the way of what this rank sends to another: in order, short messages
// at once, long ones by a goroutine of their own while the program computes.
type lane struct {
	p     *Peer
	to    int
	batch batch // only the program's goroutine

	mu     sync.Mutex
	moved  sync.Cond // queue or bytes are smaller
	queue  []parcel
	bytes  int   // in queue
	busy   bool  // the goroutine is there
	sent   int64 // in this superstep: what the receiver has to wait for
	volume int64
}

// parcel is a message on its way.
type parcel struct {
	buf *mesh.Buffer
	n   int
}

// inline is the size up to which a message is copied to a peer's ring or window
// and nothing is gained by another goroutine.
const inline = 16 << 10

// backlog bounds the bytes of a lane's queue, but for a longer message alone.
const backlog = 8 << 20

func newLane(p *Peer, to int) *lane {
	l := &lane{p: p, to: to}
	l.moved.L = &l.mu
	return l
}

// post sends a message that begins with h.
func (l *lane) post(h head, parts ...[]byte) error {
	n := headSize
	for _, x := range parts {
		n += len(x)
	}
	if l.to == l.p.Rank() {
		return l.postSelf(h, n, parts)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent++
	l.volume += int64(n - headSize)
	if n <= inline && len(l.queue) == 0 && !l.busy {
		return l.p.lost(l.p.mesh.Send(l.p.ctx, l.to, tagData, append([][]byte{h[:]}, parts...)...))
	}
	buf, err := l.alloc(n)
	if err != nil {
		return l.p.lost(err)
	}
	gather(buf.Bytes(), h, parts)
	for l.bytes > 0 && l.bytes+n > backlog {
		l.moved.Wait()
	}
	if err := l.p.failed(); err != nil {
		buf.Release()
		return err
	}
	l.queue, l.bytes = append(l.queue, parcel{buf, n}), l.bytes+n
	if !l.busy {
		l.busy = true
		l.p.running.Go(l.run)
	}
	return nil
}

// alloc may wait for shared memory that others hold, whose turn may come only
// when those behind l.mu have theirs.
func (l *lane) alloc(n int) (*mesh.Buffer, error) {
	l.mu.Unlock()
	defer l.mu.Lock()
	return l.p.mesh.Alloc(l.p.ctx, n)
}

func gather(dst []byte, h head, parts [][]byte) {
	at := copy(dst, h[:])
	for _, x := range parts {
		at += copy(dst[at:], x)
	}
}

// run sends what is queued.
func (l *lane) run() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.queue) > 0 {
		next := l.queue[0]
		l.queue[0] = parcel{}
		l.queue = l.queue[1:]
		l.mu.Unlock()
		err := l.p.mesh.Hand(l.p.ctx, l.to, tagData, next.buf)
		_ = l.p.lost(err)
		l.mu.Lock()
		l.bytes -= next.n
		l.moved.Broadcast()
	}
	l.busy = false
}

// postSelf delivers to this rank.
func (l *lane) postSelf(h head, n int, parts [][]byte) error {
	b := make([]byte, n)
	gather(b, h, parts)
	l.mu.Lock()
	l.sent++
	l.volume += int64(n - headSize)
	l.mu.Unlock()
	return l.p.lost(l.p.in.deliver(l.to, b, nil))
}

// flush sends the messages that are gathered.
func (l *lane) flush() error {
	if l.batch.n == 0 {
		return nil
	}
	h := makeHead(classBatch, uint32(l.batch.n), l.p.step)
	parts := l.batch.parts()
	err := l.post(h, parts[:]...)
	l.batch.reset()
	return err
}

// take returns what was sent since the last call.
func (l *lane) take() (sent, volume int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	sent, volume = l.sent, l.volume
	l.sent, l.volume = 0, 0
	return sent, volume
}

func (p *Peer) lane(to int) (*lane, error) {
	if to < 0 || to >= len(p.lanes) {
		return nil, core.Errorf(core.Invalid, "a message to rank %d of %d ranks", to, len(p.lanes)).At("bsp peer")
	}
	return p.lanes[to], nil
}
