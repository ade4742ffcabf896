package executor

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/executor/wirepb"
	"github.com/capstan-run/capstan/core/unixsock"
)

const (
	firstRetry = 50 * time.Millisecond
	lastRetry  = 2 * time.Second
	joinTime   = 10 * time.Second
)

// badge is a certificate in use and its key.
type badge struct {
	cert *tls.Certificate
	leaf *x509.Certificate
}

// reassigned ends a session of a warm executor: join again with this token.
type reassigned struct{ token string }

func (reassigned) Error() string { return "a place was assigned" }

// run keeps the executor connected until ctx ends. It returns why it gave up:
// ErrRefused, ErrOrphaned or ctx's error.
func (l *link) run(ctx context.Context) error {
	defer close(l.done)
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(l.boot.CA)) {
		return core.Errorf(core.Invalid, "the bootstrap's CA holds no certificate")
	}
	c := &connector{link: l, roots: roots, token: l.boot.Token, heard: time.Now()}
	retry := &backoff.ExponentialBackOff{
		InitialInterval: firstRetry, RandomizationFactor: 0.3, Multiplier: 2, MaxInterval: lastRetry,
	}
	retry.Reset()
	for {
		before := c.heard
		err := c.once(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case final(err):
			return &core.Error{Kind: core.Denied, What: "executor " + l.boot.ID, Err: fmt.Errorf("%w: %w", ErrRefused, err)}
		case time.Since(c.heard) > time.Duration(l.boot.OrphanAfter):
			return &core.Error{
				Kind: core.HostLost, Where: l.boot.Address,
				Err: fmt.Errorf("%w for %v: %w", ErrOrphaned, l.boot.OrphanAfter, err),
			}
		}
		if c.heard != before {
			retry.Reset()
		}
		if err == nil {
			continue
		}
		if !pause(ctx, min(retry.NextBackOff(), lastRetry)) {
			return ctx.Err()
		}
	}
}

// final says that trying again is of no use: the host refused this executor.
func final(err error) bool {
	switch status.Code(err) {
	case codes.PermissionDenied, codes.FailedPrecondition, codes.InvalidArgument:
		return true
	case codes.Unauthenticated:
		return errors.Is(err, errJoinRefused)
	}
	return false
}

var errJoinRefused = errors.New("join")

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// connector is the state between one connection and the next. Only badge is
// shared with a session's goroutines.
type connector struct {
	link  *link
	roots *x509.CertPool
	token string // to redeem; "" when redeemed
	key   *ecdsa.PrivateKey
	heard time.Time // last contact with the host

	mu    sync.Mutex
	badge *badge
}

func (c *connector) current() *badge {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.badge
}

// once makes one step on a connection of its own: a join, or a session until
// it breaks. Each gets a new connection because TLS binds the certificate to it.
func (c *connector) once(ctx context.Context) error {
	conn, err := c.dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	control := wirepb.NewControlClient(conn)
	if c.token != "" {
		return c.join(ctx, control)
	}
	err = c.session(ctx, control)
	if again := (reassigned{}); errors.As(err, &again) {
		c.token, c.key = again.token, nil
		// The connection at hand is good for the join: a round trip saved.
		return c.join(ctx, control)
	}
	return err
}

func (c *connector) dial() (*grpc.ClientConn, error) {
	network, address, err := c.link.boot.dialTarget()
	if err != nil {
		return nil, err
	}
	t := &tls.Config{RootCAs: c.roots, ServerName: c.link.boot.ServerName, MinVersion: tls.VersionTLS13}
	if b := c.current(); b != nil {
		t.Certificates = []tls.Certificate{*b.cert}
	}
	return grpc.NewClient("passthrough:///"+c.link.boot.ServerName,
		grpc.WithTransportCredentials(credentials.NewTLS(t)),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			if network == "unix" {
				return unixsock.Dial(ctx, address)
			}
			return new(net.Dialer).DialContext(ctx, network, address)
		}),
		grpc.WithInitialWindowSize(window),
		grpc.WithInitialConnWindowSize(2*window),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(MaxMessage+1<<16)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 5 * time.Second}),
		grpc.WithDisableServiceConfig(),
		grpc.WithNoProxy(),
	)
}

