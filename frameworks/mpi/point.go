package mpi

import (
	"context"
	"fmt"

	"github.com/capstan-run/capstan/shuffle/mesh"
)

// Status is what is known of a message that was received or probed.
type Status struct {
	Source int // the sender's rank; Null if there was none
	Tag    int
	Count  int // elements of the receiver's type; of Probe, bytes
}

// Send sends data to a rank under a tag. When it returns, data may be changed.
// It may block until the message is received, where it is large or much is on
// its way already. T has no pointers.
//
// Errors: a [*PeerError] in the chain where the rank is gone; ctx's, and then
// nothing was sent.
func Send[T any](ctx context.Context, c *Comm, to, tag int, data []T) error {
	return c.send(ctx, to, tag, kindOf[T](), sizeOf[T](), bytesOf(data))
}

func (c *Comm) send(ctx context.Context, to, tag int, k kind, size int, data []byte) error {
	if to == Null {
		return nil
	}
	if uint(to) >= uint(c.size) || uint(tag) > MaxTag || k == kindNone || c.freed.Load() {
		return c.fault("send", c.refuse(to, tag, k))
	}
	err := c.w.mesh.Send(ctx, c.worldRank(to), meshTag(c.context, lanePoint, tag), c.w.header(k, size), data)
	if err != nil {
		return c.failed("send to", to, tag, err)
	}
	return nil
}

// header is that of a message nobody waits to be matched. Most are made
// beforehand.
func (w *world) header(k kind, size int) []byte {
	if k < kindPlain {
		return w.headers[k]
	}
	return appendHeader(nil, header{kind: k, size: size})
}

// Recv receives the oldest message of a rank, or of [AnySource], under a tag
// into the first elements of into, which must be long enough. Status.Count says
// how many.
//
// Errors: a [*PeerError] in the chain where the rank is gone and has left
// nothing under the tag; Invalid where the message has other elements or does
// not fit: it is lost then; ctx's.
func Recv[T any](ctx context.Context, c *Comm, from, tag int, into []T) (Status, error) {
	if from == Null {
		return Status{Source: Null, Tag: AnyTag}, nil
	}
	k := kindOf[T]()
	m, err := c.take(ctx, from, tag, k)
	if err != nil {
		return Status{}, err
	}
	s, err := c.unpack(m, k, sizeOf[T](), bytesOf(into))
	m.Release()
	return s, err
}

// take receives a message as it came.
func (c *Comm) take(ctx context.Context, from, tag int, k kind) (*mesh.Message, error) {
	if from != AnySource && uint(from) >= uint(c.size) || uint(tag) > MaxTag || k == kindNone || c.freed.Load() {
		return nil, c.fault("receive", c.refuse(from, tag, k))
	}
	peer := from
	if from != AnySource {
		peer = c.worldRank(from)
	}
	m, err := c.w.mesh.Recv(ctx, peer, meshTag(c.context, lanePoint, tag))
	if err != nil {
		return nil, c.failed("receive from", from, tag, err)
	}
	return m, nil
}

// unpack copies a message's payload.
func (c *Comm) unpack(m *mesh.Message, k kind, size int, into []byte) (Status, error) {
	_, _, tag := splitTag(m.Tag)
	s := Status{Source: c.rankOf(m.From), Tag: tag}
	h, payload, err := readHeader(m.Bytes())
	if err == nil {
		err = h.fits(payload, k, size, len(into))
	}
	if err != nil {
		return s, c.failed("receive from", s.Source, tag, err)
	}
	copy(into, payload)
	s.Count = len(payload) / max(size, 1)
	return s, nil
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
