package mesh

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// bulk is a connection that carries the bytes of large messages, in pieces.
type bulk struct {
	conn  net.Conn
	batch *batch // below its TLS; nil: no TLS
	mu    sync.Mutex
	head  [headerSize + bodySize]byte
}

func newBulk(conn net.Conn) *bulk {
	b := &bulk{conn: conn}
	if t, ok := conn.(*tls.Conn); ok {
		b.batch, _ = t.NetConn().(*batch)
	}
	return b
}

const (
	// pieceSize is how long one message holds a bulk lane against others.
	pieceSize = 4 << 20
	// stripeFrom is the size from which a message uses several lanes.
	stripeFrom = 1 << 20
)

// incoming is a message that is being filled.
type incoming struct {
	*offer
	got int // bytes claimed by pieces
	now int // pieces being read
}

// rendezvous sends a message that the receiver must ask for.
func (w *wire) rendezvous(ctx context.Context, t Tag, n int, parts [][]byte) error {
	finish, err := w.propose(ctx, t, n, parts)
	if err != nil {
		return err
	}
	return finish(ctx)
}

// propose offers a message, and returns what waits until it is sent.
func (w *wire) propose(ctx context.Context, t Tag, n int, parts [][]byte) (func(context.Context) error, error) {
	id, accepted := w.announce()
	if err := w.data.offer(ctx, t, two(id, uint64(n))); err != nil {
		w.retract(id)
		return nil, err
	}
	return func(ctx context.Context) error {
		if err := w.wait(ctx, accepted); err != nil && w.retract(id) {
			w.control.post(kindWithdraw, 0, one(id))
			return err
		}
		if err := w.stream(id, n, parts); err != nil {
			w.fail(err)
			<-w.down.over
			return w.down.err
		}
		return nil
	}, nil
}

func (w *wire) announce() (uint64, chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.nextOffer++
	ch := make(chan struct{})
	w.offers[w.nextOffer] = ch
	return w.nextOffer, ch
}

// retract takes an offer back, if it was not accepted meanwhile.
func (w *wire) retract(id uint64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, open := w.offers[id]
	delete(w.offers, id)
	return open
}

// accepted lets the sender of an offer go on. One that was withdrawn meanwhile
// is not known any more.
func (w *wire) accepted(id uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if ch := w.offers[id]; ch != nil {
		delete(w.offers, id)
		close(ch)
	}
}

// stream writes a message's bytes to the bulk lanes.
func (w *wire) stream(id uint64, n int, parts [][]byte) error {
	lanes := len(w.bulk)
	if n < stripeFrom {
		lanes = 1
	}
	stripe := (n/lanes + 63) &^ 63
	errs := make([]error, lanes)
	var wg sync.WaitGroup
	for i := range lanes {
		off := min(n, i*stripe)
		end := min(n, off+stripe)
		if i == lanes-1 {
			end = n
		}
		b := w.bulk[(int(id)+i)%len(w.bulk)]
		if i == lanes-1 {
			errs[i] = b.write(id, off, end, parts)
		} else {
			wg.Go(func() { errs[i] = b.write(id, off, end, parts) })
		}
	}
	wg.Wait()
	return errors.Join(errs...)
}

// write sends bytes off to end of a message.
func (b *bulk) write(id uint64, off, end int, parts [][]byte) error {
	for off < end {
		n := min(pieceSize, end-off)
		if err := b.piece(id, off, cut(parts, off, n), n); err != nil {
			return err
		}
		off += n
	}
	return nil
}

func (b *bulk) piece(id uint64, off int, parts [][]byte, n int) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	head := append(appendHeader(b.head[:0], label(kindBody, 0), bodySize+n), two(id, uint64(off))...)
	all := net.Buffers(append([][]byte{head}, parts...))
	if b.batch == nil {
		_, err := all.WriteTo(b.conn)
		return err
	}
	b.batch.gather()
	_, err := all.WriteTo(b.conn)
	return errors.Join(err, b.batch.flush())
}

