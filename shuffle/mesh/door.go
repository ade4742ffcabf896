package mesh

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/unixsock"
	"github.com/capstan-run/capstan/shuffle/mesh/shm"
)

// introduction is how long a stranger may take to say who it is.
const introduction = 10 * time.Second

// acceptPause is how long a listener in distress is left alone.
const acceptPause = 10 * time.Millisecond

// door takes the connections of higher ranks, on one listener.
type door struct {
	j      *joiner
	l      net.Listener
	shared bool
	wg     sync.WaitGroup
	slots  chan struct{} // bounds those who have not said who they are
	ctx    context.Context
	end    context.CancelFunc
}

func newDoor(j *joiner, l net.Listener, shared bool) *door {
	d := &door{j: j, l: l, shared: shared, slots: make(chan struct{}, len(j.came)+16)}
	d.ctx, d.end = context.WithCancel(context.Background())
	d.wg.Go(d.run)
	return d
}

func (d *door) run() {
	for {
		conn, err := d.l.Accept()
		if errors.Is(err, net.ErrClosed) || d.ctx.Err() != nil {
			return
		}
		if err != nil {
			// Too many open files, for one: it may pass.
			select {
			case <-time.After(acceptPause):
				continue
			case <-d.ctx.Done():
				return
			}
		}
		select {
		case d.slots <- struct{}{}:
		case <-d.ctx.Done():
			conn.Close()
			return
		}
		d.wg.Go(func() {
			defer func() { <-d.slots }()
			stop := context.AfterFunc(d.ctx, func() { conn.Close() })
			a, place := d.greet(conn)
			if !stop() || place == nil {
				a.drop()
				return
			}
			select {
			case place <- a:
				d.j.m.linker.knocked(a.hello.from)
			default:
				a.drop() // this lane is there already
			}
		})
	}
}

// close ends the door and everybody still in it.
func (d *door) close() {
	d.end()
	d.l.Close()
	d.wg.Wait()
}

// greet answers a connection, and returns where its link waits for it: nil
// when it is none of ours.
func (d *door) greet(conn net.Conn) (arrival, chan arrival) {
	a := arrival{conn: conn}
	_ = conn.SetDeadline(time.Now().Add(introduction))
	err := d.secure(&a)
	if err == nil {
		err = a.listen()
	}
	if err != nil {
		return a, nil // it deserves no answer
	}
	cfg, r := &d.j.m.cfg, a.hello.from
	place := d.j.came[laneKey{r, a.hello.lane}]
	if err := d.admit(&a, place); err != nil {
		_ = a.say(&hello{refused: true, id: brief(err)})
		return a, nil
	}
	if err := a.say(cfg.hello(r, a.hello.lane, d.shared), d.files(a.hello.lane)...); err != nil {
		return a, nil
	}
	if place == nil {
		d.j.m.linker.knocked(r) // a call: there is no lane to keep
	}
	_ = a.conn.SetDeadline(time.Time{})
	return a, place
}

// admit says why a connection is not wanted.
func (d *door) admit(a *arrival, place chan arrival) error {
	cfg, r := &d.j.m.cfg, a.hello.from
	if err := a.hello.check(cfg, r, d.shared); err != nil {
		return err
	}
	call := a.hello.lane == callLane && cfg.Lazy && r < cfg.Rank
	if place == nil && !call || (cfg.wayTo(r) == sameHost) != d.shared {
		return fmt.Errorf("rank %d expects no such link from rank %d", cfg.Rank, r)
	}
	if d.j.m.linker.gaveUp(r) {
		return fmt.Errorf("rank %d gave rank %d up", cfg.Rank, r)
	}
	return a.authorize(cfg, r)
}

// files are those that go with the hello of a lane.
func (d *door) files(lane int) []*os.File {
	if !d.shared || lane != controlLane {
		return nil
	}
	return []*os.File{d.j.file}
}

func (d *door) secure(a *arrival) error {
	if d.shared {
		return nil
	}
	return a.secure(d.ctx, d.j.m, d.j.m.cfg.TLS, true)
}

// secure tunes a network connection and wraps it into TLS, if there is a config.
func (a *arrival) secure(ctx context.Context, m *Mesh, c *tls.Config, server bool) error {
	tune(a.conn)
	if c == nil {
		return nil
	}
	below := &batch{Conn: a.conn, pool: &m.pool}
	t := tls.Client(below, c)
	if server {
		t = tls.Server(below, c)
	}
	if err := t.HandshakeContext(ctx); err != nil {
		return err
	}
	a.conn = t
	return nil
}

// tune makes a lane notice a host that is gone. The buffers are the kernel's
// to size: it knows the path.
func tune(conn net.Conn) {
	t, ok := conn.(*net.TCPConn)
	if !ok {
		return
	}
	_ = t.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: 5 * time.Second, Interval: 2 * time.Second, Count: 4})
	if raw, err := t.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { boundRetries(int(fd)) })
	}
}

// listen reads the other's hello and the files that come with it.
func (a *arrival) listen() error {
	var r io.Reader = a.conn
	if u, ok := a.conn.(*net.UnixConn); ok {
		r = &fileReader{u, a}
	}
	var err error
	a.hello, err = readHello(r)
	return err
}

// say sends a hello and files, which stay the caller's.
func (a *arrival) say(h *hello, files ...*os.File) error {
	if len(files) == 0 {
		_, err := a.conn.Write(h.bytes())
		return err
	}
	fds := make([]int, len(files))
	for i, f := range files {
		fds[i] = int(f.Fd())
	}
	_, _, err := a.conn.(*net.UnixConn).WriteMsgUnix(h.bytes(), syscall.UnixRights(fds...), nil)
	return err
}

