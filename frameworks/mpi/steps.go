package mpi

import (
	"context"
	"fmt"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/shuffle/mesh"
)

// steps is one collective under way: what its algorithm sends and receives.
// Nothing else has its tag.
type steps struct {
	c   *Comm
	tag mesh.Tag
}

func (c *Comm) begin(op collective) (steps, error) {
	if c.freed.Load() {
		return steps{}, c.fault(op.String(), c.refuse(0, 0, kindBytes))
	}
	return steps{c, c.next(op)}, nil
}

func (s steps) send(ctx context.Context, to int, b []byte) error {
	return s.c.w.mesh.Send(ctx, s.c.worldRank(to), s.tag, b)
}

// take receives a step, which must have n bytes.
func (s steps) take(ctx context.Context, from, n int) (*mesh.Message, error) {
	m, err := s.c.w.mesh.Recv(ctx, s.c.worldRank(from), s.tag)
	if err != nil {
		return nil, err
	}
	if len(m.Bytes()) != n {
		err := core.Errorf(core.Invalid, "rank %d sent %d bytes where %d were due", from, len(m.Bytes()), n).
			Do("call it with the same counts and types on all ranks")
		m.Release()
		return nil, err
	}
	return m, nil
}

// recv receives a step into b, all of it.
func (s steps) recv(ctx context.Context, from int, b []byte) error {
	m, err := s.take(ctx, from, len(b))
	if err != nil {
		return err
	}
	copy(b, m.Bytes())
	m.Release()
	return nil
}

// done is what the collective returns for err.
func (s steps) done(err error) error {
	if err == nil {
		return nil
	}
	_, _, tag := splitTag(s.tag)
	return s.c.fault(fmt.Sprint(collective(tag>>sequenceBits)), err)
}

// swap sends one step to a peer and takes one of n bytes from another.
func (s steps) swap(ctx context.Context, to int, b []byte, from, n int) (*mesh.Message, error) {
	if len(b) <= eager {
		if err := s.send(ctx, to, b); err != nil {
			return nil, err
		}
		return s.take(ctx, from, n)
	}
	sent := make(chan error, 1)
	go func() { sent <- s.send(ctx, to, b) }()
	m, err := s.take(ctx, from, n)
	if err := <-sent; err != nil {
		if m != nil {
			m.Release()
		}
		return nil, err
	}
	return m, err
}

// eager is the size up to which a step is sent without waiting for its receiver.
const eager = 16 << 10
