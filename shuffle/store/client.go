package store

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"golang.org/x/sync/semaphore"

	"github.com/capstan-run/capstan/core"
)

// Config tunes a Client. The zero Config is the default.
type Config struct {
	// Budget is how long a call goes on trying while the store is away.
	// Default 5 minutes; negative: one try.
	Budget time.Duration
	// Connections to keep open at most. Default 32.
	Connections int
	// Parallel is how many requests one ReadRanges or one multipart upload has
	// under way at most. Default 4.
	Parallel int
	// InFlight is how many bytes all ReadRanges of the client have asked for
	// and not yet received, at most. Default 64 MiB; at least one GET's 16 MiB.
	InFlight int64
	// Part is the largest object sent as one PUT, and about the size of a
	// larger one's parts. Default 64 MiB; at least S3's 5 MiB.
	Part int64
	// Buffers is how many bytes all uploads of the client together may hold of
	// bodies that cannot be read twice, beyond one buffer each. Default 64 MiB;
	// negative: none.
	Buffers int64
	// Page is how many objects one listing request asks for. Default 1000,
	// which is S3's most.
	Page int
	// Hedges is the share of GETs of ReadRanges that may be sent a second time
	// because they are slow. Default 0.05; negative: none.
	Hedges float64
	// Waiting is called before every pause of a call that waits for the store,
	// at least every two seconds or so; Recovered once it has succeeded. Both
	// from any goroutine; they must not block. Default: nothing.
	Waiting, Recovered func(Wait)
}

func (cfg Config) withDefaults() Config {
	if cfg.Budget == 0 {
		cfg.Budget = 5 * time.Minute
	}
	if cfg.Budget < 0 {
		cfg.Budget = time.Nanosecond
	}
	if cfg.Connections <= 0 {
		cfg.Connections = 32
	}
	if cfg.Parallel <= 0 {
		cfg.Parallel = 4
	}
	if cfg.InFlight <= 0 {
		cfg.InFlight = 64 << 20
	}
	cfg.InFlight = max(cfg.InFlight, coalesced)
	if cfg.Part <= 0 {
		cfg.Part = 64 << 20
	}
	cfg.Part = max(cfg.Part, minPart)
	if cfg.Buffers == 0 {
		cfg.Buffers = 64 << 20
	}
	if cfg.Page <= 0 {
		cfg.Page = 1000
	}
	if cfg.Hedges == 0 {
		cfg.Hedges = 0.05
	}
	if cfg.Waiting == nil {
		cfg.Waiting = func(Wait) {}
	}
	if cfg.Recovered == nil {
		cfg.Recovered = func(Wait) {}
	}
	return cfg
}

// Client is one identity at one store. Its methods may be called from any
// goroutine.
type Client struct {
	access    core.StoreAccess
	cfg       Config
	core      minio.Core
	transport ByBody
	counts    counts
	pace      pacer
	hedges    hedger
	inFlight  *semaphore.Weighted // bytes asked for by ReadRanges
	buffers   *semaphore.Weighted // bytes held by uploads, beyond the first buffer of each
}

// Open returns a client for access with the default Config. It dials nothing.
func Open(access core.StoreAccess) (*Client, error) { return Config{}.Open(access) }

// Open returns a client for access. It dials nothing.
func (cfg Config) Open(access core.StoreAccess) (*Client, error) {
	cfg = cfg.withDefaults()
	ep, err := parseEndpoint(access.Endpoint)
	if err != nil {
		return nil, err
	}
	t := cfg.transport(ep.dial)
	ways := ByBody{With: t, Without: t}
	if access.Socket != "" {
		ways.With = cfg.transport(DialUploads(access, ep.dial))
	}
	region := access.Region
	if region == "" {
		region = "us-east-1"
	}
	c := &Client{access: access, cfg: cfg, transport: ways}
	c.counts.next = ways
	c.pace.refused = func() { c.counts.slowDowns.Add(1) }
	c.hedges.share = cfg.Hedges
	c.inFlight = semaphore.NewWeighted(cfg.InFlight)
	c.buffers = semaphore.NewWeighted(max(cfg.Buffers, 0))
	mc, err := minio.NewCore(ep.host, &minio.Options{
		Creds:           credentials.NewStaticV4(access.AccessKey, access.SecretKey, ""),
		Secure:          ep.secure,
		Transport:       &c.counts,
		Region:          region,
		BucketLookup:    minio.BucketLookupPath,
		TrailingHeaders: true,
		MaxRetries:      1, // the retries are ours: they know budget and body
	})
	if err != nil {
		return nil, core.Errorf(core.Invalid, "%v", err).At(access.Endpoint).Do(endpointRemedy)
	}
	c.core = *mc
	return c, nil
}

func (cfg Config) transport(dial Dial) *http.Transport {
	buffers := &sync.Pool{New: func() any { b := make([]byte, bufferSize); return &b }}
	return &http.Transport{
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := dial(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return stallConn{c, buffers}, nil
		},
		MaxIdleConnsPerHost: cfg.Connections,
		IdleConnTimeout:     stall / 2,
		TLSHandshakeTimeout: dialTimeout,
		WriteBufferSize:     bufferSize,
		ReadBufferSize:      bufferSize,
		DisableCompression:  true,
	}
}

// Access returns what the client was opened with, secrets included.
func (c *Client) Access() core.StoreAccess { return c.access }

// Close drops the idle connections. Calls under way go on.
func (c *Client) Close() error {
	c.transport.CloseIdleConnections()
	return nil
}

const (
	dialTimeout = 5 * time.Second
	// stall is how long a connection with a request on it may move no byte
	// before the try counts as failed. A server that syncs a big object to a
	// slow disk is silent for a while.
	stall = 2 * time.Minute

	bufferSize = 128 << 10

	endpointRemedy = `write "http://host:port", "https://host:port" or "unix:///path/to/socket"`
)

type endpoint struct {
	host   string // what requests name; for a unix socket a placeholder
	secure bool
	dial   Dial
}

func parseEndpoint(s string) (endpoint, error) {
	if path, ok := strings.CutPrefix(s, "unix://"); ok && strings.HasPrefix(path, "/") {
		return endpoint{host: "localhost", dial: DialSocket(path)}, nil
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil {
		return endpoint{}, core.Errorf(core.Invalid, "%q is no store endpoint", s).Do(endpointRemedy)
	}
	d := &net.Dialer{Timeout: dialTimeout, KeepAlive: 15 * time.Second}
	return endpoint{host: u.Host, secure: u.Scheme == "https", dial: d.DialContext}, nil
}

// stallConn fails reads and writes once nothing has moved for stall: a store
// that was frozen, or a network that went away without a word.
type stallConn struct {
	net.Conn
	buffers *sync.Pool
}

func (c stallConn) Read(p []byte) (int, error) {
	c.SetReadDeadline(time.Now().Add(stall))
	return c.Conn.Read(p)
}

func (c stallConn) Write(p []byte) (int, error) {
	// A body going out is also progress for the read that waits for its answer.
	c.SetDeadline(time.Now().Add(stall))
	return c.Conn.Write(p)
}

// ReadFrom takes a body in large pieces; net/http would take 32 KiB at a time.
func (c stallConn) ReadFrom(r io.Reader) (int64, error) {
	buf := c.buffers.Get().(*[]byte)
	defer c.buffers.Put(buf)
	return io.CopyBuffer(struct{ io.Writer }{c}, struct{ io.Reader }{r}, *buf)
}