// gotOffer makes the message of an offer that came.
func (w *wire) gotOffer(t Tag, envelope []byte) (*Message, error) {
	id, n := readTwo(envelope)
	if n > uint64(w.m.cfg.MaxMessage) || n == 0 {
		return nil, fmt.Errorf("%w: it offers a message of %d bytes, at most %d are taken here", errProtocol, n, w.m.cfg.MaxMessage)
	}
	o := newOffer(int(n))
	o.ask = func() { w.accept(id, o) }
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.offered[id] != nil || w.incoming[id] != nil {
		return nil, fmt.Errorf("%w: offer %d came twice", errProtocol, id)
	}
	switch {
	case w.gone != nil:
		o.finish(w.gone) // it lay in the ring of a peer that is lost
	case w.void[id]:
		delete(w.void, id)
		o.finish(errWithdrawn)
	default:
		w.offered[id] = o
	}
	return &Message{From: w.rank, Tag: t, charge: overhead, offer: o}, nil
}

// accept asks the sender of an offer for its bytes.
func (w *wire) accept(id uint64, o *offer) {
	buf := w.m.pool.Get(o.length)
	w.mu.Lock()
	_, open := w.offered[id]
	if open {
		delete(w.offered, id)
		o.buf = buf
		w.incoming[id] = &incoming{offer: o}
	}
	w.mu.Unlock()
	if !open {
		w.m.pool.Free(buf)
		return
	}
	w.control.post(kindAccept, 0, one(id))
}

// withdrawn ends an offer whose sender gave up. The control lane may be ahead
// of the data lane, so the offer may be yet to come.
func (w *wire) withdrawn(id uint64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	o := w.offered[id]
	if in := w.incoming[id]; in != nil {
		o = in.offer
	}
	delete(w.offered, id)
	delete(w.incoming, id)
	if o != nil {
		o.finish(errWithdrawn)
		return nil
	}
	if w.void[id] = true; len(w.void) > 2*w.m.cfg.Window/overhead {
		return fmt.Errorf("%w: %d offers withdrawn that never came", errProtocol, len(w.void))
	}
	return nil
}

// readBulk fills messages from a bulk lane until it ends.
func (w *wire) readBulk(b *bulk) error {
	r := bufio.NewReaderSize(b.conn, 4<<10)
	var buf [headerSize + bodySize]byte
	for {
		k, _, n, err := readHeader(r, buf[:])
		if err != nil {
			return err
		}
		if k != kindBody || n < bodySize || n > bodySize+pieceSize {
			return fmt.Errorf("%w: frame of kind %d with %d bytes on a bulk lane", errProtocol, k, n)
		}
		if _, err := io.ReadFull(r, buf[:bodySize]); err != nil {
			return cutShort(err)
		}
		id, off := readTwo(buf[:])
		if b.batch != nil {
			b.batch.readAhead(true)
		}
		err = w.fill(r, id, off, int(n-bodySize))
		if b.batch != nil {
			b.batch.readAhead(false)
		}
		if err != nil {
			return cutShort(err)
		}
	}
}

// fill reads n bytes of a message into their place.
func (w *wire) fill(r io.Reader, id, off uint64, n int) error {
	w.mu.Lock()
	in := w.incoming[id]
	if in == nil {
		w.mu.Unlock()
		_, err := io.CopyN(io.Discard, r, int64(n))
		return err
	}
	if off > uint64(in.length) || n > in.length-int(off) || n > in.length-in.got {
		w.mu.Unlock()
		return fmt.Errorf("%w: %d bytes at %d of a message of %d", errProtocol, n, off, in.length)
	}
	in.got += n
	in.now++
	w.mu.Unlock()

	_, err := io.ReadFull(r, in.buf[off:int(off)+n])

	w.mu.Lock()
	in.now--
	done := err == nil && in.now == 0 && in.got == in.length && w.incoming[id] == in
	if done {
		delete(w.incoming, id)
	}
	w.mu.Unlock()
	if done {
		in.finish(nil)
		w.settle()
	}
	return err
}
