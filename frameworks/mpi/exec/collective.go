package exec

import (
	"context"
	"fmt"

	"github.com/capstan-run/capstan/frameworks/mpi"
)

// meet begins a collective, after those that were begun before it on its
// communicator.
func (p *proxy) meet(ctx context.Context, r *request) {
	c, err := p.comms.get(r.comm)
	if err != nil {
		p.conn.answer(r, failed(err))
		return
	}
	ready, leave := p.order.join(lane{comm: r.comm})
	p.later(c, r, func() (*answer, error) {
		defer leave()
		<-ready
		return p.together(ctx, c, r)
	})
}

// together carries out a collective.
func (p *proxy) together(ctx context.Context, c *mpi.Comm, r *request) (*answer, error) {
	switch r.command {
	case cmdBarrier:
		return &answer{}, c.Barrier(ctx)
	case cmdSplit, cmdDup, cmdSplitHost, cmdFree:
		return p.divide(ctx, c, r)
	}
	if err := whole(r.kind, 0); err != nil {
		return nil, err
	}
	data, unuse, err := p.data(r)
	if err != nil {
		return nil, err
	}
	defer unuse()
	call, err := plan(c, r, data)
	if err != nil {
		return nil, err
	}
	into, err := p.room(r, call.room)
	if err != nil {
		return nil, err
	}
	if err := call.run(ctx, into.b); err != nil {
		into.giveUp()
		return nil, err
	}
	return into.fill(&answer{kind: r.kind}), nil
}

// collective is a call that is known to make sense.
type collective struct {
	room uint64 // bytes that it gives
	run  func(ctx context.Context, into []byte) error
}

// plan checks what r asks for, and says how it is carried out.
func plan(c *mpi.Comm, r *request, data []byte) (*collective, error) {
	s := shape{c: c, r: r, data: data, size: uint64(c.Size()), e: r.kind.elements()}
	if err := s.check(); err != nil {
		return nil, err
	}
	switch r.command {
	case cmdBcast, cmdScatter, cmdScatterv:
		return s.fromRoot()
	case cmdGather, cmdGatherv:
		return s.toRoot()
	case cmdAllgather, cmdAllgatherv:
		return s.allgather()
	case cmdAlltoall, cmdAlltoallv:
		return s.alltoall()
	}
	return s.fold()
}

// shape is the sizes of a collective.
type shape struct {
	c    *mpi.Comm
	r    *request
	data []byte
	size uint64
	e    elements
}

// rooted tells commands that have a root.
func (c command) rooted() bool {
	return c >= cmdBcast && c <= cmdScatterv || c == cmdReduce
}

func (s *shape) root() int  { return int(s.r.peer) }
func (s *shape) here() bool { return s.root() == s.c.Rank() }

func (s *shape) check() error {
	if s.r.command.rooted() && (s.root() < 0 || s.root() >= s.c.Size()) {
		return s.wrong("root %d, and there are ranks 0 to %d", s.root(), s.c.Size()-1)
	}
	if err := whole(s.r.kind, uint64(len(s.data))); err != nil {
		return err
	}
	for _, n := range s.r.count {
		if n > 1<<62 {
			return s.wrong("a count of %d bytes", n)
		}
		if err := whole(s.r.kind, n); err != nil {
			return err
		}
	}
	return nil
}

func (s *shape) wrong(format string, args ...any) error {
	return refusal{statusRequest, s.r.command.name() + ": " + fmt.Sprintf(format, args...)}
}

// counts are n of them, where the command has any.
func (s *shape) counts(n uint64) error {
	if uint64(len(s.r.count)) != n {
		return s.wrong("%d counts, and %d belong here: one for each rank", len(s.r.count), n)
	}
	return nil
}

// adds refuses data that counts do not add up to.
func (s *shape) adds(counts []uint64) error {
	if n := sum(counts); n != uint64(len(s.data)) {
		return s.wrong("the counts add up to %d bytes, and %d are sent", n, len(s.data))
	}
	return nil
}

func sum(counts []uint64) uint64 {
	var n uint64
	for _, c := range counts {
		n += c
	}
	return n
}
