package exec

import (
	"context"
	"fmt"

	"github.com/capstan-run/capstan/frameworks/mpi"
)

// point begins what has a peer, after what was begun before it with the same.
func (p *proxy) point(ctx context.Context, r *request) {
	c, err := p.comms.get(r.comm)
	if err == nil {
		err = addressed(c, r)
	}
	if err != nil {
		p.conn.answer(r, failed(err))
		return
	}
	ready, leave := p.order.join(lane{direction(r.command), r.comm, r.peer, r.tag})
	p.later(r, func() (*answer, error) {
		defer leave()
		<-ready
		switch r.command {
		case cmdRecv:
			return p.recv(ctx, c, r)
		case cmdProbe, cmdIprobe:
			return p.probe(ctx, c, r)
		}
		return p.send(ctx, c, r)
	})
}

// direction is what shares a lane: sends of both kinds do.
func direction(c command) command {
	if c == cmdSsend {
		return cmdSend
	}
	return c
}

// addressed refuses a peer or a tag that cannot be.
func addressed(c *mpi.Comm, r *request) error {
	receives := r.command == cmdRecv || r.command == cmdProbe || r.command == cmdIprobe
	switch {
	case receives && r.peer == mpi.AnySource:
	case r.peer < 0 || int(r.peer) >= c.Size():
		return refusal{statusRequest, fmt.Sprintf("%s: rank %d, and there are ranks 0 to %d", r.command.name(), r.peer, c.Size()-1)}
	}
	switch {
	case receives && r.tag == mpi.AnyTag:
	case r.tag < 0 || r.tag > mpi.MaxTag:
		return refusal{statusRequest, fmt.Sprintf("%s: tag %d; tags from 0 to %d are possible", r.command.name(), r.tag, mpi.MaxTag)}
	}
	return nil
}

func (p *proxy) send(ctx context.Context, c *mpi.Comm, r *request) (*answer, error) {
	data, unuse, err := p.data(r)
	if err != nil {
		return nil, err
	}
	defer unuse()
	if r.kind == kindBatch {
		return &answer{}, sendBatch(ctx, c, r, data)
	}
	if err := whole(r.kind, uint64(len(data))); err != nil {
		return nil, err
	}
	return &answer{}, r.kind.elements().send(ctx, c, int(r.peer), int(r.tag), data, r.command == cmdSsend)
}
