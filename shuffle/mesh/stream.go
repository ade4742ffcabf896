package mesh

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
)

// stream is the data lane of a link over a network: one connection, and
// credits that the receiver gives back on the control lane.
type stream struct {
	w       *wire
	conn    net.Conn
	credits *credits
	eager   int // the largest message that is not offered first
	owed    debt
	got     atomic.Uint64

	mu    sync.Mutex
	buf   []byte
	sent  uint64
	ended bool
}

const (
	// streamEager is where asking first costs less than holding the bytes.
	streamEager = 64 << 10
	// joinBelow is the size up to which a copy costs less than a second piece
	// of a write.
	joinBelow = 16 << 10
)

func newStream(w *wire, conn net.Conn, peerWindow int) *stream {
	return &stream{w: w, conn: conn, credits: newCredits(peerWindow), eager: min(streamEager, peerWindow/4),
		owed: debt{window: w.m.cfg.Window}}
}

func (s *stream) send(ctx context.Context, t Tag, n int, parts [][]byte) (bool, error) {
	if n > s.eager {
		return false, nil
	}
	return true, s.write(ctx, kindData, t, n, n, parts)
}

func (s *stream) offer(ctx context.Context, t Tag, envelope []byte) error {
	return s.write(ctx, kindOffer, t, 0, len(envelope), [][]byte{envelope})
}

// write sends a frame that is charged for so many bytes.
func (s *stream) write(ctx context.Context, k kind, t Tag, charge, n int, parts [][]byte) error {
	if err := s.w.check(); err != nil {
		return err
	}
	if err := s.credits.take(ctx, s.w.waits, charge+overhead); err != nil {
		return err
	}
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return ErrClosed
	}
	s.sent++
	err := s.frame(label(k, t), n, parts)
	s.mu.Unlock()
	if err != nil {
		s.w.fail(err)
		<-s.w.down.over
		return s.w.down.err
	}
	return nil
}

func (s *stream) frame(l uint64, n int, parts [][]byte) error {
	s.buf = appendHeader(s.buf[:0], l, n)
	if n <= joinBelow {
		for _, p := range parts {
			s.buf = append(s.buf, p...)
		}
		_, err := s.conn.Write(s.buf)
		return err
	}
	all := append(net.Buffers{s.buf}, parts...)
	_, err := all.WriteTo(s.conn)
	return err
}

// run takes what comes. It never waits for a receiver: the window bounds what
// it holds.
func (s *stream) run() error {
	r := bufio.NewReaderSize(s.conn, 64<<10)
	var head [headerSize]byte
	for {
		k, t, n, err := readHeader(r, head[:])
		if err != nil {
			return err
		}
		m, err := s.message(r, k, t, n)
		if err != nil {
			return err
		}
		s.w.m.in.deliver(m)
		s.got.Add(1)
		s.w.settle()
	}
}

func (s *stream) message(r io.Reader, k kind, t Tag, n uint64) (*Message, error) {
	switch {
	case k == kindData && n <= streamEager:
		if err := s.owed.hold(int(n) + overhead); err != nil {
			return nil, fmt.Errorf("%w: more data than the window", err)
		}
		m := &Message{From: s.w.rank, Tag: t, charge: int32(n) + overhead}
		_, err := io.ReadFull(r, m.reserve(&s.w.m.pool, int(n)))
		return m, cutShort(err)
	case k == kindOffer && n == offerSize:
		if err := s.owed.hold(overhead); err != nil {
			return nil, fmt.Errorf("%w: more offers than the window", err)
		}
		var envelope [offerSize]byte
		if _, err := io.ReadFull(r, envelope[:]); err != nil {
			return nil, cutShort(err)
		}
		return s.w.gotOffer(t, envelope[:])
	}
	return nil, fmt.Errorf("%w: frame of kind %d with %d bytes on the data lane", errProtocol, k, n)
}

func (s *stream) hand(context.Context, Tag, *Buffer) (bool, error) { return false, nil }

func (s *stream) taken(n int) {
	if n := s.owed.add(n); n > 0 {
		s.w.control.post(kindCredit, creditData, one(n))
	}
}

func (s *stream) credit(n uint64) error { return s.credits.give(n) }

func (s *stream) rang() {}

func (s *stream) end() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	return s.sent
}

func (s *stream) has(count uint64) bool { return s.got.Load() >= count }
func (s *stream) lost()                 {}
func (s *stream) close()                { s.conn.Close() }
func (s *stream) unmap()                {}
