package mesh

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"time"
)

// control is the control lane of a link: small frames that are written in
// order, without the writer ever waiting. What the kernel does not take at once
// is queued for a goroutine; the protocol bounds the queue.
type control struct {
	conn net.Conn
	raw  syscall.RawConn // nil where a frame cannot be written as it is

	mu     sync.Mutex
	queue  []byte
	more   *sync.Cond
	busy   bool
	ending bool
	gone   chan struct{} // closed when nothing is written from the queue any more
}

func newControl(conn net.Conn) *control {
	c := &control{conn: conn, gone: make(chan struct{})}
	c.more = sync.NewCond(&c.mu)
	if s, ok := conn.(syscall.Conn); ok {
		c.raw, _ = s.SyscallConn()
	}
	return c
}

// post sends a frame. It never blocks; that the link is broken shows elsewhere.
func (c *control) post(k kind, t Tag, payload []byte) {
	var buf [headerSize + 64]byte
	frame := append(appendHeader(buf[:0], label(k, t), len(payload)), payload...)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.raw != nil && !c.busy && len(c.queue) == 0 {
		n := c.try(frame)
		frame = frame[n:]
	}
	if len(frame) > 0 && !c.ending {
		c.queue = append(c.queue, frame...)
		c.more.Signal()
	}
}

// try writes what the kernel takes at once.
func (c *control) try(frame []byte) int {
	written := 0
	_ = c.raw.Write(func(fd uintptr) bool {
		n, err := syscall.Write(int(fd), frame)
		if err == nil {
			written = n
		}
		return true
	})
	return written
}

// run writes the queue until the lane ends.
func (c *control) run() {
	defer close(c.gone)
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		for len(c.queue) == 0 && !c.ending {
			c.more.Wait()
		}
		if len(c.queue) == 0 {
			return
		}
		out := c.queue
		c.queue, c.busy = nil, true
		c.mu.Unlock()
		_, err := c.conn.Write(out)
		c.mu.Lock()
		c.busy = false
		if err != nil {
			c.queue, c.ending = nil, true
			return
		}
	}
}

// end lets run return once the queue is written. No frame is queued after it.
func (c *control) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ending = true
	c.more.Signal()
	// A peer that reads no more must not hold us.
	_ = c.conn.SetWriteDeadline(time.Now().Add(farewell))
}

// farewell is how long a peer that reads nothing holds up a Close that is
// otherwise done.
const farewell = time.Second

// read takes the next frame of a control lane. The payload is good until the
// next call.
func readControl(r io.Reader, buf []byte) (kind, Tag, []byte, error) {
	k, t, n, err := readHeader(r, buf)
	if err != nil {
		return 0, 0, nil, err
	}
	want := uint64(0)
	switch k {
	case kindSignal:
		want = min(n, MaxSignal)
	case kindCredit, kindAccept, kindWithdraw, kindFinish:
		want = creditSize
	case kindFinished, kindDoorbell:
	default:
		return 0, 0, nil, fmt.Errorf("%w: frame of kind %d on the control lane", errProtocol, k)
	}
	if n != want {
		return 0, 0, nil, fmt.Errorf("%w: control frame of kind %d with %d bytes", errProtocol, k, n)
	}
	if _, err := io.ReadFull(r, buf[:n]); err != nil {
		return 0, 0, nil, cutShort(err)
	}
	return k, t, buf[:n], nil
}

// cutShort makes the end of a stream within a frame an error of its own.
func cutShort(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

func number(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }
