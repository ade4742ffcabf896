package mpi

import (
	"context"
	"fmt"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/shuffle/mesh"
)

// Status is what is known of a message that was received or probed.
type Status struct {
	Source int // the sender's rank; Null if there was none
	Tag    int
	Count  int // elements
}

// Send sends data to a rank under a tag. When it returns, data may be changed.
// It may block until the message is received, where it is large or much is on
// its way already. T has no pointers.
//
// Errors: a [*PeerError] in the chain where the rank is gone; ctx's, and then
// nothing was sent.
func Send[T any](ctx context.Context, c *Comm, to, tag int, data []T) error {
	return c.send(ctx, to, tag, trailer{kindOf[T](), sizeOf[T]()}, bytesOf(data))
}

func (c *Comm) send(ctx context.Context, to, tag int, end trailer, data []byte) error {
	if uint(to) >= uint(c.size) || uint(tag) > MaxTag || end.kind == kindNone || c.freed.Load() {
		return c.refuseSend(to, tag, end.kind)
	}
	peer := c.worldRank(to)
	if c.w.outboxes[peer].waiting.Load() > 0 {
		return c.sendBehind(ctx, to, tag, end, data)
	}
	err := c.w.mesh.Send(ctx, peer, meshTag(c.context, lanePoint, tag), data, c.w.trailer(end))
	if err != nil {
		return c.failed("send to", to, tag, err)
	}
	return nil
}

// Ssend is [Send], which returns only when the receiver has asked for the
// message.
func Ssend[T any](ctx context.Context, c *Comm, to, tag int, data []T) error {
	r, err := Issend(ctx, c, to, tag, data)
	if err != nil {
		return err
	}
	_, err = r.Wait(context.WithoutCancel(ctx)) // the request itself ends with ctx
	return err
}

// trailer is that of a message. Most are made beforehand.
func (w *world) trailer(end trailer) []byte {
	if end.kind < kindPlain {
		return w.trailers[end.kind]
	}
	return appendTrailer(nil, end)
}

// Recv receives the oldest message of a rank, or of [AnySource], under a tag, or
// [AnyTag], into the first elements of into, which must be long enough.
// Status.Count says how many.
//
// Errors: a [*PeerError] in the chain where the rank is gone and has left
// nothing under the tag; Invalid where the message has other elements or does
// not fit: it is lost then; ctx's.
func Recv[T any](ctx context.Context, c *Comm, from, tag int, into []T) (Status, error) {
	if from == Null {
		return Status{Source: Null, Tag: AnyTag}, nil
	}
	end := trailer{kindOf[T](), sizeOf[T]()}
	m, err := c.take(ctx, from, tag, end.kind)
	if err != nil {
		return Status{}, err
	}
	s, err := c.unpack(m, end, bytesOf(into))
	m.Release()
	return s, err
}

// Sendrecv sends to one rank and receives from another, as both could at once.
func Sendrecv[T, U any](ctx context.Context, c *Comm, to, sendTag int, data []T, from, recvTag int, into []U) (Status, error) {
	r, err := Irecv(ctx, c, from, recvTag, into)
	if err != nil {
		return Status{}, err
	}
	if err := Send(ctx, c, to, sendTag, data); err != nil {
		r.Cancel()
		return Status{}, err
	}
	s, err := r.Wait(ctx)
	if err != nil {
		r.Cancel()
	}
	return s, err
}

// take receives a message as it came.
func (c *Comm) take(ctx context.Context, from, tag int, k kind) (*mesh.Message, error) {
	peer, t, mask, err := c.pattern(from, tag, k)
	if err != nil {
		return nil, err
	}
	var m *mesh.Message
	if mask == mesh.WholeTag {
		m, err = c.w.mesh.Recv(ctx, peer, t)
	} else {
		m, err = c.w.mesh.RecvMatch(ctx, peer, t, mask)
	}
	if err != nil {
		return nil, c.failed("receive from", from, tag, err)
	}
	return m, nil
}

// pattern is what a receive asks the mesh for.
func (c *Comm) pattern(from, tag int, k kind) (peer int, t, mask mesh.Tag, err error) {
	if k == kindNone || c.freed.Load() || from != AnySource && uint(from) >= uint(c.size) || tag != AnyTag && uint(tag) > MaxTag {
		return 0, 0, 0, c.fault("receive", c.refuse(from, tag, k))
	}
	peer, mask = from, mesh.WholeTag
	if from != AnySource {
		peer = c.worldRank(from)
	}
	if tag == AnyTag {
		tag, mask = 0, ^mesh.Tag(MaxTag)
	}
	return peer, meshTag(c.context, lanePoint, tag), mask, nil
}

// unpack copies a message's payload.
func (c *Comm) unpack(m *mesh.Message, want trailer, into []byte) (Status, error) {
	_, _, tag := splitTag(m.Tag)
	s := Status{Source: c.rankOf(m.From), Tag: tag}
	end, payload, err := readTrailer(m.Bytes())
	if err == nil {
		err = end.fits(payload, want.kind, want.size, len(into))
	}
	if err != nil {
		return s, c.failed("receive from", s.Source, tag, err)
	}
	copy(into, payload)
	s.Count = len(payload) / max(want.size, 1)
	return s, nil
}

// refuseSend is nil for what goes to nobody.
func (c *Comm) refuseSend(to, tag int, k kind) error {
	if to == Null {
		return nil
	}
	return c.fault("send", c.refuse(to, tag, k))
}

// refuse says why a point-to-point call cannot be.
func (c *Comm) refuse(peer, tag int, k kind) error {
	switch {
	case c.freed.Load():
		return core.Errorf(core.Invalid, "%s was freed", c.name)
	case k == kindNone:
		return core.Errorf(core.Invalid, "the elements have pointers, so their memory means nothing to another rank").Do("send numbers, or use SendObject")
	case peer != AnySource && uint(peer) >= uint(c.size):
		return core.Errorf(core.Invalid, "rank %d of %s, which has ranks 0 to %d", peer, c.name, c.size-1)
	case uint(tag) > MaxTag:
		return core.Errorf(core.Invalid, "tag %d, from 0 to %d are possible", tag, MaxTag)
	}
	return core.Errorf(core.Invalid, "a wildcard where a rank is due")
}

// failed is the error of a call that had a peer.
func (c *Comm) failed(what string, peer, tag int, err error) error {
	who := fmt.Sprintf("rank %d", peer)
	if peer == AnySource {
		who = "any rank"
	}
	if tag == AnyTag {
		return c.fault(fmt.Sprintf("%s %s, any tag", what, who), err)
	}
	return c.fault(fmt.Sprintf("%s %s, tag %d", what, who, tag), err)
}
