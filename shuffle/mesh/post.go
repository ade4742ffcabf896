package mesh

import (
	"context"
	"slices"
	"sync/atomic"

	"github.com/capstan-run/capstan/core"
)

// WholeTag is the mask of who asks for one tag.
const WholeTag = ^Tag(0)

// RecvMatch is [Mesh.Recv] of the oldest message whose tag is t in the bits that
// mask has. Of one sender, messages of different tags come in the order they
// were sent too.
func (m *Mesh) RecvMatch(ctx context.Context, from int, t, mask Tag) (*Message, error) {
	return m.recv(ctx, wanted(from, t, mask))
}

func wanted(from int, t, mask Tag) want {
	return want{from: from, key: dataKey(t & mask), mask: maskKey(mask)}
}

// RecvSpared receives under a tag from any rank, those that are gone
// notwithstanding, for who serves the others. A goroutine that serves has every
// rank ring for each message: others cost more meanwhile.
func (m *Mesh) RecvSpared(ctx context.Context, t Tag) (*Message, error) {
	a := wanted(Any, t, WholeTag)
	a.spare = true
	return m.recv(ctx, a)
}

// TryRecv is [Mesh.RecvMatch] where it need not wait for a message; nil where it
// would. It waits, if need be, for the bytes of a large one.
func (m *Mesh) TryRecv(ctx context.Context, from int, t, mask Tag) (*Message, error) {
	if err := m.ask(from); err != nil {
		return nil, err
	}
	defer m.leave()
	return m.in.try(ctx, wanted(from, t, mask))
}

// Return makes a message that was received the oldest again, as if it had not
// been.
func (m *Mesh) Return(msg *Message) {
	if !m.enter() {
		msg.Release()
		return
	}
	defer m.leave()
	m.in.putBack(msg)
}

// Post asks for a message as [Mesh.RecvMatch] does, without waiting for it.
// What was posted before takes what comes before.
//
// A large message is fetched as soon as it is there and some call of the mesh
// waits, be it for something else; else whenever somebody looks.
func (m *Mesh) Post(from int, t, mask Tag) (*Posted, error) {
	if err := m.ask(from); err != nil {
		return nil, err
	}
	defer m.leave()
	p := &Posted{m: m, w: waiter{want: wanted(from, t, mask)}}
	p.w.posted = p
	m.in.mu.Lock()
	defer m.in.mu.Unlock()
	m.in.post(p, len(m.in.waiters))
	return p, nil
}

// ask enters a call that wants something from a rank.
func (m *Mesh) ask(from int) error {
	if from != Any && (from < 0 || from >= m.cfg.Size) {
		return core.Errorf(core.Invalid, "rank %d of %d ranks", from, m.cfg.Size).At("mesh")
	}
	if !m.enter() {
		return ErrClosed
	}
	if from != Any && m.links[from].Load() == nil {
		m.linker.want(from) // lest the loss of a rank that never sent stays unnoticed
	}
	return nil
}

// Posted is a message that was asked for.
//
//	asked ──match──→ (being fetched) ──→ done
//	  └──Cancel──→ done with context.Canceled
type Posted struct {
	m    *Mesh
	w    waiter
	done atomic.Bool   // what w has stands
	bell chan struct{} // rung when done, for who sleeps; guarded by the inbox
}

// Done reports whether Take has something to return. It looks for it.
func (p *Posted) Done() bool {
	if p.done.Load() {
		return true
	}
	if !p.m.enter() {
		return p.done.Load()
	}
	defer p.m.leave()
	p.m.in.mu.Lock()
	p.m.in.poll(p.w.from)
	p.m.in.mu.Unlock()
	return p.done.Load()
}

// Take returns the message, or why there is none, once p is done. It is the
// caller's from then on.
func (p *Posted) Take() (*Message, error) { return p.w.msg, p.w.err }

// Cancel gives up what has no message yet; false where it has.
func (p *Posted) Cancel() bool {
	in := &p.m.in
	in.mu.Lock()
	defer in.mu.Unlock()
	i := slices.Index(in.waiters, &p.w)
	if i < 0 {
		return false
	}
	in.waiters = slices.Delete(in.waiters, i, i+1)
	p.finish(context.Canceled)
	return true
}

