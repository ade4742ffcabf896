package executor

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/executor/wirepb"
)

// Bounds of law E6, in bytes.
const (
	// MaxMessage is the largest message in either direction.
	MaxMessage = 16 << 20
	// window is what is on its way and unacknowledged in one direction.
	window = 1 << 20
	// backlog is what Server.Send queues for one executor.
	backlog = 64 << 20
	// overhead stands for what an item costs beside its payload, so that a
	// queue of empty messages is bounded too.
	overhead = 64
)

// Config configures a Server.
type Config struct {
	CA *CA // required
	// Heartbeat is how often executors beat; default 1s. Three missed ones
	// make an executor silent.
	Heartbeat time.Duration
	// CertLifetime is how long an executor's certificate is valid; default
	// 24h. Executors renew theirs when two thirds of it have passed.
	CertLifetime time.Duration
	Log          *slog.Logger // default: nowhere
}

// Server is the host's end of the executors' streams. Its methods are safe for
// concurrent use; all but Serve and Close do not block, and may be called from
// a Handler and under locks that a Handler takes. Those that
// take an id answer with core.NotFound for an unknown executor and with
// core.Denied for a fenced one.
type Server struct {
	wirepb.UnimplementedControlServer

	config  Config
	handler Handler
	grpc    *grpc.Server
	stream  uint64 // names this server's streams, so that executors notice a new host
	done    chan struct{}
	wg      sync.WaitGroup
	close   sync.Once

	mu      sync.Mutex
	peers   map[string]*peer
	tickets map[[32]byte]*peer // by the hash of the token
	// tombs are the fenced ids, kept without the rest of the peer until they
	// are forgotten.
	tombs map[string]struct{}
}

