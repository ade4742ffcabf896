package executor

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	grpcpeer "google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/executor/wirepb"
)

// protocol is the version of the wire; an executor of another is refused.
const protocol = "1"

// Join implements the service.
func (s *Server) Join(ctx context.Context, r *wirepb.JoinRequest) (*wirepb.JoinResponse, error) {
	if r.Version != protocol {
		return nil, status.Errorf(codes.FailedPrecondition,
			"executor speaks protocol %q, the host %q: they come from different builds", r.Version, protocol)
	}
	csr, err := x509.ParseCertificateRequest(r.Csr)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, "certificate request: "+err.Error())
	}
	id, assignment, err := s.admission(ctx, r.Token, csr)
	if err != nil {
		return nil, err
	}
	cert, err := s.config.CA.executorCert(csr, id, s.config.CertLifetime)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, "certificate request: "+err.Error())
	}
	return &wirepb.JoinResponse{Certificate: cert, Ca: s.config.CA.cert.Raw, Assignment: assignment}, nil
}

// admission finds whom a join is for, by its token or, for a renewal, by the
// certificate in use.
func (s *Server) admission(ctx context.Context, token string, csr *x509.CertificateRequest) (identity, *wirepb.Assignment, error) {
	caller, callerErr := callerOf(ctx)
	if token == "" {
		if callerErr != nil {
			return identity{}, nil, callerErr
		}
		_, err := s.known(caller)
		return caller, nil, err
	}
	// A map finds the hash of 256 random bits: its timing tells nothing about
	// the token.
	hash := sha256.Sum256([]byte(token))
	s.mu.Lock()
	p := s.tickets[hash]
	s.mu.Unlock()
	if p == nil {
		return identity{}, nil, errToken
	}
	return p.redeem(hash, sha256.Sum256(csr.RawSubjectPublicKeyInfo), caller.id)
}

// callerOf is the identity of the connection's certificate.
func callerOf(ctx context.Context) (identity, error) {
	none := status.Error(codes.Unauthenticated, "no executor certificate")
	from, ok := grpcpeer.FromContext(ctx)
	if !ok {
		return identity{}, none
	}
	info, ok := from.AuthInfo.(credentials.TLSInfo)
	if !ok || len(info.State.VerifiedChains) == 0 {
		return identity{}, none
	}
	id, err := identityOf(info.State.VerifiedChains[0][0])
	if err != nil {
		return identity{}, status.Error(codes.Unauthenticated, err.Error())
	}
	return id, nil
}

