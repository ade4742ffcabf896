package mpi

import (
	"context"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/shuffle/mesh"
)

// steps is one collective under way: what its algorithm sends and receives.
// Nothing else has its tag.
type steps struct {
	c   *Comm
	tag mesh.Tag
}

// collect runs a collective.
func (c *Comm) collect(ctx context.Context, op collective, algorithm func(ctx context.Context, s steps) error) error {
	if c.freed.Load() {
		return c.fault(op.String(), core.Errorf(core.Invalid, "%s was freed", c.name))
	}
	if err := algorithm(ctx, steps{c, c.next(op)}); err != nil {
		return c.fault(op.String(), err)
	}
	return nil
}

// later begins a collective that goes on by itself.
func (c *Comm) later(ctx context.Context, op collective, algorithm func(ctx context.Context, s steps) error) (*Request, error) {
	if c.freed.Load() {
		return nil, c.fault(op.String(), core.Errorf(core.Invalid, "%s was freed", c.name))
	}
	s, done := steps{c, c.next(op)}, c.w.mesh.Promise()
	r := &Request{c: c, posted: done}
	c.w.background.Store(s.tag, r)
	go func() {
		err := algorithm(ctx, s)
		c.w.background.Delete(s.tag)
		if err != nil {
			err = c.fault(op.String(), err)
		}
		done.Keep(err)
	}()
	return r, nil
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
	return measured(m, from, n)
}

// measured refuses a step that has not n bytes.
func measured(m *mesh.Message, from, n int) (*mesh.Message, error) {
	if have := len(m.Bytes()); have != n {
		m.Release()
		return nil, core.Errorf(core.Invalid, "rank %d sent %d bytes where %d were due", from, have, n).
			Do("call it with the same counts and types on all ranks")
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

// eager is the size up to which a step surely does not wait for its receiver to
// ask for it.
const eager = 16 << 10

// swap sends one step and takes another, of n bytes.
func (s steps) swap(ctx context.Context, to int, b []byte, from, n int) (*mesh.Message, error) {
	if len(b) <= eager {
		if err := s.send(ctx, to, b); err != nil {
			return nil, err
		}
		return s.take(ctx, from, n)
	}
	p, err := s.post(from)
	if err != nil {
		return nil, err
	}
	if err := s.send(ctx, to, b); err != nil {
		p.Cancel()
		return nil, err
	}
	return s.await(ctx, p, from, n)
}

// exchange sends one step and receives another into b.
func (s steps) exchange(ctx context.Context, to int, data []byte, from int, into []byte) error {
	m, err := s.swap(ctx, to, data, from, len(into))
	if err != nil {
		return err
	}
	copy(into, m.Bytes())
	m.Release()
	return nil
}

// post asks for a step: what ranks send to each other without an order between
// them is asked for by all before any sends.
func (s steps) post(from int) (*mesh.Posted, error) {
	return s.c.w.mesh.Post(s.c.worldRank(from), s.tag, mesh.WholeTag)
}

func (s steps) await(ctx context.Context, p *mesh.Posted, from, n int) (*mesh.Message, error) {
	if _, err := s.c.w.mesh.Await(ctx, p); err != nil {
		p.Cancel()
		return nil, err
	}
	m, err := p.Take()
	if err != nil {
		return nil, err
	}
	return measured(m, from, n)
}

// awaitInto is await that copies.
func (s steps) awaitInto(ctx context.Context, p *mesh.Posted, from int, b []byte) error {
	m, err := s.await(ctx, p, from, len(b))
	if err != nil {
		return err
	}
	copy(b, m.Bytes())
	m.Release()
	return nil
}

// blocks are the parts of b that counts elements of a size make, by rank; an
// error if they are not all of b.
func (s steps) blocks(b []byte, counts []int, size int) ([][]byte, error) {
	if len(counts) != s.c.size {
		return nil, core.Errorf(core.Invalid, "%d counts for %d ranks", len(counts), s.c.size)
	}
	parts, rest := make([][]byte, len(counts)), b
	for r, n := range counts {
		if n < 0 || n*size > len(rest) {
			return nil, core.Errorf(core.Invalid, "the counts %v do not fit %d elements", counts, len(b)/max(size, 1))
		}
		parts[r], rest = rest[:n*size:n*size], rest[n*size:]
	}
	if len(rest) > 0 {
		return nil, core.Errorf(core.Invalid, "the counts %v are less than %d elements", counts, len(b)/max(size, 1))
	}
	return parts, nil
}

// even are the parts of b if each rank has as many.
func (s steps) even(b []byte, each int) ([][]byte, error) {
	if len(b) != each*s.c.size {
		return nil, core.Errorf(core.Invalid, "%d bytes for %d ranks with %d each", len(b), s.c.size, each)
	}
	parts := make([][]byte, s.c.size)
	for r := range parts {
		parts[r] = b[r*each : (r+1)*each : (r+1)*each]
	}
	return parts, nil
}
