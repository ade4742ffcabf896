package mpi

import (
	"context"
	"errors"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/shuffle/mesh"
)

// Request is an operation under way. One goroutine at a time waits for it or
// tests it.
type Request struct {
	c      *Comm
	posted *mesh.Posted
	what   string // for errors: "send to"
	peer   int
	tag    int

	receives bool
	want     trailer
	into     []byte
	message  *Message // of a receive without into

	over   bool
	status Status
	err    error
}

// Irecv is [Recv], which does not wait for the message. Receives take messages
// in the order in which they were begun. Until the request is done, into must
// not be touched.
func Irecv[T any](_ context.Context, c *Comm, from, tag int, into []T) (*Request, error) {
	return c.irecv(from, tag, trailer{kindOf[T](), sizeOf[T]()}, bytesOf(into))
}

func (c *Comm) irecv(from, tag int, want trailer, into []byte) (*Request, error) {
	if from == Null {
		return &Request{over: true, status: Status{Source: Null, Tag: AnyTag}}, nil
	}
	peer, t, mask, err := c.pattern(from, tag, want.kind)
	if err != nil {
		return nil, err
	}
	p, err := c.w.mesh.Post(peer, t, mask)
	if err != nil {
		return nil, c.failed("receive from", from, tag, err)
	}
	return &Request{c: c, posted: p, what: "receive from", peer: from, tag: tag, receives: true, want: want, into: into}, nil
}

// Wait waits until the request is done. Where ctx ends before, it is not, and
// may be waited for again.
func (r *Request) Wait(ctx context.Context) (Status, error) {
	if r.over {
		return r.status, r.err
	}
	if !r.posted.Done() {
		r.c.w.awaited.Store(r)
		_, err := r.c.w.mesh.Await(ctx, r.posted)
		r.c.w.awaited.Store(nil)
		if err != nil {
			return Status{}, r.failed(err)
		}
	}
	return r.finish()
}

// Test reports whether the request is done, and what Wait would return then.
func (r *Request) Test() (Status, bool, error) {
	if !r.over && !r.posted.Done() {
		return Status{}, false, nil
	}
	s, err := r.finish()
	return s, true, err
}

// Cancel gives up a receive that has no message yet, and reports whether it
// could: its Wait then returns [context.Canceled].
func (r *Request) Cancel() bool {
	return !r.over && r.receives && r.posted.Cancel()
}

// finish is what there is to do once posted is done.
func (r *Request) finish() (Status, error) {
	if r.over {
		return r.status, r.err
	}
	r.over = true
	m, err := r.posted.Take()
	switch {
	case err != nil:
		r.err = r.failed(err)
	case r.receives && r.want.kind == kindAny:
		r.message, r.err = r.c.open(m)
		if r.err == nil {
			r.status = r.message.Status
		}
	case r.receives:
		r.status, r.err = r.c.unpack(m, r.want, r.into)
		m.Release()
	}
	return r.status, r.err
}

func (r *Request) failed(err error) error {
	if r.what == "" { // a collective says it all
		return err
	}
	return r.c.failed(r.what, r.peer, r.tag, err)
}

// WaitAll waits until all requests are done, and returns the errors of those
// that have one.
func WaitAll(ctx context.Context, requests ...*Request) error {
	var errs []error
	for _, r := range requests {
		if _, err := r.Wait(ctx); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// TestAll reports whether all requests are done.
func TestAll(requests ...*Request) (bool, error) {
	var errs []error
	for _, r := range requests {
		_, done, err := r.Test()
		if !done {
			return false, nil
		}
		errs = append(errs, err)
	}
	return true, errors.Join(errs...)
}

// WaitAny waits until one of the requests is done that has not been waited for
// before, and returns its index; -1 where there is none such.
func WaitAny(ctx context.Context, requests ...*Request) (int, Status, error) {
	open, at := pending(requests)
	if len(open) == 0 {
		return -1, Status{}, nil
	}
	i, err := requests[at[0]].c.w.mesh.Await(ctx, open...)
	if err != nil {
		return -1, Status{}, err
	}
	s, err := requests[at[i]].finish()
	return at[i], s, err
}

// WaitSome waits as [WaitAny] does, and returns the indexes of all that are done
// by then.
func WaitSome(ctx context.Context, requests ...*Request) ([]int, error) {
	first, _, err := WaitAny(ctx, requests...)
	if first < 0 {
		return nil, err
	}
	done, errs := []int{first}, []error{err}
	open, at := pending(requests)
	for i, p := range open {
		if p.Done() {
			_, err := requests[at[i]].finish()
			done, errs = append(done, at[i]), append(errs, err)
		}
	}
	return done, errors.Join(errs...)
}

// pending are the requests that nobody has waited for, and their places.
func pending(requests []*Request) (open []*mesh.Posted, at []int) {
	for i, r := range requests {
		if r != nil && !r.over {
			open, at = append(open, r.posted), append(at, i)
		}
	}
	return open, at
}

// Persistent is a send or a receive that is begun again and again with the same
// arguments.
type Persistent struct {
	begin   func(ctx context.Context) (*Request, error)
	request *Request
}

// SendInit prepares an [Isend].
func SendInit[T any](c *Comm, to, tag int, data []T) *Persistent {
	return &Persistent{begin: func(ctx context.Context) (*Request, error) { return Isend(ctx, c, to, tag, data) }}
}

// RecvInit prepares an [Irecv].
func RecvInit[T any](c *Comm, from, tag int, into []T) *Persistent {
	return &Persistent{begin: func(ctx context.Context) (*Request, error) { return Irecv(ctx, c, from, tag, into) }}
}

// Start begins the operation, the one before being over.
func (p *Persistent) Start(ctx context.Context) (*Request, error) {
	if p.request != nil && !p.request.over {
		return nil, core.Errorf(core.Invalid, "the persistent request was started before, and is not done").Do("wait for it before it is started again")
	}
	var err error
	p.request, err = p.begin(ctx)
	return p.request, err
}
