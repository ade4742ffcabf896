package mpi

import (
	"context"
	"reflect"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/shuffle/mesh"
)

// kindAny is what a receiver of any elements asks for.
const kindAny = kind(0xff)

// Message is one that was received as it came. Its bytes may lie in the memory
// of its sender: they are read, not written, until Release.
type Message struct {
	Status
	Kind  reflect.Kind // of the elements; Struct for arrays too
	Size  int          // bytes of an element
	Bytes []byte

	m *mesh.Message
}

// Release gives the message's memory back.
func (m *Message) Release() {
	m.Bytes = nil
	m.m.Release()
}

// Values is a message as elements of T, without a copy. They are read only, and
// until Release.
func Values[T any](m *Message) ([]T, error) {
	end := trailer{kind(m.Kind), m.Size}
	if err := end.fits(m.Bytes, kindOf[T](), sizeOf[T](), len(m.Bytes)); err != nil {
		return nil, err
	}
	return valuesOf[T](m.Bytes), nil
}

// RecvMessage receives a message of whatever elements and length there is.
func (c *Comm) RecvMessage(ctx context.Context, from, tag int) (*Message, error) {
	m, err := c.take(ctx, from, tag, kindAny)
	if err != nil {
		return nil, err
	}
	return c.open(m)
}

// PostMessage begins a [Comm.RecvMessage], whose message the request has once
// it is done.
func (c *Comm) PostMessage(from, tag int) (*Request, error) {
	return c.irecv(from, tag, trailer{kind: kindAny}, nil)
}

// Message is what a request of [Comm.PostMessage] received; nil before it is done.
func (r *Request) Message() *Message { return r.message }

// SendMessage sends bytes that are elements of a kind known at run time, of size
// bytes each.
func (c *Comm) SendMessage(ctx context.Context, to, tag int, k reflect.Kind, size int, data []byte) error {
	return c.send(ctx, to, tag, trailer{rawKind(k), size}, data)
}

// IsendMessage begins a [Comm.SendMessage], or with sync one that is done when
// it is asked for.
func (c *Comm) IsendMessage(ctx context.Context, to, tag int, k reflect.Kind, size int, data []byte, sync bool) (*Request, error) {
	return c.isend(ctx, to, tag, trailer{rawKind(k), size}, data, sync)
}

func rawKind(k reflect.Kind) kind {
	switch k {
	case reflect.Int:
		return kind(reflect.Int64)
	case reflect.Uint, reflect.Uintptr:
		return kind(reflect.Uint64)
	case reflect.Array, reflect.Struct:
		return kindPlain
	}
	if k > reflect.Complex128 {
		return kindNone
	}
	return kind(k)
}

// open reads a message's trailer.
func (c *Comm) open(m *mesh.Message) (*Message, error) {
	_, _, tag := splitTag(m.Tag)
	s := Status{Source: c.rankOf(m.From), Tag: tag}
	end, payload, err := readTrailer(m.Bytes())
	if err != nil {
		m.Release()
		return nil, c.failed("receive from", s.Source, tag, err)
	}
	s.Count = len(payload) / max(end.size, 1)
	return &Message{Status: s, Kind: reflect.Kind(end.kind), Size: end.size, Bytes: payload, m: m}, nil
}

// Probe waits until there is a message that a receive would take, and says what
// it is. A synchronous send counts it as asked for.
func (c *Comm) Probe(ctx context.Context, from, tag int) (Status, reflect.Kind, error) {
	m, err := c.take(ctx, from, tag, kindAny)
	if err != nil {
		return Status{}, 0, err
	}
	return c.glance(m)
}

// Iprobe is [Comm.Probe] that does not wait: false where there is none.
func (c *Comm) Iprobe(ctx context.Context, from, tag int) (Status, reflect.Kind, bool, error) {
	m, err := c.tryTake(ctx, from, tag)
	if m == nil || err != nil {
		return Status{}, 0, false, err
	}
	s, k, err := c.glance(m)
	return s, k, err == nil, err
}

// Improbe is [Comm.RecvMessage] that does not wait: nil where there is none.
func (c *Comm) Improbe(ctx context.Context, from, tag int) (*Message, error) {
	m, err := c.tryTake(ctx, from, tag)
	if m == nil || err != nil {
		return nil, err
	}
	return c.open(m)
}

func (c *Comm) tryTake(ctx context.Context, from, tag int) (*mesh.Message, error) {
	peer, t, mask, err := c.pattern(from, tag, kindAny)
	if err != nil {
		return nil, err
	}
	m, err := c.w.mesh.TryRecv(ctx, peer, t, mask)
	if err != nil {
		return nil, c.failed("look for a message of", from, tag, err)
	}
	return m, nil
}

// glance reads a message's trailer and gives the message back.
func (c *Comm) glance(m *mesh.Message) (Status, reflect.Kind, error) {
	_, _, tag := splitTag(m.Tag)
	s := Status{Source: c.rankOf(m.From), Tag: tag}
	end, payload, err := readTrailer(m.Bytes())
	if err != nil {
		m.Release()
		return s, 0, c.failed("receive from", s.Source, tag, err)
	}
	s.Count = len(payload) / max(end.size, 1)
	c.w.mesh.Return(m)
	return s, reflect.Kind(end.kind), nil
}

// Buffer is memory that goes to a rank of this host without a copy.
type Buffer[T any] struct {
	Values []T // undefined at first
	c      *Comm
	b      *mesh.Buffer
}

// Alloc returns a buffer of n elements. It blocks while too many are on their
// way.
func Alloc[T any](ctx context.Context, c *Comm, n int) (*Buffer[T], error) {
	end := trailer{kindOf[T](), sizeOf[T]()}
	if end.kind == kindNone {
		return nil, c.fault("allocate", c.refuse(0, 0, end.kind))
	}
	if n < 0 {
		return nil, c.fault("allocate", core.Errorf(core.Invalid, "%d elements", n))
	}
	b, err := c.w.mesh.Alloc(ctx, trailerSize+n*end.size)
	if err != nil {
		return nil, c.fault("allocate", err)
	}
	appendTrailer(b.Bytes()[:n*end.size], end)
	return &Buffer[T]{valuesOf[T](b.Bytes()[:n*end.size]), c, b}, nil
}

// Hand sends a buffer. It belongs to the receiver from the call on, who reads
// its memory itself where it takes it by [Comm.RecvMessage] and the two are on
// one host.
func (b *Buffer[T]) Hand(ctx context.Context, to, tag int) error {
	c := b.c
	b.Values = nil
	if uint(to) >= uint(c.size) || uint(tag) > MaxTag || c.freed.Load() {
		b.b.Release()
		return c.refuseSend(to, tag, kindBytes)
	}
	if c.w.outboxes[c.worldRank(to)].waiting.Load() > 0 {
		defer b.b.Release()
		end, payload, err := readTrailer(b.b.Bytes())
		if err != nil {
			return err
		}
		return c.sendBehind(ctx, to, tag, end, payload)
	}
	if err := c.w.mesh.Hand(ctx, c.worldRank(to), meshTag(c.context, lanePoint, tag), b.b); err != nil {
		return c.failed("hand to", to, tag, err)
	}
	return nil
}

// Release gives up a buffer that was not handed to anybody.
func (b *Buffer[T]) Release() {
	b.Values = nil
	b.b.Release()
}
