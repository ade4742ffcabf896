package mpi

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/capstan-run/capstan/shuffle/mesh"
)

// outbox is what is to be sent to a rank and could not go at once. Messages that
// come later queue behind it until it has its place.
type outbox struct {
	waiting atomic.Int32 // those without a place yet
	mu      sync.Mutex
	queue   []*outgoing
}

// outgoing is a message on its way out.
type outgoing struct {
	ctx    context.Context // of the call that sends it
	to     int             // rank of the world
	tag    mesh.Tag
	parts  [2][]byte
	result *mesh.Posted
}

// Isend is [Send], which does not block. Until the request is done, data must
// not change. Where ctx ends before, the request ends with its error.
func Isend[T any](ctx context.Context, c *Comm, to, tag int, data []T) (*Request, error) {
	return c.isend(ctx, to, tag, trailer{kindOf[T](), sizeOf[T]()}, bytesOf(data), false)
}

// Issend is [Isend], whose request is done only when the receiver has asked for
// the message.
func Issend[T any](ctx context.Context, c *Comm, to, tag int, data []T) (*Request, error) {
	return c.isend(ctx, to, tag, trailer{kindOf[T](), sizeOf[T]()}, bytesOf(data), true)
}

func (c *Comm) isend(ctx context.Context, to, tag int, end trailer, data []byte, sync bool) (*Request, error) {
	if uint(to) >= uint(c.size) || uint(tag) > MaxTag || end.kind == kindNone || c.freed.Load() {
		return &Request{over: true}, c.refuseSend(to, tag, end.kind)
	}
	if err := ctx.Err(); err != nil {
		return nil, c.failed("send to", to, tag, err)
	}
	peer, t := c.worldRank(to), meshTag(c.context, lanePoint, tag)
	if !sync && c.w.outboxes[peer].waiting.Load() == 0 {
		sent, err := c.w.mesh.TrySend(peer, t, data, c.w.trailer(end))
		if err != nil {
			return nil, c.failed("send to", to, tag, err)
		}
		if sent {
			return &Request{over: true}, nil
		}
	}
	o := &outgoing{ctx, peer, t, [2][]byte{data, c.w.trailer(end)}, c.w.mesh.Promise()}
	c.w.put(o)
	return &Request{c: c, posted: o.result, what: "send to", peer: to, tag: tag}, nil
}

// sendBehind is send where something waits to be sent already.
func (c *Comm) sendBehind(ctx context.Context, to, tag int, end trailer, data []byte) error {
	r, err := c.isend(ctx, to, tag, end, data, false)
	if err != nil {
		return err
	}
	_, err = r.Wait(context.WithoutCancel(ctx)) // the request itself ends with ctx
	return err
}

// put queues a message; the first of a queue sees to it.
func (w *world) put(o *outgoing) {
	b := &w.outboxes[o.to]
	b.mu.Lock()
	defer b.mu.Unlock()
	b.queue = append(b.queue, o)
	if b.waiting.Add(1) == 1 {
		go w.deliver(b)
	}
}

// deliver gives what is queued its places.
func (w *world) deliver(b *outbox) {
	for {
		b.mu.Lock()
		o := b.queue[0]
		b.mu.Unlock()
		finish, err := w.mesh.Offer(o.ctx, o.to, o.tag, o.parts[0], o.parts[1])
		if err != nil {
			o.result.Keep(err)
		} else {
			go func() { o.result.Keep(finish(o.ctx)) }()
		}
		b.mu.Lock()
		b.queue = b.queue[1:]
		left := b.waiting.Add(-1)
		b.mu.Unlock()
		if left == 0 {
			return
		}
	}
}
