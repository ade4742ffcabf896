package executor

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/executor/wirepb"
)

// guest speaks the wire without being a whole executor.
type guest struct {
	c *connector
}

func (h *host) guest(t *testing.T, id string) guest {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(h.ca.cert)
	return guest{&connector{link: newLink(h.bootstrap(id, "x")), roots: roots}}
}

func (g guest) redeem(t *testing.T, token string, key *ecdsa.PrivateKey) (*badge, error) {
	t.Helper()
	conn, err := g.c.dial()
	ok(t, err)
	defer conn.Close()
	b, _, err := redeem(t.Context(), wirepb.NewControlClient(conn), token, key)
	return b, err
}

// enter opens a session with a badge and returns why it was refused; nil if it
// was not.
func (g guest) enter(t *testing.T, b *badge) error {
	t.Helper()
	g.c.badge = b
	conn, err := g.c.dial()
	ok(t, err)
	defer conn.Close()
	stream, err := wirepb.NewControlClient(conn).Session(t.Context())
	if err != nil {
		return err
	}
	if err := stream.Send(g.c.link.hello()); err != nil {
		return recvError(stream, err)
	}
	_, err = stream.Recv()
	return err
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ok(t, err)
	return key
}

func wantCode(t *testing.T, what string, err error, want codes.Code) {
	t.Helper()
	if got := status.Code(err); got != want {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

func TestTokenWorksOnce(t *testing.T) {
	h := newHost(t)
	token := NewToken()
	ok(t, h.Expect("a", token, assignment(0)))
	g, key := h.guest(t, "a"), newKey(t)
	if _, err := g.redeem(t, "guess", key); status.Code(err) != codes.Unauthenticated {
		t.Errorf("a guessed token: %v", err)
	}
	if _, err := g.redeem(t, token, key); err != nil {
		t.Fatal(err)
	}
	b, err := g.redeem(t, token, key)
	if err != nil {
		t.Errorf("the same key again, as after a lost answer: %v", err)
	}
	if _, err := g.redeem(t, token, newKey(t)); status.Code(err) != codes.Unauthenticated {
		t.Errorf("another key: %v", err)
	}
	ok(t, g.enter(t, b))
	if _, err := g.redeem(t, token, key); status.Code(err) != codes.Unauthenticated {
		t.Errorf("the same key after the session opened: %v", err)
	}
	h.Server.mu.Lock()
	defer h.Server.mu.Unlock()
	if len(h.tickets) != 0 {
		t.Errorf("%d spent tickets are kept", len(h.tickets))
	}
}

func TestBadges(t *testing.T) {
	h := newHost(t)
	token := NewToken()
	ok(t, h.Expect("a", token, assignment(0)))
	ok(t, h.Expect("b", NewToken(), assignment(1)))
	g := h.guest(t, "a")
	good, err := g.redeem(t, token, newKey(t))
	ok(t, err)

	forge := func(ca *CA, id string, rank core.Rank, life time.Duration) *badge {
		key := newKey(t)
		der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
		ok(t, err)
		csr, err := x509.ParseCertificateRequest(der)
		ok(t, err)
		cert, err := ca.executorCert(csr, identity{id: id, rank: rank}, life)
		ok(t, err)
		return &badge{cert: &tls.Certificate{Certificate: [][]byte{cert}, PrivateKey: key}}
	}
	other, err := NewCA()
	ok(t, err)
	place := placeOf(assignment(0))
	older := place
	older.Epoch = 0

	wantCode(t, "no certificate", g.enter(t, nil), codes.Unauthenticated)
	wantCode(t, "another authority's", g.enter(t, forge(other, "a", place, time.Hour)), codes.Unavailable)
	wantCode(t, "expired", g.enter(t, forge(h.ca, "a", place, -time.Second)), codes.Unavailable)
	wantCode(t, "another place", g.enter(t, forge(h.ca, "a", placeOf(assignment(1)), time.Hour)), codes.PermissionDenied)
	wantCode(t, "an older epoch", g.enter(t, forge(h.ca, "a", older, time.Hour)), codes.PermissionDenied)
	wantCode(t, "a warm one's", g.enter(t, forge(h.ca, "a", core.Rank{}, time.Hour)), codes.PermissionDenied)
	wantCode(t, "of an unknown executor", g.enter(t, forge(h.ca, "z", place, time.Hour)), codes.NotFound)
	wantCode(t, "the right one", g.enter(t, good), codes.OK)
	h.Fence("a")
	wantCode(t, "fenced", g.enter(t, good), codes.PermissionDenied)
	h.Forget("b")
	if err := h.Start("b"); core.KindOf(err) != core.NotFound {
		t.Errorf("a forgotten executor is started: %v", err)
	}
	if err := h.Expect("a", NewToken(), nil); core.KindOf(err) != core.Denied {
		t.Errorf("a fenced executor is expected: %v", err)
	}
}

func TestRenewal(t *testing.T) {
	h := newHost(t)
	token := NewToken()
	ok(t, h.Expect("a", token, assignment(0)))
	g := h.guest(t, "a")
	if _, err := g.redeem(t, "", newKey(t)); status.Code(err) != codes.Unauthenticated {
		t.Errorf("a renewal without a certificate: %v", err)
	}
	first, err := g.redeem(t, token, newKey(t))
	ok(t, err)
	g.c.badge = first
	second, err := g.redeem(t, "", newKey(t))
	ok(t, err)
	id, err := identityOf(second.leaf)
	if err != nil || id.id != "a" || id.rank != placeOf(assignment(0)) {
		t.Errorf("renewed for %+v, %v", id, err)
	}
	ok(t, g.enter(t, second))
	h.Fence("a")
	wantCode(t, "a fenced executor's renewal", errOf(g.redeem(t, "", newKey(t))), codes.PermissionDenied)
}

func errOf(_ *badge, err error) error { return err }

// TestRenewalInSession lets certificates live so short that a session outlasts
// several.
func TestRenewalInSession(t *testing.T) {
	ca, err := NewCA()
	ok(t, err)
	h := startHost(t, Config{CA: ca, Heartbeat: testBeat, CertLifetime: 2 * time.Second}, t.TempDir()+"/host.sock")
	token := NewToken()
	ok(t, h.Expect("a", token, assignment(0)))
	g := h.guest(t, "a")
	first, err := g.redeem(t, token, newKey(t))
	ok(t, err)
	// Two thirds of a life that began ten minutes ago have passed.
	g.c.badge = first
	result := make(chan error, 1)
	go func() { result <- g.c.once(t.Context()) }()
	h.wait(t, "joined", 1)
	for g.c.current() == first {
		h.wait(t, "beat", len(h.of("beat"))+1)
	}
	h.Fence("a")
	if err := <-result; status.Code(err) != codes.PermissionDenied {
		t.Errorf("the session ended with %v", err)
	}
}

func TestRefusedExecutorEnds(t *testing.T) {
	h := newHost(t)
	err := result(t, launch(t, h.bootstrap("a", NewToken()), echo))
	if !errors.Is(err, ErrRefused) || core.KindOf(err) != core.Denied {
		t.Errorf("an unexpected executor ends with %v", err)
	}
}

func TestOrphan(t *testing.T) {
	h := newHost(t)
	token := NewToken()
	ok(t, h.Expect("a", token, assignment(0)))
	b := h.bootstrap("a", token)
	b.OrphanAfter = core.Duration(100 * time.Millisecond)
	done := launch(t, b, echo)
	ok(t, h.Start("a"))
	h.wait(t, "beat", 1)
	ok(t, h.Close())
	if err := result(t, done); !errors.Is(err, ErrOrphaned) || core.KindOf(err) != core.HostLost {
		t.Errorf("an orphan ends with %v", err)
	}
}

func TestBootstrapFileIsRemoved(t *testing.T) {
	h := newHost(t)
	cmd := h.spawn(t, "a")
	h.wait(t, "joined", 1)
	path := cmd.Env[1][len(BootstrapEnv)+1:]
	ok(t, h.Start("a"))
	ok(t, h.Send("a", 0, []byte("x")))
	h.wait(t, "message", 1)
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the token lies at %s still: %v", path, err)
	}
}

func TestCAPersists(t *testing.T) {
	ca, err := NewCA()
	ok(t, err)
	again, err := LoadCA(ca.PEM())
	ok(t, err)
	if !again.cert.Equal(ca.cert) || !again.key.Equal(ca.key) {
		t.Error("the authority changed")
	}
	if _, err := LoadCA(ca.CertPEM()); err == nil {
		t.Error("a certificate without its key is taken")
	}
	other, err := NewCA()
	ok(t, err)
	if _, err := LoadCA(append(ca.CertPEM(), other.PEM()[len(other.CertPEM()):]...)); err == nil {
		t.Error("another's key is taken")
	}
}
