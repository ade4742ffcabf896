package host

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/unixsock"
)

// Listen says where the API answers beside StateDir/host.sock.
type Listen struct {
	Address string // TCP; "" for none
	TLSCert string // files; required for an address beyond loopback
	TLSKey  string
}

// idleAfter is how long an occasional host waits for a job or a caller.
const idleAfter = 15 * time.Second

// Run opens a host, answers its API until ctx ends or somebody shuts it down,
// and closes it. ready is called once the API answers.
func Run(ctx context.Context, cfg Config, l Listen, ready func(*Host)) error {
	h, err := Open(ctx, cfg)
	if err != nil {
		return err
	}
	defer h.Close()
	// Only who holds the journal may make the token: two hosts that start at
	// once would each believe in their own.
	token, err := loadToken(cfg.StateDir)
	if err != nil {
		return err
	}
	listeners, err := h.listenAPI(l)
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: h.touch(h.Handler(token)), ReadHeaderTimeout: 10 * time.Second, BaseContext: func(net.Listener) context.Context { return h.ctx }}
	srv.Protocols = new(http.Protocols)
	srv.Protocols.SetHTTP1(true)
	srv.Protocols.SetHTTP2(true)
	srv.Protocols.SetUnencryptedHTTP2(true)
	// The sockets are open: who calls from now on is answered. What ready tidies
	// up must not be a call's.
	ready(h)
	failed := make(chan error, len(listeners))
	for _, l := range listeners {
		go func() { failed <- srv.Serve(l) }()
	}
	err = h.until(ctx, failed)
	h.drain()
	h.stop() // ends the streams of those who watch, who would hold up the shutdown
	shut, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if srv.Shutdown(shut) != nil {
		srv.Close()
	}
	return err
}

// until waits for a reason to end.
func (h *Host) until(ctx context.Context, failed <-chan error) error {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-h.closing:
			return nil
		case err := <-failed:
			return core.Errorf(core.Internal, "serve the API: %v", err)
		case <-t.C:
			if h.cfg.Occasional && h.retire() {
				return nil
			}
		}
	}
}

// touch remembers that somebody called. Streams that only follow a job do not
// count as calls under way: they end with the job, or with the host.
func (h *Host) touch(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := 1
		if strings.HasSuffix(r.URL.Path, "/Watch") || strings.HasSuffix(r.URL.Path, "/Logs") {
			n = 0
		}
		h.mu.Lock()
		h.used = now()
		h.calls += n
		h.mu.Unlock()
		defer func() {
			h.mu.Lock()
			h.used = now()
			h.calls -= n
			h.mu.Unlock()
		}()
		next.ServeHTTP(w, r)
	})
}

func socketPath(stateDir string) string { return filepath.Join(stateDir, "host.sock") }

// listenAPI opens the unix socket and, if asked for, a TCP port.
func (h *Host) listenAPI(o Listen) ([]net.Listener, error) {
	path := socketPath(h.cfg.StateDir)
	os.Remove(path) // the journal's lock says that no other host lives here
	sock, err := unixsock.Listen(path)
	if err != nil {
		return nil, core.Errorf(core.Internal, "listen: %v", err).At(path)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, err
	}
	if o.Address == "" {
		return []net.Listener{sock}, nil
	}
	tcp, err := listenTCP(o)
	if err != nil {
		sock.Close()
		return nil, err
	}
	return []net.Listener{sock, tcp}, nil
}

// listenTCP refuses to leave loopback without TLS.
func listenTCP(o Listen) (net.Listener, error) {
	host, _, err := net.SplitHostPort(o.Address)
	if err != nil {
		return nil, core.Errorf(core.Invalid, "--listen %q: %v", o.Address, err).Do("give host:port, such as 127.0.0.1:7070")
	}
	ip := net.ParseIP(host)
	local := host == "localhost" || ip != nil && ip.IsLoopback()
	if !local && o.TLSCert == "" {
		return nil, core.Errorf(core.Denied, "the API would leave this machine unencrypted on %s", o.Address).
			Do("give --tls-cert and --tls-key, or listen on 127.0.0.1")
	}
	l, err := net.Listen("tcp", o.Address)
	if err != nil {
		return nil, core.Errorf(core.Invalid, "%v", err).Do("choose another port with --listen")
	}
	if o.TLSCert == "" {
		return l, nil
	}
	cert, err := tls.LoadX509KeyPair(o.TLSCert, o.TLSKey)
	if err != nil {
		l.Close()
		return nil, core.Errorf(core.Invalid, "read the certificate: %v", err).At(o.TLSCert)
	}
	return tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}), nil
}

// loadToken reads the token callers present, or makes it: 32 random bytes in a
// file only the owner reads.
func loadToken(stateDir string) (string, error) {
	if err := os.MkdirAll(stateDir, 0o700); err != nil {
		return "", core.Errorf(core.Denied, "%v", err).At(stateDir).Do("choose another state directory with --state")
	}
	path := filepath.Join(stateDir, "token")
	b, err := os.ReadFile(path)
	if err == nil && len(strings.TrimSpace(string(b))) >= 32 {
		return strings.TrimSpace(string(b)), nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", core.Errorf(core.Denied, "%v", err).At(path)
	}
	raw := make([]byte, 32)
	rand.Read(raw)
	token := hex.EncodeToString(raw)
	tmp := fmt.Sprintf("%s.%d", path, os.Getpid())
	if err := os.WriteFile(tmp, []byte(token+"\n"), 0o600); err != nil {
		return "", core.Errorf(core.Denied, "%v", err).At(path)
	}
	return token, os.Rename(tmp, path)
}
