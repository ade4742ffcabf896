package exec

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

const piece = 1 << 20 // bytes of an inline payload that memory is taken for at a time

// conn is the proxy's end of the socket. One goroutine reads, any writes.
type conn struct {
	sock *net.UnixConn
	in   *bufio.Reader
	read int64 // requests

	mu   sync.Mutex
	dead bool // a write has failed
}

func newConn(sock *net.UnixConn) *conn {
	return &conn{sock: sock, in: bufio.NewReaderSize(sock, 64<<10)}
}

// nonsense is that a process wrote what is no request (law X2).
type nonsense struct {
	at   int64 // which request, from 1 on
	what string
}

func (n nonsense) Error() string {
	return fmt.Sprintf("request %d makes no sense: %s", n.at, n.what)
}

// next reads a request whole; io.EOF where the stream ends between two.
func (c *conn) next() (*request, error) {
	var head [requestSize]byte
	n, err := io.ReadFull(c.in, head[:])
	if err == io.EOF || n == 0 && err != nil {
		return nil, io.EOF
	}
	c.read++
	if err != nil {
		return nil, nonsense{c.read, fmt.Sprintf("its stream ends after %d of %d bytes", n, requestSize)}
	}
	r := new(request)
	r.decode(head[:])
	if err := r.check(); err != nil {
		return nil, nonsense{c.read, err.Error()}
	}
	b, err := c.inline(int(r.inline))
	if err != nil {
		return nil, nonsense{c.read, fmt.Sprintf("%s: its stream ends after %d of %d inline bytes", r.command.name(), len(b), r.inline)}
	}
	r.body(b)
	return r, nil
}

// inline reads n bytes, which are aligned for any kind where the counts end.
func (c *conn) inline(n int) ([]byte, error) {
	b := aligned(min(n, piece))[:0]
	for len(b) < n {
		some := min(n-len(b), piece)
		if cap(b)-len(b) < some {
			more := aligned(min(n, max(2*cap(b), len(b)+some)))
			b = more[:copy(more, b)]
		}
		got, err := io.ReadFull(c.in, b[len(b):len(b)+some])
		b = b[:len(b)+got]
		if err != nil {
			return b, err
		}
	}
	return b, nil
}

// aligned is memory that begins at a multiple of 8.
func aligned(n int) []byte {
	words := make([]uint64, (n+7)/8)
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), n)
}

// answer writes a's answer to r. That the process is gone is for the reader to
// find.
func (c *conn) answer(r *request, a *answer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a.fd > 0 {
		defer unix.Close(a.fd)
	}
	if c.dead {
		return
	}
	if err := c.write(a.encode(r), a); err != nil {
		c.dead = true
	}
}

func (c *conn) write(head []byte, a *answer) error {
	if a.fd == 0 {
		bufs := net.Buffers{head, a.data}
		_, err := bufs.WriteTo(c.sock)
		return err
	}
	n, _, err := c.sock.WriteMsgUnix(head, unix.UnixRights(a.fd), nil)
	if err != nil {
		return err
	}
	bufs := net.Buffers{head[n:], a.data}
	_, err = bufs.WriteTo(c.sock)
	return err
}

// isNonsense tells what a process did wrong from what befell the rank.
func isNonsense(err error) bool {
	var n nonsense
	return errors.As(err, &n)
}
