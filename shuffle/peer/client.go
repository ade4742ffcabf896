package peer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"
)

// Client reads ranges of objects from peers. Its fields must not change after
// the first call; it may be used from any goroutine.
type Client struct {
	// Where returns the addresses of the executors that may have an object,
	// "unix:///path" or "tcp://host:port", best first.
	Where func(object string) []string
	// Dial connects. Default net.Dialer; over an open network it brings TLS.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Patience is how long a peer may stay silent. Default 30 s.
	Patience time.Duration
	// MaxIdle bounds the connections kept per address. Default 4.
	MaxIdle int

	mu     sync.Mutex
	idle   map[string][]net.Conn
	closed bool
}

// ReadRange fills into with the bytes of the object from off on, from the
// first peer that has them. An object that no peer has is [os.ErrNotExist].
func (c *Client) ReadRange(ctx context.Context, object string, off int64, into []byte) error {
	q := request{name: object, off: off, length: int64(len(into))}
	if err := q.check(); err != nil {
		return err
	}
	errs := []error{}
	for _, address := range c.Where(object) {
		err := c.readFrom(ctx, address, q, into)
		if err == nil || ctx.Err() != nil {
			return err
		}
		errs = append(errs, fmt.Errorf("%s: %w", address, err))
	}
	if len(errs) == 0 {
		return fmt.Errorf("no peer for object %s: %w", object, os.ErrNotExist)
	}
	return errors.Join(errs...)
}

// readFrom reads from one peer. A kept connection may have been closed by the
// other side meanwhile: then a new one is tried, once.
func (c *Client) readFrom(ctx context.Context, address string, q request, into []byte) error {
	if conn := c.take(address); conn != nil {
		began, err := c.exchange(ctx, address, conn, q, into)
		if began || ctx.Err() != nil {
			return err
		}
	}
	conn, err := c.dial(ctx, address)
	if err != nil {
		return err
	}
	_, err = c.exchange(ctx, address, conn, q, into)
	return err
}

func (c *Client) dial(ctx context.Context, address string) (net.Conn, error) {
	network, rest, ok := strings.Cut(address, "://")
	if !ok || network != "unix" && network != "tcp" {
		return nil, fmt.Errorf("peer address %q is neither unix:// nor tcp://", address)
	}
	if c.Dial != nil {
		return c.Dial(ctx, network, rest)
	}
	d := net.Dialer{Timeout: c.patience()}
	return d.DialContext(ctx, network, rest)
}

func (c *Client) patience() time.Duration {
	if c.Patience == 0 {
		return DefaultPatience
	}
	return c.Patience
}

// exchange asks and reads on conn, which it keeps or closes. It reports
// whether the peer began to answer.
func (c *Client) exchange(ctx context.Context, address string, conn net.Conn, q request, into []byte) (began bool, err error) {
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	good := false
	defer func() {
		if !stop() || !good {
			conn.Close()
		} else {
			c.keep(address, conn)
		}
		if err != nil && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
	}()
	r := patientReader{conn: conn, patience: c.patience(), ctx: ctx}
	if _, err := conn.Write(q.append(nil)); err != nil {
		return false, fmt.Errorf("ask: %w", err)
	}
	good, err = readAnswer(&r, q.length)
	if err != nil {
		return r.some, err
	}
	good = false
	if _, err := io.ReadFull(&r, into); err != nil {
		return true, fmt.Errorf("read %d bytes: %w", len(into), err)
	}
	good = true
	return true, nil
}

// patientReader gives the peer its time for each read (law R4).
type patientReader struct {
	conn     net.Conn
	patience time.Duration
	ctx      context.Context // of the one exchange it lives for
	some     bool            // something was read
}

func (r *patientReader) Read(b []byte) (int, error) {
	if err := r.conn.SetReadDeadline(time.Now().Add(r.patience)); err != nil {
		return 0, err
	}
	if r.ctx.Err() != nil { // the deadline above may have undone the one that ends it
		return 0, context.Cause(r.ctx)
	}
	n, err := r.conn.Read(b)
	r.some = r.some || n > 0
	return n, err
}

func (c *Client) take(address string) net.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	conns := c.idle[address]
	if len(conns) == 0 {
		return nil
	}
	conn := conns[len(conns)-1]
	c.idle[address] = conns[:len(conns)-1]
	return conn
}

func (c *Client) keep(address string, conn net.Conn) {
	limit := c.MaxIdle
	if limit == 0 {
		limit = 4
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || len(c.idle[address]) >= limit {
		conn.Close()
		return
	}
	if c.idle == nil {
		c.idle = map[string][]net.Conn{}
	}
	c.idle[address] = append(c.idle[address], conn)
}

// Close closes the kept connections. Calls in progress end as they would; none
// of theirs is kept.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for _, conns := range c.idle {
		for _, conn := range conns {
			conn.Close()
		}
	}
	c.idle = nil
}
