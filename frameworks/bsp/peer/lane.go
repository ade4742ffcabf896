package peer

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/shuffle/mesh"
)

// lane is the way of what this rank sends to another: in order; what does not
// wait for the receiver at once, the rest by a goroutine of its own while the
// program computes.
type lane struct {
	p     *Peer
	to    int
	near  bool  // by memory
	most  int   // bytes in queue, but for a longer message alone
	batch batch // only the program's goroutine

	mu     sync.Mutex
	moved  sync.Cond // queue and bytes are smaller
	queue  []parcel
	bytes  int   // in queue
	busy   bool  // the goroutine is there
	sent   int64 // in this superstep: what the receiver has to wait for
	volume int64
}

// parcel is a message on its way, in the mesh's memory or not.
type parcel struct {
	buf  *mesh.Buffer
	heap []byte
	n    int
}

// inline is the size up to which a message is copied to a peer's ring or window.
const inline = 16 << 10

// backlog bounds the bytes of a lane's queue, and an eighth of the memory those of
// all.
const backlog = 8 << 20

func newLane(p *Peer, to int) *lane {
	l := &lane{p: p, to: to, near: p.mesh.Near(to), most: int(min(backlog, p.c.Memory/8/int64(p.Size())))}
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
	if n <= inline {
		if done, err := l.postShort(h, n, parts); done {
			return l.p.lost(err)
		}
	}
	x, err := l.parcel(n)
	if err != nil {
		return l.p.lost(err)
	}
	gather(x.bytesOf(), h, parts)
	return l.p.lost(l.enqueue(x))
}

// postShort sends a short message unless others are waiting before it.
func (l *lane) postShort(h head, n int, parts [][]byte) (done bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.busy {
		return false, nil
	}
	l.sent++
	l.volume += int64(n - headSize)
	return true, l.p.mesh.Send(l.p.ctx, l.to, tagData, append([][]byte{h[:]}, parts...)...)
}

// patience is how long a message waits for shared memory. Receivers hold at
// most half of it, but that may leave no piece that is large enough; then the
// message takes the way of those that are too large for it.
const patience = 100 * time.Millisecond

func (l *lane) parcel(n int) (parcel, error) {
	ctx := l.p.ctx
	if n > inline {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	buf, err := l.p.mesh.Alloc(ctx, n)
	if errors.Is(err, context.DeadlineExceeded) && l.p.ctx.Err() == nil {
		return parcel{heap: make([]byte, n), n: n}, nil
	}
	return parcel{buf: buf, n: n}, err
}

func (x *parcel) bytesOf() []byte {
	if x.buf == nil {
		return x.heap
	}
	return x.buf.Bytes()
}

func gather(dst []byte, h head, parts [][]byte) {
	at := copy(dst, h[:])
	for _, x := range parts {
		at += copy(dst[at:], x)
	}
}

// enqueue sends x, or leaves it to the goroutine where that may wait.
func (l *lane) enqueue(x parcel) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent++
	l.volume += int64(x.n - headSize)
	if !l.busy && l.near && x.buf != nil && x.n <= l.p.c.Arena/2 {
		return l.send(x)
	}
	for l.bytes > 0 && l.bytes+x.n > l.most {
		l.moved.Wait()
	}
	l.queue, l.bytes = append(l.queue, x), l.bytes+x.n
	if !l.busy {
		l.busy = true
		l.p.running.Go(l.run)
	}
	return nil
}

func (l *lane) send(x parcel) error {
	if x.buf == nil {
		return l.p.mesh.Send(l.p.ctx, l.to, tagData, x.heap)
	}
	return l.p.mesh.Hand(l.p.ctx, l.to, tagData, x.buf)
}

// run sends what is queued. After an error the rest goes the same way, each
// with the same error.
func (l *lane) run() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.queue) > 0 {
		next := l.queue[0]
		l.queue[0] = parcel{}
		l.queue = l.queue[1:]
		l.mu.Unlock()
		_ = l.p.lost(l.send(next))
		l.mu.Lock()
		l.bytes -= next.n
		l.moved.Broadcast()
	}
	l.busy = false
}

// postSelf delivers to this rank.
func (l *lane) postSelf(h head, n int, parts [][]byte) error {
	b := l.p.in.pool.Get(n)
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
