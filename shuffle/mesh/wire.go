package mesh

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"sync"
)

// wire links two processes: a control lane, a data lane that keeps the order,
// and bulk lanes for what is large.
//
//	sender                                receiver
//	  ── data ───────────────────────────→   small: at once, within the window
//	  ── offer ─────→  … matched … ← accept ─
//	  ══ body, body, … over the bulk lanes ═→   large: when asked for
type wire struct {
	waits
	m       *Mesh
	rank    int
	control *control
	data    dataLane
	bulk    []*bulk
	readers []func() error // of the data and bulk lanes
	signals *credits       // that we may send
	owed    debt           // of the signals we took

	mu        sync.Mutex
	nextOffer uint64
	offers    map[uint64]chan struct{} // ours, by number; closed when accepted
	offered   map[uint64]*offer        // the peer's, not accepted
	void      map[uint64]bool          // the peer's, withdrawn before they came
	incoming  map[uint64]*incoming     // the peer's, accepted
	farewell  bool                     // the peer said finish
	count     uint64                   // of what it sent, says its finish
	complete  bool                     // all that it sent is here

	finished chan struct{} // closed when the peer has all that we sent
	once     sync.Once     // of finished
	dead     chan struct{} // closed when the control lane has ended
	cause    error         // why we ended the link; guarded by mu
	gone     *PeerError    // the peer is lost; guarded by mu
}

// dataLane carries what must stay in order.
type dataLane interface {
	// send sends a message; it reports false, and did nothing, where the
	// message is too large for the lane.
	send(ctx context.Context, t Tag, n int, parts [][]byte) (bool, error)
	offer(ctx context.Context, t Tag, envelope []byte) error
	hand(ctx context.Context, t Tag, b *Buffer) (bool, error)
	taken(n int)
	credit(n uint64) error
	rang()
	// end refuses further messages and returns how many were sent.
	end() uint64
	// has reports whether so many messages are here.
	has(count uint64) bool
	// lost is told that the peer's process is gone.
	lost()
	close()
	unmap()
}

func newWire(m *Mesh, rank int, conn net.Conn) *wire {
	return &wire{
		waits: waits{m.closing, newFate()}, m: m, rank: rank, control: newControl(conn),
		signals: newCredits(signalWindow), owed: debt{window: signalWindow},
		offers: map[uint64]chan struct{}{}, offered: map[uint64]*offer{}, void: map[uint64]bool{}, incoming: map[uint64]*incoming{},
		finished: make(chan struct{}), dead: make(chan struct{}),
	}
}

// start runs the link's goroutines.
func (w *wire) start() {
	w.m.readers.Go(w.control.run)
	w.m.readers.Go(w.readControl)
	for _, read := range w.readers {
		w.m.readers.Go(func() { w.over(read()) })
	}
}

func (w *wire) send(ctx context.Context, t Tag, n int, parts [][]byte) error {
	sent, err := w.data.send(ctx, t, n, parts)
	if sent || err != nil {
		return err
	}
	return w.rendezvous(ctx, t, n, parts)
}

func (w *wire) hand(ctx context.Context, t Tag, b *Buffer) error {
	sent, err := w.data.hand(ctx, t, b)
	if sent {
		return err
	}
	defer b.Release()
	return w.send(ctx, t, len(b.b), [][]byte{b.b})
}

func (w *wire) signal(ctx context.Context, t Tag, data []byte) error {
	if err := w.check(); err != nil {
		return err
	}
	if err := w.signals.take(ctx, w.waits, len(data)+overhead); err != nil {
		return err
	}
	w.control.post(kindSignal, t, data)
	return nil
}

func (w *wire) taken(n int, signal bool) {
	if !signal {
		w.data.taken(n)
		return
	}
	if n := w.owed.add(n); n > 0 {
		w.control.post(kindCredit, creditSignals, one(n))
	}
}

// The tags of a credit frame: what it is for.
const (
	creditData    Tag = 0
	creditSignals Tag = 1
)

// readControl is the goroutine of the control lane. It waits for nothing but
// the peer.
func (w *wire) readControl() {
	defer close(w.dead)
	r, buf := bufio.NewReader(w.control.conn), make([]byte, MaxSignal)
	for {
		k, t, payload, err := readControl(r, buf)
		if err == nil {
			err = w.obey(k, t, payload)
		}
		if err != nil {
			w.over(err)
			return
		}
	}
}

