package peer_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow/go/v15/arrow/memory"
	"go.uber.org/goleak"

	"github.com/capstan-run/capstan/shuffle/peer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start serves s on network and returns its address.
func start(t *testing.T, s *peer.Server, network string, wrap func(net.Listener) net.Listener) string {
	t.Helper()
	where := "127.0.0.1:0"
	if network == "unix" {
		where = filepath.Join(t.TempDir(), "peer.sock")
	}
	l, err := net.Listen(network, where)
	if err != nil {
		t.Fatal(err)
	}
	address := network + "://" + l.Addr().String()
	if wrap != nil {
		l = wrap(l)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return address
}

func client(t *testing.T, addresses ...string) *peer.Client {
	t.Helper()
	c := &peer.Client{Where: func(string) []string { return addresses }}
	t.Cleanup(c.Close)
	return c
}

func object(t *testing.T, dir string, n int) []byte {
	t.Helper()
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "object"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	return b
}

// plain hides what the kernel could send files to: as TLS does.
type plain struct{ net.Listener }

func (l plain) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return struct{ net.Conn }{c}, nil
}

func TestRangesOverEveryTransport(t *testing.T) {
	dir := t.TempDir()
	want := object(t, dir, 9<<20)
	held := memory.NewBufferBytes([]byte("held in memory"))
	s := &peer.Server{Dirs: []string{t.TempDir(), dir}, Memory: func(name string) *memory.Buffer {
		if name != "held" {
			return nil
		}
		held.Retain()
		return held
	}}
	for name, address := range map[string]string{
		"tcp":   start(t, s, "tcp", nil),
		"unix":  start(t, s, "unix", nil),
		"plain": start(t, s, "tcp", func(l net.Listener) net.Listener { return plain{l} }),
	} {
		t.Run(name, func(t *testing.T) {
			c := client(t, address)
			for _, r := range [][2]int{{0, len(want)}, {5, 5 << 20}, {len(want) - 1, 1}, {7, 0}, {4096, 100}} {
				got := make([]byte, r[1])
				if err := c.ReadRange(t.Context(), "object", int64(r[0]), got); err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(got, want[r[0]:r[0]+r[1]]) {
					t.Fatalf("bytes %d+%d differ", r[0], r[1])
				}
			}
			got := make([]byte, 6)
			if err := c.ReadRange(t.Context(), "held", 8, got); err != nil || string(got) != "memory" {
				t.Fatalf("%q, %v", got, err)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	dir := t.TempDir()
	object(t, dir, 100)
	if err := os.Symlink(filepath.Join(dir, "object"), filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	address := start(t, &peer.Server{Dirs: []string{dir}}, "unix", nil)
	c := client(t, address)
	get := func(name string, off int64, n int) error {
		return c.ReadRange(t.Context(), name, off, make([]byte, n))
	}
	if err := get("absent", 0, 1); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent: %v", err)
	}
	for _, name := range []string{"link", "folder"} {
		if err := get(name, 0, 1); !errors.Is(err, peer.ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := get("object", 90, 11); !errors.Is(err, peer.ErrRefused) {
		t.Errorf("beyond the end: %v", err)
	}
	for _, name := range []string{"", "..", "../object", "a/b", strings.Repeat("x", 256)} {
		if err := get(name, 0, 1); err == nil {
			t.Errorf("%q is taken as a name", name)
		}
	}
	if err := get("object", 0, 100); err != nil {
		t.Errorf("after refusals: %v", err)
	}
	if err := client(t).ReadRange(t.Context(), "object", 0, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no peer: %v", err)
	}
}

// TestTheNextPeerIsAsked where one is gone or lacks the object.
func TestTheNextPeerIsAsked(t *testing.T) {
	dir := t.TempDir()
	want := object(t, dir, 1000)
	empty := start(t, &peer.Server{Dirs: []string{t.TempDir()}}, "unix", nil)
	full := start(t, &peer.Server{Dirs: []string{dir}}, "unix", nil)
	got := make([]byte, 1000)
	if err := client(t, "unix:///no/such/socket", "carrier://pigeon", empty, full).ReadRange(t.Context(), "object", 0, got); err != nil || !bytes.Equal(got, want) {
		t.Fatal(err)
	}
}

// TestAKeptConnectionMayBeGone: a server that was restarted meanwhile answers.
func TestAKeptConnectionMayBeGone(t *testing.T) {
	dir := t.TempDir()
	object(t, dir, 10)
	sock := filepath.Join(t.TempDir(), "sock")
	c := client(t, "unix://"+sock)
	for range 2 {
		l, err := net.Listen("unix", sock)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- (&peer.Server{Dirs: []string{dir}}).Serve(ctx, l) }()
		if err := c.ReadRange(t.Context(), "object", 0, make([]byte, 10)); err != nil {
			t.Error(err)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// fake accepts one connection and hands it to f.
func fake(t *testing.T, f func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		f(conn)
	})
	t.Cleanup(func() {
		l.Close()
		wg.Wait()
	})
	return "tcp://" + l.Addr().String()
}

func TestACutOffRangeIsAnError(t *testing.T) {
	address := fake(t, func(c net.Conn) {
		io.ReadFull(c, make([]byte, 2+6+16))
		c.Write(append(binary.LittleEndian.AppendUint64([]byte{0}, 100), make([]byte, 60)...))
	})
	err := client(t, address).ReadRange(t.Context(), "object", 0, make([]byte, 100))
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatal(err)
	}
}

func TestAnAnswerOfAnotherLengthIsAnError(t *testing.T) {
	for _, head := range [][]byte{
		binary.LittleEndian.AppendUint64([]byte{0}, 1<<40),
		binary.LittleEndian.AppendUint64([]byte{2}, 1<<40),
	} {
		address := fake(t, func(c net.Conn) {
			io.ReadFull(c, make([]byte, 2+6+16))
			c.Write(head)
			io.Copy(io.Discard, c)
		})
		if err := client(t, address).ReadRange(t.Context(), "object", 0, make([]byte, 100)); !errors.Is(err, peer.ErrRefused) {
			t.Fatal(err)
		}
	}
}

func TestASilentPeerIsGivenUp(t *testing.T) {
	address := fake(t, func(c net.Conn) { io.Copy(io.Discard, c) })
	c := client(t, address)
	c.Patience = 20 * time.Millisecond
	if err := c.ReadRange(t.Context(), "object", 0, make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
}

func TestCancelEndsARead(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	stopped := errors.New("stopped")
	address := fake(t, func(c net.Conn) {
		io.ReadFull(c, make([]byte, 2+6+16))
		cancel(stopped)
		io.Copy(io.Discard, c)
	})
	if err := client(t, address).ReadRange(ctx, "object", 0, make([]byte, 1)); !errors.Is(err, stopped) {
		t.Fatal(err)
	}
}

// FuzzServer: whatever bytes come, the server answers or hangs up, and serves
// the next client.
func FuzzServer(f *testing.F) {
	dir := f.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "object"), []byte("content"), 0o600); err != nil {
		f.Fatal(err)
	}
	s := &peer.Server{Dirs: []string{dir}}
	good := append([]byte{1, 6}, "object"...)
	good = binary.LittleEndian.AppendUint64(good, 2)
	good = binary.LittleEndian.AppendUint64(good, 3)
	f.Add(good)
	f.Add(good[:9])
	f.Add([]byte{1, 0, 0, 0})
	f.Add(append(append([]byte{1, 2}, ".."...), make([]byte, 16)...))
	f.Fuzz(func(t *testing.T, in []byte) {
		l := &oneConn{conns: make(chan net.Conn, 1)}
		near, far := net.Pipe()
		l.conns <- far
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Serve(ctx, l) }()
		var wg sync.WaitGroup
		wg.Go(func() {
			near.Write(in)
			near.Close()
		})
		out, _ := io.ReadAll(near)
		wg.Wait()
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if bytes.HasPrefix(in, good) && len(out) > 9 && string(out[9:12]) != "nte" {
			t.Fatalf("answer %q", out)
		}
	})
}

// oneConn is a listener of one connection.
type oneConn struct {
	conns chan net.Conn
	once  sync.Once
}

func (l *oneConn) Accept() (net.Conn, error) {
	c, ok := <-l.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (l *oneConn) Close() error   { l.once.Do(func() { close(l.conns) }); return nil }
func (l *oneConn) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }
