package api

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"connectrpc.com/connect"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/api/apipb"
	"github.com/capstan-run/capstan/core/api/apipb/apipbconnect"
	"github.com/capstan-run/capstan/core/api/clusterpb/clusterpbconnect"
	"github.com/capstan-run/capstan/core/unixsock"
)

// Options say where a host is and who asks.
type Options struct {
	// Address is "unix:///path/host.sock", "http://127.0.0.1:port" or "https://…".
	Address string
	Token   string
	CA      []byte // PEM; for https with a certificate of the host's own
}

// Client talks to one host. Its methods answer *core.Error. Safe for
// concurrent use.
type Client struct {
	rpc       apipbconnect.HostServiceClient
	cluster   clusterpbconnect.ClusterServiceClient
	transport *http.Transport
	address   string
}

// Dial makes a client. Nothing is sent until the first call.
func Dial(o Options) (*Client, error) {
	t := &http.Transport{MaxIdleConnsPerHost: 8, IdleConnTimeout: 30 * time.Second}
	base := o.Address
	if path, ok := strings.CutPrefix(o.Address, "unix://"); ok {
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) { return unixsock.Dial(ctx, path) }
		base = "http://host"
	} else if !strings.HasPrefix(o.Address, "http://") && !strings.HasPrefix(o.Address, "https://") {
		return nil, core.Errorf(core.Invalid, "host address %q is none of unix:///path, http://host:port, https://host:port", o.Address)
	}
	if len(o.CA) > 0 {
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(o.CA)
		t.TLSClientConfig = &tls.Config{RootCAs: pool}
	}
	auth := bearer("Bearer " + o.Token)
	return &Client{
		rpc:       apipbconnect.NewHostServiceClient(&http.Client{Transport: t}, base, connect.WithInterceptors(auth)),
		cluster:   clusterpbconnect.NewClusterServiceClient(&http.Client{Transport: t}, base, connect.WithInterceptors(auth)),
		transport: t, address: o.Address,
	}, nil
}

// Close drops idle connections.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// Address is what the client dials.
func (c *Client) Address() string { return c.address }

// RPC is the generated client, for calls without a helper here. Its errors
// want FromConnect.
func (c *Client) RPC() apipbconnect.HostServiceClient { return c.rpc }

// Cluster is the generated client of the scheduler's side. Its errors want
// FromConnect.
func (c *Client) Cluster() clusterpbconnect.ClusterServiceClient { return c.cluster }

// bearer adds the token to every call.
type bearer string

func (b bearer) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, r connect.AnyRequest) (connect.AnyResponse, error) {
		r.Header().Set("Authorization", string(b))
		return next(ctx, r)
	}
}

func (b bearer) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return func(ctx context.Context, s connect.Spec) connect.StreamingClientConn {
		conn := next(ctx, s)
		conn.RequestHeader().Set("Authorization", string(b))
		return conn
	}
}

func (b bearer) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return next
}

// Info describes the host.
func (c *Client) Info(ctx context.Context) (*apipb.InfoResponse, error) {
	r, err := c.rpc.Info(ctx, connect.NewRequest(&apipb.InfoRequest{}))
	if err != nil {
		return nil, FromConnect(err)
	}
	return r.Msg, nil
}

// Submit hands a document over. attached says that the job existed already.
func (c *Client) Submit(ctx context.Context, doc []byte, id, source string) (jobID core.JobID, attached bool, warnings []core.Diagnostic, err error) {
	r, err := c.rpc.Submit(ctx, connect.NewRequest(&apipb.SubmitRequest{Spec: doc, Id: id, Source: source}))
	if err != nil {
		return "", false, nil, FromConnect(err)
	}
	for _, s := range r.Msg.Warnings {
		var d core.Diagnostic
		if FromStruct(s, &d) == nil {
			warnings = append(warnings, d)
		}
	}
	return core.JobID(r.Msg.Id), r.Msg.Attached, warnings, nil
}

// Get answers one job by id, unique prefix or @latest.
func (c *Client) Get(ctx context.Context, id string) (*core.Job, error) {
	r, err := c.rpc.Get(ctx, connect.NewRequest(&apipb.JobRequest{Id: id}))
	if err != nil {
		return nil, FromConnect(err)
	}
	j := new(core.Job)
	return j, FromStruct(r.Msg.Job, j)
}

// List answers jobs, newest first.
func (c *Client) List(ctx context.Context, limit int, state string) ([]core.Job, error) {
	r, err := c.rpc.List(ctx, connect.NewRequest(&apipb.ListRequest{Limit: int32(limit), State: state}))
	if err != nil {
		return nil, FromConnect(err)
	}
	jobs := make([]core.Job, len(r.Msg.Jobs))
	for i, s := range r.Msg.Jobs {
		if err := FromStruct(s, &jobs[i]); err != nil {
			return nil, err
		}
	}
	return jobs, nil
}

