package mesh

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/capstan-run/capstan/core"
)

// Mesh is one rank's end of the links to all ranks. Its methods may be called
// from any goroutine.
type Mesh struct {
	cfg     Config
	pool    pool
	in      inbox
	links   []atomic.Pointer[hop] // by rank; nil before the rank is linked
	arena   *arena                // nil where no rank is linked by shared memory
	readers sync.WaitGroup
	linker  *linker // nil where every link was made by Join

	// calls counts the calls under way; it is negative once closed, so that
	// no call touches memory that Close gives back.
	calls   atomic.Int64
	idle    chan struct{} // closed when closed and no call is under way
	rest    sync.Once     // of idle
	closing chan struct{}
	close   sync.Once
	result  error
	ended   chan struct{} // closed when result stands
	never   *fate         // of what has no peer
}

// link is the way to one rank.
type link interface {
	send(ctx context.Context, t Tag, n int, parts [][]byte) error
	// now sends a message if that need not wait for the peer.
	now(t Tag, n int, parts [][]byte) bool
	// propose offers a message, whatever its length, and returns what waits until
	// it is sent.
	propose(ctx context.Context, t Tag, n int, parts [][]byte) (func(context.Context) error, error)
	// hand sends b and owns it whatever the outcome.
	hand(ctx context.Context, t Tag, b *Buffer) error
	signal(ctx context.Context, t Tag, data []byte) error
	// taken gives the peer credits back.
	taken(n int, signal bool)
	// finish tells the peer that nothing more comes, and waits until it has
	// what came before.
	finish(ctx context.Context) error
	// abort ends the link at once; the peer is told nothing.
	abort()
	// free gives the link's memory back, after the last call.
	free()
}

// hop is a link and, where it has one, its ring.
type hop struct {
	link
	ring *shared // nil for other links
}

const closed = -1 << 40

func newMesh(cfg Config) *Mesh {
	m := &Mesh{cfg: cfg, closing: make(chan struct{}), idle: make(chan struct{}), ended: make(chan struct{}), never: newFate()}
	m.in = inbox{pool: &m.pool, closing: m.closing, window: cfg.Window, sources: make([]source, cfg.Size)}
	m.in.spin.single = runtime.GOMAXPROCS(0) == 1
	m.links = make([]atomic.Pointer[hop], cfg.Size)
	for r := range m.in.sources {
		m.in.sources[r].rank = r
		m.in.sources[r].self = r == cfg.Rank
	}
	return m
}

func (m *Mesh) enter() bool {
	if m.calls.Add(1) > 0 {
		return true
	}
	m.leave()
	return false
}

func (m *Mesh) leave() {
	if m.calls.Add(-1) == closed {
		m.rest.Do(func() { close(m.idle) })
	}
}

// Rank is this end's number.
func (m *Mesh) Rank() int { return m.cfg.Rank }

// Size is the number of ranks.
func (m *Mesh) Size() int { return m.cfg.Size }

// Send sends the bytes of parts, one after the other, as one message. When it
// returns, parts may be changed. Nil says that the message will arrive if
// neither rank is lost and the receiver does not close first, not that it has.
//
// It blocks while the peer's window is full, and where the message is large
// until the peer asks for it. A message that ctx ended is not received, nor is
// any part of it.
//
// Errors: a [*PeerError] about to, [ErrClosed], ctx's.
func (m *Mesh) Send(ctx context.Context, to int, t Tag, parts ...[]byte) error {
	if !m.enter() {
		return ErrClosed
	}
	defer m.leave()
	l, err := m.linkTo(ctx, to)
	if err != nil {
		return err
	}
	n := sizeOf(parts)
	if l.ring != nil && l.ring.now(t, n, parts) {
		return nil
	}
	m.in.sending(to, t)
	defer m.in.sent(to, t)
	// A copy, lest the caller's list moves to the heap on the way above too.
	return l.send(ctx, t, n, slices.Clone(parts))
}

// Recv returns the oldest message from a rank, or from [Any], under tag. It
// blocks until there is one. The caller owns the message and releases it.
//
// Errors: a [*PeerError] when the rank is gone and has left nothing under tag,
// [ErrClosed], ctx's. From Any it is an error that a rank is lost, until
// [Mesh.Forgive], or that all other ranks are gone. What ends with an error
// has taken no message.
func (m *Mesh) Recv(ctx context.Context, from int, t Tag) (*Message, error) {
	return m.recv(ctx, want{from: from, key: dataKey(t), mask: wholeKey})
}

