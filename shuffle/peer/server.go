package peer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/apache/arrow/go/v15/arrow/memory"
	"golang.org/x/sys/unix"

	"github.com/capstan-run/capstan/shuffle/arena"
)

// Server answers requests for ranges. Its fields must not change while it
// serves.
type Server struct {
	// Dirs are where objects lie, under their names.
	Dirs []string
	// Memory returns the bytes of an object held in memory, retained, or nil.
	// *shuffle.Registry has such a method. May be nil.
	Memory func(name string) *memory.Buffer
	// Patience is how long a client may take to accept a piece of its range.
	// Default 30 s. Between requests a connection may rest for as long as it
	// likes.
	Patience time.Duration
	// MaxConns bounds the connections; a further one waits. Default 256.
	MaxConns int
}

const (
	defaultConns = 256
	// sendPiece is how much is sent before the client must have taken it.
	sendPiece = 4 << 20
)

// Serve answers on l until ctx ends, closes l and all connections, and returns
// when nothing of it runs any more: nil, or why l failed before.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	limit := s.MaxConns
	if limit == 0 {
		limit = defaultConns
	}
	slots := make(chan struct{}, limit)
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // before the wait: it closes the connections
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	for {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
		conn, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("accept a peer: %w", err)
		}
		wg.Go(func() {
			defer func() { <-slots }()
			s.serve(ctx, conn)
		})
	}
}

// serve answers on one connection until it ends. What ends it is told to the
// client where there is a way; the client's own trouble is the client's.
func (s *Server) serve(ctx context.Context, conn net.Conn) {
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer func() {
		stop()
		conn.Close()
	}()
	for {
		q, err := readRequest(conn)
		if err != nil {
			if !errors.Is(err, io.EOF) {
				_ = s.refuse(conn, err)
			}
			return
		}
		if err := s.answer(conn, q); err != nil {
			return
		}
	}
}

// answer sends the range, or why not. An error ends the connection.
func (s *Server) answer(conn net.Conn, q request) error {
	if s.Memory != nil {
		if buf := s.Memory(q.name); buf != nil {
			defer buf.Release()
			if q.off+q.length > int64(buf.Len()) {
				return s.refuse(conn, fmt.Errorf("object of %d bytes", buf.Len()))
			}
			return s.sendBytes(conn, buf.Bytes()[q.off:q.off+q.length])
		}
	}
	for _, dir := range s.Dirs {
		f, err := openObject(filepath.Join(dir, q.name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return s.refuse(conn, err)
		}
		defer f.Close()
		return s.sendRange(conn, f, q)
	}
	return s.refuse(conn, fmt.Errorf("object %s: %w", q.name, os.ErrNotExist))
}

// openObject opens a regular file that is not a link.
func openObject(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	fi, err := f.Stat()
	if err == nil && !fi.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", path)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func (s *Server) refuse(conn net.Conn, cause error) error {
	status := byte(statusRefused)
	if errors.Is(cause, os.ErrNotExist) {
		status = statusAbsent
	}
	text := cause.Error()
	text = text[:min(len(text), maxMessage)]
	s.patient(conn)
	_, err := conn.Write(append(appendAnswer(nil, status, int64(len(text))), text...))
	return err
}

// patient gives the client its time for the next piece (law R4).
func (s *Server) patient(conn net.Conn) {
	d := s.Patience
	if d == 0 {
		d = DefaultPatience
	}
	_ = conn.SetWriteDeadline(time.Now().Add(d))
}

func (s *Server) sendBytes(conn net.Conn, b []byte) error {
	s.patient(conn)
	if _, err := conn.Write(appendAnswer(nil, statusRange, int64(len(b)))); err != nil {
		return err
	}
	for len(b) > 0 {
		s.patient(conn)
		n, err := conn.Write(b[:min(len(b), sendPiece)])
		if err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// sendRange sends a range of f: by the kernel alone where it can.
func (s *Server) sendRange(conn net.Conn, f *os.File, q request) error {
	fi, err := f.Stat()
	if err != nil {
		return s.refuse(conn, err)
	}
	if q.off+q.length > fi.Size() {
		return s.refuse(conn, fmt.Errorf("object of %d bytes", fi.Size()))
	}
	if err := arena.Lock(int(f.Fd())); err != nil {
		return s.refuse(conn, fmt.Errorf("object %s is being taken back: %w", q.name, os.ErrNotExist))
	}
	s.patient(conn)
	if _, err := conn.Write(appendAnswer(nil, statusRange, q.length)); err != nil {
		return err
	}
	for q.length > 0 {
		s.patient(conn)
		n := min(q.length, sendPiece)
		if c, ok := conn.(syscall.Conn); ok {
			err = sendfile(c, f, q.off, int(n))
		} else {
			_, err = io.Copy(conn, io.NewSectionReader(f, q.off, n))
		}
		if err != nil {
			return err
		}
		q.off, q.length = q.off+n, q.length-n
	}
	return nil
}

// sendfile sends n bytes of f from off on.
func sendfile(c syscall.Conn, f *os.File, off int64, n int) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Write(func(fd uintptr) bool {
		for n > 0 {
			k, err := unix.Sendfile(int(fd), int(f.Fd()), &off, n)
			switch {
			case errors.Is(err, unix.EINTR):
				continue
			case errors.Is(err, unix.EAGAIN):
				return false // wait until there is room
			case err != nil:
				failed = err
				return true
			case k == 0:
				failed = io.ErrUnexpectedEOF
				return true
			}
			n -= k
		}
		return true
	})
	return errors.Join(err, failed)
}
