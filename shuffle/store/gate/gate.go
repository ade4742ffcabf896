package gate

import (
	"context"
	"crypto/rand"
	"errors"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/shuffle/store"
)

// Options say what a gate lets through.
type Options struct {
	// Upstream is the real store, with credentials that reach all grants. With
	// its Root set, reads are served from the files there.
	Upstream core.StoreAccess
	// Prefix is the attempt's own place, "bucket/key/prefix/"; read and write.
	Prefix string
	// Grants are further prefixes. A write grant reads too.
	Grants []core.StoreGrant
	// Trust takes whoever can connect for the attempt, without a signature: for
	// a unix socket that only the gang's own mount has.
	Trust bool
	// Expires is when the grants end by themselves (law G6). Zero: never.
	Expires time.Time
	// Now is the clock that Expires and signatures' dates are held against.
	// Default time.Now.
	Now func() time.Time
}

// Stats count what went through a gate.
type Stats struct {
	Requests int64 // all
	Denied   int64 // refused by the gate itself
	BytesIn  int64 // of bodies sent by the attempt, as encoded for transport
	BytesOut int64 // of bodies sent to the attempt
}

// Gate is the store of one attempt. Its methods may be called from any goroutine.
type Gate struct {
	rules     rules
	keys      core.StoreAccess // the attempt's
	trust     bool
	proxy     *httputil.ReverseProxy
	transport store.ByBody
	root      *os.Root // nil without local reads
	fence     fence
	now       func() time.Time
	expires   atomic.Pointer[time.Time] // zero: never

	requests, denied, in, out atomic.Int64

	mu      sync.Mutex
	servers []*http.Server
	closed  bool
}

// New returns a gate that lets requests through until it is fenced. Close frees it.
func New(o Options) (*Gate, error) {
	rules, err := newRules(o.Prefix, o.Grants)
	if err != nil {
		return nil, err
	}
	up, dial, err := upstream(o.Upstream.Endpoint)
	if err != nil {
		return nil, err
	}
	g := &Gate{rules: rules, trust: o.Trust, now: o.Now}
	if g.now == nil {
		g.now = time.Now
	}
	g.Extend(o.Expires)
	g.keys = core.StoreAccess{Region: o.Upstream.Region, AccessKey: "attempt-" + rand.Text()[:12], SecretKey: rand.Text(), Prefix: o.Prefix}
	if g.keys.Region == "" {
		g.keys.Region = "us-east-1"
	}
	if o.Upstream.Root != "" {
		if g.root, err = os.OpenRoot(o.Upstream.Root); err != nil {
			return nil, &core.Error{Kind: core.Internal, What: "open the store's directory", Where: o.Upstream.Root, Err: err}
		}
	}
	pool := newBuffers()
	t := transport(dial, pool)
	g.transport = store.ByBody{With: t, Without: t}
	if o.Upstream.Socket != "" {
		g.transport.With = transport(store.DialUploads(o.Upstream, dial), pool)
	}
	g.proxy = &httputil.ReverseProxy{
		Rewrite:        func(pr *httputil.ProxyRequest) { rewrite(pr, up) },
		Transport:      signing{g.transport, o.Upstream.AccessKey, o.Upstream.SecretKey, g.keys.Region},
		BufferPool:     pool,
		ErrorHandler:   g.upstreamFailed,
		ModifyResponse: hideUpstream,
		ErrorLog:       log.New(discard{}, "", 0),
	}
	return g, nil
}

func transport(dial store.Dial, pool *buffers) *http.Transport {
	return &http.Transport{
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := dial(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return roomyConn{c, pool}, nil
		},
		MaxIdleConnsPerHost: 64,
		IdleConnTimeout:     time.Minute,
		DisableCompression:  true,
		WriteBufferSize:     bufferSize,
		ReadBufferSize:      bufferSize,
	}
}

// Access returns how the attempt reaches this gate at endpoint, where Serve
// listens.
func (g *Gate) Access(endpoint string) core.StoreAccess {
	a := g.keys
	a.Endpoint = endpoint
	return a
}