// NewServer makes a server that tells h what it hears. Call Serve to let
// executors in, after Restore and Fence have told it what is known already.
func NewServer(c Config, h Handler) (*Server, error) {
	if c.CA == nil {
		return nil, errors.New("executor server: Config.CA is missing")
	}
	if c.Heartbeat <= 0 {
		c.Heartbeat = time.Second
	}
	if c.CertLifetime <= 0 {
		c.CertLifetime = certLifetime
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	cert, err := c.CA.serverCert()
	if err != nil {
		return nil, err
	}
	s := &Server{
		config: c, handler: h, stream: randomStream(), done: make(chan struct{}),
		peers: map[string]*peer{}, tickets: map[[32]byte]*peer{}, tombs: map[string]struct{}{},
	}
	s.grpc = grpc.NewServer(
		grpc.Creds(credentials.NewTLS(&tls.Config{
			Certificates: []tls.Certificate{cert},
			MinVersion:   tls.VersionTLS13,
			// Join comes without a certificate; Session checks that it has one.
			ClientAuth: tls.VerifyClientCertIfGiven,
			ClientCAs:  c.CA.pool(),
			// A resumed TLS session would carry on the old certificate.
			SessionTicketsDisabled: true,
		})),
		grpc.MaxRecvMsgSize(MaxMessage+1<<16),
		grpc.InitialWindowSize(window),
		grpc.InitialConnWindowSize(2*window),
		grpc.MaxConcurrentStreams(8),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
		grpc.WaitForHandlers(true),
	)
	wirepb.RegisterControlServer(s.grpc, s)
	s.wg.Go(s.monitor)
	return s, nil
}

// Serve accepts executors on l until l or the server is closed, and answers
// nil then. It may be called for many listeners at once. Closing a listener
// cuts no session.
func (s *Server) Serve(l net.Listener) error {
	err := s.grpc.Serve(l)
	if errors.Is(err, net.ErrClosed) || errors.Is(err, grpc.ErrServerStopped) {
		return nil
	}
	return err
}

// Close cuts every session and returns when no Handler call is under way.
// Executors go on and look for the next host.
func (s *Server) Close() error {
	s.close.Do(func() {
		close(s.done)
		s.grpc.Stop()
		s.wg.Wait()
	})
	return nil
}

// Expect makes id known and lets it join with token, once. a is the place it
// gets; nil for a warm executor, which waits for Assign. id is a container
// name: letters, digits, '.', '_' and '-', at most 200 bytes.
func (s *Server) Expect(id, token string, a *wirepb.Assignment) error {
	if token == "" {
		return core.Errorf(core.Internal, "executor %s: empty token", id)
	}
	p, err := s.add(id)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ticket != nil || p.assign != "" {
		return core.Errorf(core.Conflict, "executor %s is expected already", id)
	}
	return s.issue(p, token, &ticket{assignment: a})
}

// Restore makes id known after a restart of the host: an executor that holds a
// certificate for rank may open a session without a token. The zero Rank is
// for a warm one. Where the host does not know whether the executor had joined
// before, it calls Expect with the old token as well.
func (s *Server) Restore(id string, rank core.Rank) error {
	p, err := s.add(id)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rank, p.joined, p.seen = rank, true, time.Now()
	return nil
}

// add finds or makes the peer of an id that is not fenced.
func (s *Server) add(id string) (*peer, error) {
	if !validID(id) {
		return nil, core.Errorf(core.Internal, "executor id %q is not a container name", id)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.tombs[id]; ok {
		return nil, errFenced(id)
	}
	p := s.peers[id]
	if p == nil {
		p = &peer{id: id}
		s.peers[id] = p
	}
	return p, nil
}

// issue makes token good for p, whose lock is held.
func (s *Server) issue(p *peer, token string, t *ticket) error {
	t.hash = sha256.Sum256([]byte(token))
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tickets[t.hash] != nil {
		return core.Errorf(core.Internal, "executor %s: the token was given out before", p.id)
	}
	s.tickets[t.hash] = p
	p.ticket = t
	return nil
}

// peer finds a known executor. The errors are core.Denied and core.NotFound.
func (s *Server) peer(id string) (*peer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.tombs[id]; ok {
		return nil, errFenced(id)
	}
	if p := s.peers[id]; p != nil {
		return p, nil
	}
	return nil, core.Errorf(core.NotFound, "executor %s is not known", id)
}

func errFenced(id string) *core.Error {
	return core.Errorf(core.Denied, "executor %s is fenced", id)
}

// Assign gives a warm executor that has joined its place. Handler.Joined tells, with the rank,
// when it has taken it.
func (s *Server) Assign(id string, a *wirepb.Assignment) error {
	p, err := s.peer(id)
	if err != nil {
		return err
	}
	token := NewToken()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.rank != (core.Rank{}) || p.assign != "" {
		return core.Errorf(core.Conflict, "executor %s has a place already", id)
	}
	if p.ticket != nil || !p.joined {
		return core.Errorf(core.Conflict, "executor %s has not joined yet", id)
	}
	if err := s.issue(p, token, &ticket{assignment: a, warm: true}); err != nil {
		return err
	}
	p.assign = token
	p.wakeLocked()
	return nil
}

// Start lets the executor run its worker: the gang is whole. Idempotent.
func (s *Server) Start(id string) error {
	return s.tell(id, func(p *peer) { p.started = true })
}

// SetGeneration tells the executor the generation of the coordinator. Messages
// of its worker to an older one are dropped from now on (law C4).
func (s *Server) SetGeneration(id string, g int64) error {
	return s.tell(id, func(p *peer) { p.generation = max(p.generation, g) })
}

// Stop asks the executor to end its worker within grace and exit.
func (s *Server) Stop(id, reason string, grace time.Duration) error {
	return s.tell(id, func(p *peer) {
		p.stop = &wirepb.Stop{Reason: reason, GraceMs: grace.Milliseconds()}
	})
}

// Send queues data for the worker, in order. It never blocks: past 64 MiB that
// the worker has not taken, or for a message above MaxMessage, it answers with
// a core.Failed error. The server owns data afterwards.
func (s *Server) Send(id string, generation int64, data []byte) error {
	if len(data) > MaxMessage {
		return core.Errorf(core.Failed, "a message of %d bytes to executor %s is above the limit of %d", len(data), id, MaxMessage).
			Do("send data through the exchange, not through messages")
	}
	p, err := s.peer(id)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.out.bytes > 0 && p.out.bytes+len(data)+overhead > backlog {
		return core.Errorf(core.Failed, "executor %s has %d MiB of messages that its worker does not take", id, p.out.bytes>>20).
			Do("let the worker read its Inbox while it works")
	}
	p.out.push(&wirepb.Message{Generation: generation, Data: data}, len(data)+overhead)
	p.wakeLocked()
	return nil
}

func (s *Server) tell(id string, change func(*peer)) error {
	p, err := s.peer(id)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p)
	p.wakeLocked()
	return nil
}

// Fence cuts the executor off for ever (law E3), and tells it so, which ends
// it. An id not known is fenced as well, so that a restarted host can fence
// from its journal. A Handler call that is under way may still finish after
// Fence has returned.
func (s *Server) Fence(id string) {
	s.mu.Lock()
	s.tombs[id] = struct{}{}
	s.mu.Unlock()
	s.drop(id)
}

// Forget drops what is kept of an executor that is gone, its fence included.
// Should it live after all, it is refused as unknown.
func (s *Server) Forget(id string) {
	s.drop(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tombs, id)
}

func (s *Server) drop(id string) {
	s.mu.Lock()
	p := s.peers[id]
	delete(s.peers, id)
	s.mu.Unlock()
	if p != nil {
		s.revoke(p.cutOff())
	}
}

// revoke makes a ticket worthless.
func (s *Server) revoke(t *ticket) {
	if t == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tickets, t.hash)
}

// monitor tells of silences until the server closes.
func (s *Server) monitor() {
	tick := time.NewTicker(s.config.Heartbeat)
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case <-s.done:
			return
		case <-tick.C:
		}
		now := time.Now()
		// A late tick means that this process slept, and heard nobody (law E8).
		slept := max(now.Sub(last)-2*s.config.Heartbeat, 0)
		last = now
		for _, p := range s.snapshot() {
			if since := p.silence(now, slept); since > 3*s.config.Heartbeat {
				p.tellSilence(s.handler, since)
			}
		}
	}
}

func (s *Server) snapshot() []*peer {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*peer, 0, len(s.peers))
	for _, p := range s.peers {
		all = append(all, p)
	}
	return all
}

func randomStream() uint64 {
	var b [8]byte
	rand.Read(b[:])
	return binary.NativeEndian.Uint64(b[:]) | 1 // 0 is an executor's that follows none yet
}

func validID(id string) bool {
	if id == "" || len(id) > 200 || id[0] == '.' || id[0] == '-' {
		return false
	}
	for _, c := range []byte(id) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}