// Cancel asks a job to end.
func (c *Client) Cancel(ctx context.Context, id, reason string) (*core.Job, error) {
	r, err := c.rpc.Cancel(ctx, connect.NewRequest(&apipb.CancelRequest{Id: id, Reason: reason}))
	if err != nil {
		return nil, FromConnect(err)
	}
	j := new(core.Job)
	return j, FromStruct(r.Msg.Job, j)
}

// Command asks something of a running job and answers what it answered, as
// JSON. args is marshalled; nil is none.
func (c *Client) Command(ctx context.Context, id, verb string, args any) (core.JobID, []byte, error) {
	q := &apipb.CommandRequest{Id: id, Verb: verb}
	if args != nil {
		var err error
		if q.Args, err = json.Marshal(args); err != nil {
			return "", nil, err
		}
	}
	r, err := c.rpc.Command(ctx, connect.NewRequest(q))
	if err != nil {
		return "", nil, FromConnect(err)
	}
	return core.JobID(r.Msg.Id), r.Msg.Result, nil
}

// Update gives a running job another document and answers what it answered.
func (c *Client) Update(ctx context.Context, id string, doc []byte, source string) ([]byte, error) {
	r, err := c.rpc.Update(ctx, connect.NewRequest(&apipb.SubmitRequest{Spec: doc, Id: id, Source: source}))
	if err != nil {
		return nil, FromConnect(err)
	}
	return r.Msg.Result, nil
}

// Kinds lists what the host's frameworks say of themselves.
func (c *Client) Kinds(ctx context.Context) ([]core.Description, error) {
	r, err := c.rpc.Kinds(ctx, connect.NewRequest(&apipb.KindsRequest{}))
	if err != nil {
		return nil, FromConnect(err)
	}
	out := make([]core.Description, len(r.Msg.Kinds))
	for i, s := range r.Msg.Kinds {
		if err := FromStruct(s, &out[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Watch calls each with the job's document and events after seq, as they come,
// until the job is final, each answers an error, or the host goes away (an
// error of kind HostLost; call again with the last seq seen).
func (c *Client) Watch(ctx context.Context, id string, seq int64, each func(*core.Job, *apipb.JobEvent) error) error {
	s, err := c.rpc.Watch(ctx, connect.NewRequest(&apipb.WatchRequest{Id: id, After: seq}))
	if err != nil {
		return FromConnect(err)
	}
	defer s.Close()
	final := false
	for s.Receive() {
		var j *core.Job
		if doc := s.Msg().GetJob(); doc != nil {
			j = new(core.Job)
			if err := FromStruct(doc, j); err != nil {
				return err
			}
			final = j.State.Final()
		}
		if err := each(j, s.Msg().GetEvent()); err != nil {
			return err
		}
	}
	if err := s.Err(); err != nil {
		return FromConnect(err)
	}
	if !final {
		return core.Errorf(core.HostLost, "the host ended the stream before the job")
	}
	return nil
}

// Upload sends those of the files that the host lacks and answers their
// hashes, in order.
func (c *Client) Upload(ctx context.Context, files []string) ([]string, error) {
	sums := make([]string, len(files))
	for i, f := range files {
		var err error
		if sums[i], err = hashFile(f); err != nil {
			return nil, core.Errorf(core.Invalid, "read %s: %v", f, err)
		}
	}
	if len(files) == 0 {
		return nil, nil
	}
	r, err := c.rpc.HasArtifacts(ctx, connect.NewRequest(&apipb.HasArtifactsRequest{Sha256: sums}))
	if err != nil {
		return nil, FromConnect(err)
	}
	missing := map[string]bool{}
	for _, s := range r.Msg.Missing {
		missing[s] = true
	}
	for i, f := range files {
		if missing[sums[i]] {
			if err := c.put(ctx, f, sums[i]); err != nil {
				return nil, err
			}
			missing[sums[i]] = false
		}
	}
	return sums, nil
}

func hashFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func (c *Client) put(ctx context.Context, path, sum string) error {
	f, err := os.Open(path)
	if err != nil {
		return core.Errorf(core.Invalid, "read %s: %v", path, err)
	}
	defer f.Close()
	s := c.rpc.PutArtifact(ctx)
	buf := make([]byte, 1<<20)
	for {
		n, err := f.Read(buf)
		if n > 0 || errors.Is(err, io.EOF) {
			if serr := s.Send(&apipb.PutArtifactRequest{Sha256: sum, Name: filepath.Base(path), Chunk: buf[:n]}); serr != nil {
				break // CloseAndReceive tells why
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return core.Errorf(core.Invalid, "read %s: %v", path, err)
		}
	}
	if _, err := s.CloseAndReceive(); err != nil {
		return FromConnect(err)
	}
	return nil
}