// authorize asks the config whether a certificate is the rank's.
func (a *arrival) authorize(cfg *Config, r int) error {
	if t, ok := a.conn.(*tls.Conn); ok && cfg.Authorize != nil {
		return cfg.Authorize(r, t.ConnectionState())
	}
	return nil
}

// brief is an error as a peer may be told it.
func brief(err error) string {
	s := err.Error()
	return s[:min(len(s), maxID)]
}

// fileReader reads a unix socket and keeps the files that come along.
type fileReader struct {
	conn *net.UnixConn
	a    *arrival
}

func (r *fileReader) Read(p []byte) (int, error) {
	oob := make([]byte, syscall.CmsgSpace(2*4))
	n, m, _, _, err := r.conn.ReadMsgUnix(p, oob)
	if err != nil {
		return n, err
	}
	if n == 0 && m == 0 {
		return 0, io.EOF
	}
	messages, err := syscall.ParseSocketControlMessage(oob[:m])
	if err != nil {
		return n, err
	}
	for i := range messages {
		fds, err := syscall.ParseUnixRights(&messages[i])
		if err != nil {
			return n, err
		}
		for _, fd := range fds {
			r.a.files = append(r.a.files, os.NewFile(uintptr(fd), "mesh"))
		}
	}
	if len(r.a.files) > 2 {
		return n, fmt.Errorf("%w: %d files came with it", errHello, len(r.a.files))
	}
	return n, nil
}

// errRefused is what a peer answered to our hello.
type errRefused struct{ reason string }

func (e errRefused) Error() string { return "refused: " + e.reason }

// dial makes one lane to a lower rank, and tries again until ctx ends: the
// rank may not have started yet.
func (j *joiner) dial(ctx context.Context, r, lane int, shared bool) (arrival, error) {
	pause := time.NewTimer(0)
	defer pause.Stop()
	var last error
	for wait := 2 * time.Millisecond; ; wait = min(2*wait, 200*time.Millisecond) {
		select {
		case <-pause.C:
		case <-ctx.Done():
			return arrival{}, errors.Join(ctx.Err(), last)
		}
		a, err := j.try(ctx, r, lane, shared)
		if err == nil {
			return a, nil
		}
		if final := permanent(err); final != nil {
			return arrival{}, final
		}
		if j.m.cfg.Lazy && absent(err) {
			return arrival{}, err
		}
		last = err
		pause.Reset(wait)
	}
}

// permanent returns the error that trying again will not mend, nil for another.
func permanent(err error) error {
	var refused errRefused
	var op *net.OpError
	var cert *tls.CertificateVerificationError
	switch {
	case errors.As(err, &refused):
		return core.Errorf(core.Conflict, "%s", refused.reason).At("mesh").Do("start all ranks of an attempt with the same mesh configuration")
	case errors.As(err, &cert), errors.As(err, &op) && op.Op == "remote error":
		return &core.Error{Kind: core.Denied, Where: "mesh", Err: err, Remedy: "check the certificates of this attempt's ranks"}
	}
	return nil
}

// try makes one lane to a lower rank.
func (j *joiner) try(ctx context.Context, r, lane int, shared bool) (arrival, error) {
	cfg := &j.m.cfg
	a, err := j.call(ctx, r, shared)
	if err != nil {
		return a, err
	}
	_ = a.conn.SetDeadline(time.Now().Add(introduction))
	stop := context.AfterFunc(ctx, func() { _ = a.conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	var pair *os.File
	var ours []*os.File
	if shared && lane == controlLane {
		region, f, err := shm.Create(fmt.Sprintf("mesh-%d-%d", r, cfg.Rank), pairSize(ringSize(cfg.Window)))
		if err != nil {
			a.drop()
			return a, err
		}
		pair, ours = f, []*os.File{f, j.file}
		err = region.Close()
	}
	if err == nil {
		err = a.say(cfg.hello(r, lane, shared), ours...)
	}
	if err == nil {
		err = a.listen()
	}
	if err == nil && a.hello.refused {
		err = errRefused{a.hello.id}
	} else if err == nil {
		if err = a.hello.check(cfg, r, shared); err == nil {
			err = a.authorize(cfg, r)
		}
		if err != nil {
			err = errRefused{err.Error()}
		}
	}
	if pair != nil {
		a.files = append([]*os.File{pair}, a.files...)
	}
	if err != nil {
		a.drop()
		return a, err
	}
	return a, a.conn.SetDeadline(time.Time{})
}

// call makes a connection to a lower rank.
func (j *joiner) call(ctx context.Context, r int, shared bool) (arrival, error) {
	cfg := &j.m.cfg
	if shared {
		conn, err := unixsock.Dial(ctx, socket(cfg, r))
		return arrival{conn: conn}, err
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", cfg.Places[r].Address)
	if err != nil {
		return arrival{}, err
	}
	a := arrival{conn: conn}
	c := cfg.TLS
	if c != nil && c.ServerName == "" {
		host, _, err := net.SplitHostPort(cfg.Places[r].Address)
		if err != nil {
			return a, errors.Join(err, conn.Close())
		}
		c = c.Clone()
		c.ServerName = host
	}
	if err := a.secure(ctx, j.m, c, false); err != nil {
		conn.Close()
		return arrival{}, err
	}
	return a, nil
}