// Extend sets anew when the grants end: a host that vouches for a long attempt
// moves it on from time to time. Zero: never. An expired gate can be extended; a
// fenced one stays fenced.
func (g *Gate) Extend(until time.Time) { g.expires.Store(&until) }

// expiry returns when the grants ended, if they have. A time that came from
// time.Now is held against the monotonic clock: a machine that slept has not
// aged its grants.
func (g *Gate) expiry(now time.Time) (time.Time, bool) {
	until := *g.expires.Load()
	return until, !until.IsZero() && !now.Before(until)
}

// Vouch extends the grants again and again until ctx ends, so that they outlive
// ctx by life at most, whatever became of whom should have fenced. It returns
// when ctx has ended.
func (g *Gate) Vouch(ctx context.Context, life time.Duration) {
	tick := time.NewTicker(life / 3)
	defer tick.Stop()
	for {
		g.Extend(g.now().Add(life))
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Stats returns the counts so far.
func (g *Gate) Stats() Stats {
	return Stats{Requests: g.requests.Load(), Denied: g.denied.Load(), BytesIn: g.in.Load(), BytesOut: g.out.Load()}
}

// Serve answers on l until the gate is closed, and closes l. It may be called
// for several listeners. It returns nil after Close.
func (g *Gate) Serve(l net.Listener) error {
	s := &http.Server{
		Handler:           g,
		ReadHeaderTimeout: 30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          log.New(discard{}, "", 0),
	}
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return l.Close()
	}
	g.servers = append(g.servers, s)
	g.mu.Unlock()
	if err := s.Serve(roomy(l)); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Fence ends the attempt's access (law G3): everything under way is cut, and
// what the store already had in full is waited for. Every later request is
// answered 403 AttemptFenced. An error means that ctx ended while the store
// still had not answered for some request: its effect may yet appear. Fence may
// be called again.
func (g *Gate) Fence(ctx context.Context) error {
	if left := g.fence.close(ctx); left > 0 {
		return core.Errorf(core.TimedOut, "the store has not answered for %d requests of the fenced attempt", left).
			At(g.keys.Prefix).Do("wait for the store, then fence again")
	}
	return nil
}

// Close fences the gate, for at most half a minute, and stops serving. Only
// after it do clients find the door gone instead of a clear answer: close when
// the gang is.
func (g *Gate) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	err := g.Fence(ctx)
	g.mu.Lock()
	servers := g.servers
	g.servers, g.closed = nil, true
	g.mu.Unlock()
	for _, s := range servers {
		err = errors.Join(err, s.Close())
	}
	g.transport.CloseIdleConnections()
	if g.root != nil {
		err = errors.Join(err, g.root.Close())
	}
	return err
}

// ServeHTTP answers one request of the attempt.
func (g *Gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.requests.Add(1)
	cw := &countingWriter{ResponseWriter: w, n: &g.out}
	f := newFlight(cw, r, &g.in)
	if !g.fence.enter(f) {
		g.refuse(cw, r, fenced())
		return
	}
	defer g.fence.leave(f)
	if no := g.check(r); no != nil {
		g.refuse(cw, r, no)
		return
	}
	r = f.request(r)
	if g.serveFile(cw, r) {
		return
	}
	g.proxy.ServeHTTP(cw, r)
}

// check authenticates and authorizes r, and leaves in r only what was understood.
func (g *Gate) check(r *http.Request) *refusal {
	now := g.now()
	if !g.trust {
		if no := verify(r, g.keys, now); no != nil {
			return no
		}
	}
	if at, over := g.expiry(now); over {
		return expired(at)
	}
	return g.rules.allow(r)
}

func upstream(endpoint string) (*url.URL, store.Dial, error) {
	if path, ok := strings.CutPrefix(endpoint, "unix://"); ok {
		return &url.URL{Scheme: "http", Host: "localhost"}, store.DialSocket(path), nil
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, nil, core.Errorf(core.Invalid, "%q is no store endpoint", endpoint)
	}
	d := &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}
	return &url.URL{Scheme: u.Scheme, Host: u.Host}, d.DialContext, nil
}

// discard drops what net/http would log: clients that went away.
type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