// Await waits until one of ps, which is not empty, is done and returns its
// index. A call that ends with an error has no effect. One goroutine at a time
// waits for a Posted.
func (m *Mesh) Await(ctx context.Context, ps ...*Posted) (int, error) {
	if i := anyDone(ps); i >= 0 {
		return i, nil
	}
	if !m.enter() {
		return -1, ErrClosed
	}
	defer m.leave()
	return m.in.await(ctx, ps)
}

func anyDone(ps []*Posted) int {
	for i, p := range ps {
		if p.done.Load() {
			return i
		}
	}
	return -1
}

// settle notes that w has a message or an error. Under the inbox's lock.
func (p *Posted) settle() {
	switch {
	case p.w.err != nil:
		p.finish(p.w.err)
	case p.w.msg.offer == nil:
		p.m.in.repay(p.w.msg)
		p.finish(nil)
	case p.m.in.shut:
		p.finish(ErrClosed)
	default:
		p.m.in.repay(p.w.msg)
		p.m.readers.Go(p.fetch)
	}
}

func (p *Posted) finish(err error) {
	if err != nil {
		p.w.msg, p.w.err = nil, err
	}
	p.done.Store(true)
	if p.bell != nil {
		select {
		case p.bell <- struct{}{}:
		default:
		}
	}
	p.m.in.arrivals.Add(1)
}

// fetch gets the bytes of a large message. One whose sender has given up is
// none: p is the first to be served then.
func (p *Posted) fetch() {
	err := p.w.msg.fetch(context.Background(), &p.m.in)
	p.m.in.mu.Lock()
	defer p.m.in.mu.Unlock()
	if err == errWithdrawn {
		p.w.msg = nil
		p.m.in.post(p, 0)
		return
	}
	p.finish(err)
}

// post settles p, or puts it before the ith waiter. Under the lock.
func (in *inbox) post(p *Posted, i int) {
	p.w.msg, p.w.err = in.match(p.w.want)
	if p.w.msg == nil && p.w.err == nil {
		in.waiters = slices.Insert(in.waiters, min(i, len(in.waiters)), &p.w)
		if in.asleep > 0 {
			in.watch(p.w.from)
		}
		return
	}
	p.settle()
}

func (in *inbox) try(ctx context.Context, a want) (*Message, error) {
	for {
		in.mu.Lock()
		m, err := in.match(a)
		in.mu.Unlock()
		if m == nil || err != nil {
			return nil, err
		}
		in.repay(m)
		if m.offer == nil {
			return m, nil
		}
		if err := m.fetch(ctx, in); err == nil {
			return m, nil
		} else if err != errWithdrawn {
			return nil, err
		}
	}
}

// poll takes what lies in the ring of a rank, or in all. Under the lock.
func (in *inbox) poll(from int) {
	if in.shut {
		return
	}
	if from != Any {
		in.drain(&in.sources[from], nothing)
		return
	}
	for _, s := range in.rings {
		in.drain(s, nothing)
	}
}

// await is next and sleep for what was posted.
func (in *inbox) await(ctx context.Context, ps []*Posted) (int, error) {
	from := ps[0].w.from
	for _, p := range ps {
		if p.w.from != from {
			from = Any
		}
	}
	budget := -1
	for {
		seen := in.arrivals.Load()
		in.mu.Lock()
		in.poll(from)
		look := in.look(from)
		in.mu.Unlock()
		if i := anyDone(ps); i >= 0 {
			if budget > 0 {
				in.spin.won()
			}
			return i, nil
		}
		if budget < 0 {
			budget = in.spin.budget(look.polls())
		} else {
			budget = max(0, budget-matchLooks)
		}
		if !in.spin.until(&budget, func() bool { return in.arrivals.Load() != seen || look.ready() }) {
			if look.polls() {
				in.spin.lost()
			}
			return in.sleepFor(ctx, ps, from)
		}
	}
}

func (in *inbox) sleepFor(ctx context.Context, ps []*Posted, from int) (int, error) {
	bell := make(chan struct{}, 1)
	in.mu.Lock()
	in.poll(from)
	for _, p := range ps {
		p.bell = bell
	}
	in.doze()
	in.mu.Unlock()
	defer in.rise()
	defer in.unhang(ps)
	for {
		if i := anyDone(ps); i >= 0 {
			return i, nil
		}
		select {
		case <-bell:
		case <-ctx.Done():
			return -1, ctx.Err()
		case <-in.closing:
			return -1, ErrClosed
		}
	}
}

func (in *inbox) unhang(ps []*Posted) {
	in.mu.Lock()
	for _, p := range ps {
		p.bell = nil
	}
	in.mu.Unlock()
}