// known finds the peer of a certificate (law E2). A fence is final for the
// executor; not being known may pass, while a host is coming up.
func (s *Server) known(id identity) (*peer, error) {
	p, err := s.peer(id.id)
	switch core.KindOf(err) {
	case "":
	case core.Denied:
		return nil, errCutOff
	default:
		return nil, status.Error(codes.NotFound, err.Error())
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.rank != id.rank {
		return nil, errPlace
	}
	return p, nil
}

// Session implements the service.
func (s *Server) Session(stream wirepb.Control_SessionServer) error {
	id, err := callerOf(stream.Context())
	if err != nil {
		return err
	}
	p, err := s.known(id)
	if err != nil {
		return err
	}
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	hello := first.GetHello()
	if hello == nil {
		return status.Error(codes.InvalidArgument, "a session begins with hello")
	}
	ses, err := s.open(p, id.rank, hello, stream)
	if err != nil {
		return err
	}
	err = s.converse(p, ses, stream)
	p.detach(ses, err, s.handler)
	return err
}

// open makes the session the one in force, tells the handler, and answers.
func (s *Server) open(p *peer, rank core.Rank, hello *wirepb.Hello, stream wirepb.Control_SessionServer) (*session, error) {
	p.deliver.Lock()
	defer p.deliver.Unlock()
	ses := newSession()
	welcome, spent, err := p.attach(ses, rank, hello, s.stream)
	if err != nil {
		return nil, err
	}
	s.revoke(spent)
	welcome.HeartbeatMs = s.config.Heartbeat.Milliseconds()
	if err := stream.Send(&wirepb.Down{Ack: welcome.LastSeq, What: &wirepb.Down_Welcome{Welcome: welcome}}); err != nil {
		p.drop(ses)
		return nil, err
	}
	s.handler.Joined(p.id, rank, hello.Resumed)
	return ses, nil
}

// converse sends and receives until the stream breaks or the session is cut.
// Both sides may be blocked by then, the sender by an executor that does not
// read; they end when the caller has returned from the stream's handler.
func (s *Server) converse(p *peer, ses *session, stream wirepb.Control_SessionServer) error {
	ended := make(chan error, 2)
	s.wg.Go(func() { ended <- s.receive(p, ses, stream) })
	s.wg.Go(func() { ended <- s.send(p, ses, stream) })
	select {
	case err := <-ended:
		return err
	case <-ses.cut:
		return ses.why
	case <-s.done:
		return errClosing
	}
}

func (s *Server) receive(p *peer, ses *session, stream wirepb.Control_SessionServer) error {
	for {
		up, err := stream.Recv()
		if err != nil {
			return err
		}
		if err := p.receive(ses, up, s.handler); err != nil {
			return err
		}
	}
}

func (s *Server) send(p *peer, ses *session, stream wirepb.Control_SessionServer) error {
	for {
		if d := p.next(ses); d != nil {
			if err := stream.Send(d); err != nil {
				return err
			}
			continue
		}
		select {
		case <-ses.wake:
		case <-ses.cut:
			return ses.why
		case <-stream.Context().Done():
			return context.Cause(stream.Context())
		}
	}
}

// deliverLog cleans what an executor logged: it is not trusted to have done so.
func deliverLog(h Handler, id string, l *wirepb.Log) {
	at := time.Unix(0, l.GetUnixNanos())
	if n := l.GetDropped(); n > 0 {
		h.Log(id, at, fmt.Sprintf("%d log lines were dropped: the worker logs faster than allowed", n))
	}
	if l.GetText() != "" {
		h.Log(id, at, cleanLine(l.GetText()))
	}
}

// wireError is a core.Error as Ended carries it.
type wireError struct {
	Kind        core.ErrKind      `json:"kind"`
	What        string            `json:"what"`
	Where       string            `json:"where,omitempty"`
	Remedy      string            `json:"remedy,omitempty"`
	Detail      string            `json:"detail,omitempty"`
	Diagnostics []core.Diagnostic `json:"diagnostics,omitempty"`
}

// maxDetail bounds a stack or other supporting text, in bytes.
const maxDetail = 16 << 10

func endOf(err error, stack string, cpu time.Duration) *wirepb.Ended {
	e := &wirepb.Ended{CpuNanos: int64(cpu)}
	if err == nil {
		return e
	}
	e.Error = err.Error()
	if len(stack) > maxDetail {
		stack = stack[:maxDetail]
	}
	e.Stack = stack
	o := core.OutcomeOf(err, core.Report{})
	// A core.Error of a worker holds strings only: it always marshals.
	e.ErrorJson, _ = json.Marshal(wireError{
		Kind: o.Kind, What: o.What, Where: o.Where, Remedy: o.Remedy, Detail: o.Detail,
		Diagnostics: core.AsError(err).Diagnostics,
	})
	return e
}

func endError(e *wirepb.Ended) *core.Error {
	if e.GetError() == "" {
		return nil
	}
	var w wireError
	if json.Unmarshal(e.GetErrorJson(), &w) != nil || w.Kind == "" {
		w = wireError{Kind: core.Failed, What: e.GetError()}
	}
	if w.Detail == "" {
		w.Detail = e.GetStack()
	}
	return &core.Error{Kind: w.Kind, What: w.What, Where: w.Where, Remedy: w.Remedy, Detail: w.Detail, Diagnostics: w.Diagnostics}
}
