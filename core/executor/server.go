package executor

import (
	"context"
	"log/slog"
	"net"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/executor/wirepb"
)

// CA is the host's certificate authority.
type CA struct{}

// NewCA makes a certificate authority (ECDSA P-256, ten years).
func NewCA() (*CA, error) { panic("skeleton") }

// LoadCA reads what CA.PEM wrote.
func LoadCA(pem []byte) (*CA, error) { panic("skeleton") }

// PEM is the certificate and its private key. Keep it with mode 0600.
func (ca *CA) PEM() []byte { panic("skeleton") }

// CertPEM is the certificate alone, for Bootstrap.CA.
func (ca *CA) CertPEM() []byte { panic("skeleton") }

// NewToken makes a one-time token.
func NewToken() string { panic("skeleton") }

// Config configures a Server.
type Config struct {
	CA        *CA           // required
	Heartbeat time.Duration // default 1s
	Log       *slog.Logger  // default: nowhere
}

// Server is the host's end.
type Server struct{}

// NewServer makes a server that tells h what it hears.
func NewServer(c Config, h Handler) (*Server, error) { panic("skeleton") }

// Serve accepts executors on l until l is closed or the server is. It may be
// called for many listeners at once.
func (s *Server) Serve(l net.Listener) error { panic("skeleton") }

// Close cuts every session and waits. Executors go on and look for the next host.
func (s *Server) Close() error { panic("skeleton") }

// Expect makes id known and lets it join with token; a is nil for a warm executor.
func (s *Server) Expect(id, token string, a *wirepb.Assignment) error { panic("skeleton") }

// Restore makes id known after a restart of the host; the zero rank for a warm one.
func (s *Server) Restore(id string, rank core.Rank) error { panic("skeleton") }

// Assign gives a warm executor its place. Handler.Joined tells when it took it.
func (s *Server) Assign(id string, a *wirepb.Assignment) error { panic("skeleton") }

// Start runs the worker: the gang is whole.
func (s *Server) Start(id string) error { panic("skeleton") }

// SetGeneration tells the executor the coordinator's generation.
func (s *Server) SetGeneration(id string, g int64) error { panic("skeleton") }

// Send queues data for the worker. It never blocks.
func (s *Server) Send(id string, generation int64, data []byte) error { panic("skeleton") }

// Stop asks the executor to end its worker within grace.
func (s *Server) Stop(id, reason string, grace time.Duration) error { panic("skeleton") }

// Fence cuts the executor off for ever (law E3). Unknown ids are fenced too.
func (s *Server) Fence(id string) { panic("skeleton") }

// Forget drops all that is known of an executor that is gone.
func (s *Server) Forget(id string) { panic("skeleton") }

// Run is an executor's life.
func Run(ctx context.Context, frameworks []core.Framework) error { panic("skeleton") }

// ExitCode is the process exit code for what Run returned.
func ExitCode(err error) int { panic("skeleton") }
