package console

import (
	"bufio"
	"context"
	"crypto/subtle"
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

const (
	// helloWithin is how long a desk may take to say the secret.
	helloWithin = 2 * time.Second
	// byeWithin is how long what waits at the end may take to be written.
	byeWithin = 5 * time.Second
)

// Line is a coordinator's end. A nil Line, or one whose desk is gone, takes
// everything and says nothing (law D3).
type Line struct {
	conn  net.Conn
	taken func(*Frame)
	input func(*Frame)

	mu    sync.Mutex
	queue []*Frame
	wake  chan struct{}
	quit  chan struct{}
	done  sync.WaitGroup
}

// Dial finds the desk at socket. taken is told of each output frame once it is
// written, or will never be; input of each frame of input. Both are called from
// goroutines of the Line.
func Dial(ctx context.Context, socket, secret string, taken, input func(*Frame)) *Line {
	l := &Line{taken: taken, input: input, wake: make(chan struct{}, 1), quit: make(chan struct{})}
	var r *bufio.Reader
	if socket != "" {
		l.conn, r = hello(ctx, socket, secret)
	}
	l.done.Go(l.write)
	if l.conn != nil {
		l.done.Go(func() { l.read(r) })
	}
	return l
}

// hello dials and hears the secret (law D2).
func hello(ctx context.Context, socket, secret string) (net.Conn, *bufio.Reader) {
	ctx, cancel := context.WithTimeout(ctx, helloWithin)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, nil
	}
	_ = conn.SetReadDeadline(time.Now().Add(helloWithin))
	r := bufio.NewReaderSize(conn, 256)
	said, err := r.ReadSlice('\n')
	if err != nil || subtle.ConstantTimeCompare([]byte(strings.TrimSpace(string(said))), []byte(secret)) == 0 {
		conn.Close()
		return nil, nil
	}
	_ = conn.SetReadDeadline(time.Time{})
	return conn, r
}

// Say queues a frame.
func (l *Line) Say(f *Frame) {
	l.mu.Lock()
	l.queue = append(l.queue, f)
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Close writes what waits, for a while, says that there is no more, and ends.
func (l *Line) Close() {
	l.Say(&Frame{Kind: Bye})
	if l.conn != nil {
		_ = l.conn.SetWriteDeadline(time.Now().Add(byeWithin))
	}
	close(l.quit)
	l.done.Wait()
}

func (l *Line) write() {
	var gone bool
	for quit := false; ; {
		l.mu.Lock()
		batch := l.queue
		l.queue = nil
		l.mu.Unlock()
		for _, f := range batch {
			if l.conn != nil && !gone {
				gone = write(l.conn, f) != nil
			}
			if f.Kind == Stdout || f.Kind == Stderr {
				l.taken(f)
			}
		}
		if len(batch) > 0 {
			continue
		}
		if quit {
			break
		}
		select {
		case <-l.wake:
		case <-l.quit:
			quit = true
		}
	}
	if l.conn != nil {
		l.conn.Close()
	}
}

func (l *Line) read(r io.Reader) {
	for {
		f, err := read(r)
		if err != nil {
			return
		}
		if f.Kind == Input {
			l.input(f)
		}
	}
}
