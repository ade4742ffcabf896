package exec

import (
	"context"
	"fmt"

	"github.com/capstan-run/capstan/frameworks/mpi"
)

// point begins what has a peer. Sends and receives match in the order in which
// they are begun here.
func (p *proxy) point(ctx context.Context, r *request) error {
	c, err := p.comms.get(r.comm)
	if err != nil {
		return err
	}
	if err := addressed(c, r); err != nil {
		return err
	}
	switch batch := r.kind == kindBatch; {
	case batch && r.command == cmdRecv:
		return p.recvBatch(ctx, c, r)
	case batch && r.command == cmdSend:
		return p.sendBatch(ctx, c, r)
	}
	switch r.command {
	case cmdRecv:
		return p.recv(ctx, c, r)
	case cmdProbe:
		p.later(c, r, func() (*answer, error) {
			s, k, err := c.Probe(ctx, int(r.peer), int(r.tag))
			return seen(s, kindOf(k)), err
		})
		return nil
	case cmdIprobe:
		s, k, there, err := c.Iprobe(ctx, int(r.peer), int(r.tag))
		if err == nil && !there {
			p.conn.answer(r, &answer{peer: mpi.AnySource, tag: mpi.AnyTag})
		} else if err == nil {
			a := seen(s, kindOf(k))
			a.value = 1
			p.conn.answer(r, a)
		}
		return err
	}
	return p.send(ctx, c, r)
}

// seen is the answer that tells of a message.
func seen(s mpi.Status, k kind) *answer {
	a := &answer{peer: int32(s.Source), tag: int32(s.Tag), kind: k}
	if e := k.elements(); e != nil {
		a.length = uint64(s.Count * e.width())
	}
	return a
}

// addressed refuses a peer or a tag that cannot be.
func addressed(c *mpi.Comm, r *request) error {
	receives := r.command >= cmdRecv
	if any := receives && r.peer == mpi.AnySource; !any && (r.peer < 0 || int(r.peer) >= c.Size()) {
		return refusal{statusRequest, fmt.Sprintf("%s: rank %d, and there are ranks 0 to %d", r.command.name(), r.peer, c.Size()-1)}
	}
	if any := receives && r.tag == mpi.AnyTag; !any && (r.tag < 0 || r.tag > mpi.MaxTag) {
		return refusal{statusRequest, fmt.Sprintf("%s: tag %d; tags from 0 to %d are possible", r.command.name(), r.tag, mpi.MaxTag)}
	}
	return nil
}

func (p *proxy) send(ctx context.Context, c *mpi.Comm, r *request) error {
	data, unuse, err := p.data(r)
	if err != nil {
		return err
	}
	sent, err := begin(ctx, c, r, data)
	if err != nil {
		unuse()
		return err
	}
	p.later(c, r, func() (*answer, error) {
		defer unuse()
		_, err := sent.Wait(ctx)
		return &answer{}, err
	})
	return nil
}

func begin(ctx context.Context, c *mpi.Comm, r *request, data []byte) (*mpi.Request, error) {
	if err := whole(r.kind, uint64(len(data))); err != nil {
		return nil, err
	}
	return c.IsendMessage(ctx, int(r.peer), int(r.tag), kinds[r.kind], r.kind.elements().width(), data, r.command == cmdSsend)
}

func (p *proxy) recv(ctx context.Context, c *mpi.Comm, r *request) error {
	if r.kind != kindAny && r.kind.elements() == nil {
		return whole(r.kind, 0)
	}
	posted, err := c.PostMessage(int(r.peer), int(r.tag))
	if err != nil {
		return err
	}
	p.later(c, r, func() (*answer, error) {
		if _, err := posted.Wait(ctx); err != nil {
			return nil, err
		}
		m := posted.Message()
		defer m.Release()
		return p.received(r, m)
	})
	return nil
}

// received is the answer that has m.
func (p *proxy) received(r *request, m *mpi.Message) (*answer, error) {
	k := kindOf(m.Kind)
	if k == 0 {
		return nil, refusal{statusKind, fmt.Sprintf("rank %d sent elements of kind %s, of %d bytes, which have no number in the protocol", m.Source, m.Kind, m.Size)}
	}
	if r.kind != kindAny && r.kind != k {
		return nil, refusal{statusKind, fmt.Sprintf("rank %d sent elements of %s, and %s were to come: receive into a buffer of that type", m.Source, k, r.kind)}
	}
	into, err := p.room(r, uint64(len(m.Bytes)))
	if err != nil {
		return nil, err
	}
	copy(into.b, m.Bytes)
	return into.fill(&answer{kind: k, peer: int32(m.Source), tag: int32(m.Tag)}), nil
}