// Signal sends data, at most [MaxSignal] bytes, on the control lane, which no
// amount of messages blocks. It has tags and an order of its own, and is
// received with [Mesh.RecvSignal] only. It blocks while the peer holds 64 KiB
// of signals it has not received.
func (m *Mesh) Signal(ctx context.Context, to int, t Tag, data []byte) error {
	if !m.enter() {
		return ErrClosed
	}
	defer m.leave()
	if len(data) > MaxSignal {
		return core.Errorf(core.Invalid, "signal of %d bytes, more than %d", len(data), MaxSignal).At(m.cfg.link(to)).Do("use Send")
	}
	l, err := m.linkTo(ctx, to)
	if err != nil {
		return err
	}
	return l.signal(ctx, t, data)
}

// RecvSignal is [Mesh.Recv] for the control lane.
func (m *Mesh) RecvSignal(ctx context.Context, from int, t Tag) (*Message, error) {
	return m.recv(ctx, want{from: from, key: dataKey(t) | signalKey, mask: wholeKey})
}

func (m *Mesh) recv(ctx context.Context, a want) (*Message, error) {
	if err := m.ask(a.from); err != nil {
		return nil, err
	}
	defer m.leave()
	return m.in.recv(ctx, a)
}

// Forgive lets Recv from [Any] do without a rank that is lost.
func (m *Mesh) Forgive(rank int) {
	if rank >= 0 && rank < m.cfg.Size {
		m.in.forgive(rank)
	}
}

func (m *Mesh) linkTo(ctx context.Context, to int) (*hop, error) {
	if to < 0 || to >= m.cfg.Size {
		return nil, core.Errorf(core.Invalid, "rank %d of %d ranks", to, m.cfg.Size).At("mesh")
	}
	if l := m.links[to].Load(); l != nil {
		return l, nil
	}
	return m.linker.link(ctx, to)
}

// attach makes l the way to rank r.
func (m *Mesh) attach(r int, l link, ring *shared) {
	m.in.attach(r, l, ring)
	m.links[r].Store(&hop{l, ring})
}

// linked are the links there are.
func (m *Mesh) linked() []link {
	var all []link
	for r := range m.links {
		if l := m.links[r].Load(); l != nil {
			all = append(all, l.link)
		}
	}
	return all
}

// Close ends the mesh. Calls that are blocked return [ErrClosed]. What was sent
// is delivered: Close waits until every peer has it, closed itself, or is lost.
// What was not received is dropped; peers get [ErrLeft] for what they send now.
// Where ctx ends first the rest is aborted and ctx's error returned.
//
// Messages and buffers stay good until they are released.
func (m *Mesh) Close(ctx context.Context) error {
	m.close.Do(func() {
		m.shut()
		var wg sync.WaitGroup
		select {
		case <-m.idle:
		case <-ctx.Done():
			m.abortLinks()
			<-m.idle
		}
		links := m.linked()
		errs := make([]error, len(links))
		for i, l := range links {
			wg.Go(func() { errs[i] = l.finish(ctx) })
		}
		wg.Wait()
		m.end(errors.Join(errs...))
	})
	<-m.ended
	return m.result
}

// Abort ends the mesh as a crash would: peers find this rank lost.
func (m *Mesh) Abort() {
	m.close.Do(func() {
		m.shut()
		m.abortLinks()
		<-m.idle
		m.end(nil)
	})
	<-m.ended
}

// shut lets no new call in and those under way know.
func (m *Mesh) shut() {
	m.in.close()
	m.linker.close()
	if m.calls.Add(closed) == closed {
		m.rest.Do(func() { close(m.idle) })
	}
}

func (m *Mesh) abortLinks() {
	for _, l := range m.linked() {
		l.abort()
	}
}

func (m *Mesh) end(err error) {
	m.readers.Wait()
	m.in.discard()
	for _, l := range m.linked() {
		l.free()
	}
	if m.arena != nil {
		m.arena.memory.release()
	}
	m.result = err
	close(m.ended)
}