// join redeems the token, or renews the badge when there is none. A retry
// presents the same key, since the answer may have been lost (law E1).
func (c *connector) join(ctx context.Context, control wirepb.ControlClient) error {
	if c.key == nil {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return err
		}
		c.key = key
	}
	b, r, err := redeem(ctx, control, c.token, c.key)
	if err != nil {
		return fmt.Errorf("%w: %w", errJoinRefused, err)
	}
	c.mu.Lock()
	c.badge = b
	c.mu.Unlock()
	c.token, c.key, c.heard = "", nil, time.Now()
	if r.Assignment != nil {
		c.link.mu.Lock()
		c.link.assignment = r.Assignment
		c.link.mu.Unlock()
	}
	if c.link.boot.path != "" {
		// The token is spent; what is left to hide is nothing, so an
		// unwritable directory is no reason to stop.
		_ = os.Remove(c.link.boot.path)
	}
	return nil
}

func redeem(ctx context.Context, control wirepb.ControlClient, token string, key *ecdsa.PrivateKey) (*badge, *wirepb.JoinResponse, error) {
	csr, err := x509.CreateCertificateRequest(rand.Reader,
		&x509.CertificateRequest{Subject: pkix.Name{CommonName: "capstan executor"}}, key)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, joinTime)
	defer cancel()
	r, err := control.Join(ctx, &wirepb.JoinRequest{Token: token, Csr: csr, Version: protocol})
	if err != nil {
		return nil, nil, err
	}
	leaf, err := x509.ParseCertificate(r.Certificate)
	if err != nil {
		return nil, nil, err
	}
	cert := &tls.Certificate{Certificate: [][]byte{r.Certificate}, PrivateKey: key, Leaf: leaf}
	return &badge{cert: cert, leaf: leaf}, r, nil
}

// session runs one session until it breaks.
func (c *connector) session(ctx context.Context, control wirepb.ControlClient) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	stream, err := control.Session(ctx)
	if err != nil {
		return err
	}
	if err := stream.Send(c.link.hello()); err != nil {
		return recvError(stream, err)
	}
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	w := first.GetWelcome()
	if w == nil {
		return status.Error(codes.Internal, "the host's first frame is no welcome")
	}
	c.heard = time.Now()
	defer func() { c.heard = time.Now() }() // an open session is contact enough
	c.link.welcome(w)
	beat := time.Duration(max(w.HeartbeatMs, 1)) * time.Millisecond
	wg.Go(func() { c.link.sendAll(ctx, stream, beat) })
	wg.Go(func() { c.renew(ctx, control) })
	for {
		d, err := stream.Recv()
		if err != nil {
			return err
		}
		if a := d.GetAssign(); a != nil {
			return reassigned{token: a.Token}
		}
		if err := c.link.receive(d); err != nil {
			return err
		}
	}
}

// recvError finds the status behind the io.EOF that Send answers with.
func recvError(stream wirepb.Control_SessionClient, err error) error {
	if _, status := stream.Recv(); status != nil {
		return status
	}
	return err
}

// sendAll sends what waits, and heartbeats, until the session ends.
func (l *link) sendAll(ctx context.Context, stream wirepb.Control_SessionClient, beat time.Duration) {
	tick := time.NewTicker(beat)
	defer tick.Stop()
	var told uint64
	for {
		if up := l.next(&told); up != nil {
			if stream.Send(up) != nil {
				return // the receiver learns why
			}
			select {
			case <-tick.C: // not even a full queue keeps a heartbeat back
			default:
				continue
			}
		} else {
			select {
			case <-l.wake:
				continue
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
		if stream.Send(heartbeat()) != nil {
			return
		}
	}
}

func heartbeat() *wirepb.Up {
	return &wirepb.Up{What: &wirepb.Up_Heartbeat{Heartbeat: &wirepb.Heartbeat{
		CpuNanos: int64(cpuTime()), Rss: residentBytes(),
	}}}
}

// renew replaces the badge when two thirds of its life have passed. The open
// session goes on under the old one; the next connection takes the new.
func (c *connector) renew(ctx context.Context, control wirepb.ControlClient) {
	for {
		b := c.current()
		life := b.leaf.NotAfter.Sub(b.leaf.NotBefore)
		if !pause(ctx, time.Until(b.leaf.NotBefore.Add(life/3*2))) {
			return
		}
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err == nil {
			b, _, err = redeem(ctx, control, "", key)
		}
		if err != nil {
			if !pause(ctx, life/50) {
				return
			}
			continue
		}
		c.mu.Lock()
		c.badge = b
		c.mu.Unlock()
	}
}