// obey does what a control frame asks.
func (w *wire) obey(k kind, t Tag, payload []byte) error {
	switch k {
	case kindSignal:
		return w.gotSignal(t, payload)
	case kindCredit:
		if t == creditSignals {
			return w.signals.give(number(payload))
		}
		return w.data.credit(number(payload))
	case kindAccept:
		w.accepted(number(payload))
	case kindWithdraw:
		return w.withdrawn(number(payload))
	case kindFinish:
		return w.gotFinish(number(payload))
	case kindFinished:
		w.once.Do(func() { close(w.finished) })
	case kindDoorbell:
		w.data.rang()
	}
	return nil
}

func (w *wire) gotSignal(t Tag, data []byte) error {
	if err := w.owed.hold(len(data) + overhead); err != nil {
		return err
	}
	msg := &Message{From: w.rank, Tag: t, signal: true, charge: int32(len(data)) + overhead}
	copy(msg.reserve(&w.m.pool, len(data)), data)
	w.m.in.deliver(msg)
	return nil
}

// gotFinish notes that the peer sends nothing more, and takes nothing.
func (w *wire) gotFinish(count uint64) error {
	w.mu.Lock()
	again := w.farewell
	w.farewell, w.count = true, count
	w.mu.Unlock()
	if again {
		return errProtocol
	}
	w.down.seal(left(w.rank))
	w.settle()
	return nil
}

// settle answers a finish once all that was sent is here.
func (w *wire) settle() {
	w.mu.Lock()
	ready := w.farewell && !w.complete && w.gone == nil && len(w.incoming) == 0 && w.data.has(w.count)
	w.complete = w.complete || ready
	w.mu.Unlock()
	if ready {
		w.m.in.leave(w.rank, left(w.rank))
		w.control.post(kindFinished, 0, nil)
	}
}

// over ends the link because a lane has ended with err.
func (w *wire) over(err error) {
	pending, why := w.lose(err)
	w.hangUp()
	if why == nil {
		return
	}
	w.down.seal(why)
	for _, o := range pending {
		o.finish(why)
	}
	w.data.lost()
	w.m.in.leave(w.rank, why)
}

// lose notes that the peer is lost, and returns the offers that end with it;
// nil where the peer has left in order.
func (w *wire) lose(err error) ([]*offer, *PeerError) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.complete {
		return nil, nil
	}
	if w.cause != nil {
		err = w.cause
	}
	if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
		err = nil // a cut link says no more than that the rank is lost
	}
	if w.gone == nil {
		w.gone = lost(w.rank, err)
	}
	var pending []*offer
	for _, in := range w.incoming {
		pending = append(pending, in.offer)
	}
	for _, o := range w.offered {
		pending = append(pending, o)
	}
	clear(w.incoming)
	clear(w.offered)
	return pending, w.gone
}

// fail ends the link because of what the peer did; its readers see to the rest.
func (w *wire) fail(err error) {
	w.mu.Lock()
	if w.cause == nil {
		w.cause = err
	}
	w.mu.Unlock()
	w.control.conn.Close()
}

func (w *wire) hangUp() {
	w.control.end()
	w.control.conn.Close()
	w.data.close()
	for _, b := range w.bulk {
		b.conn.Close()
	}
}

func (w *wire) finish(ctx context.Context) error {
	w.control.post(kindFinish, 0, one(w.data.end()))
	var err error
	select {
	case <-w.finished:
	case <-w.dead:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err == nil {
		// Our answer to the peer's finish may still be in the queue.
		w.control.end()
		<-w.control.gone
	}
	w.hangUp()
	return err
}

func (w *wire) abort() { w.hangUp() }

func (w *wire) free() { w.data.unmap() }

// debt is what we have taken of a peer's messages and not yet credited.
type debt struct {
	mu     sync.Mutex
	window int
	held   int // in our queues: what the peer has spent
	taken  int // of that, to be credited
}

// hold notes a message that came. More than the window is the peer's fault.
func (d *debt) hold(n int) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.held += n; d.held > d.window {
		return errProtocol
	}
	return nil
}

// add notes a message that was received and returns what to credit now: many
// small credits would cost more than the messages.
func (d *debt) add(n int) uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.taken += n; d.taken < d.window/4 {
		return 0
	}
	n, d.taken = d.taken, 0
	d.held -= n
	return uint64(n)
}
