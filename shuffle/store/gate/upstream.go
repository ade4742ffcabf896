package gate

import (
	"context"
	"maps"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"

	"github.com/minio/minio-go/v7/pkg/signer"
)

const (
	unsigned        = "UNSIGNED-PAYLOAD"
	unsignedTrailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
	bufferSize      = 256 << 10
)

// passes are the headers besides x-amz-* that a store should see.
var passes = []string{
	"Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Md5", "Content-Type", "Expires",
	"If-Match", "If-Modified-Since", "If-None-Match", "If-Unmodified-Since", "Range", "User-Agent",
}

// rewrite makes the request to the store out of the one that was allowed.
func rewrite(pr *httputil.ProxyRequest, up *url.URL) {
	pr.Out.URL.Scheme, pr.Out.URL.Host, pr.Out.Host = up.Scheme, up.Host, up.Host
	h := http.Header{}
	for name, values := range pr.Out.Header {
		if strings.HasPrefix(name, "X-Amz-") && name != "X-Amz-Date" || contains(passes, name) {
			h[name] = values
		}
	}
	if h.Get("X-Amz-Content-Sha256") == "" {
		h.Set("X-Amz-Content-Sha256", unsigned)
	}
	pr.Out.Header = h
}

// signing signs with the real keys: the headers only, so that bodies stream.
type signing struct {
	next                   http.RoundTripper
	access, secret, region string
}

func (s signing) RoundTrip(r *http.Request) (*http.Response, error) {
	out := r.WithContext(r.Context())
	out.Header = maps.Clone(r.Header)
	return s.next.RoundTrip(signer.SignV4(*out, s.access, s.secret, "", s.region))
}

// hideUpstream takes the store's own name out of an answer.
func hideUpstream(resp *http.Response) error {
	resp.Header.Del("Server")
	return nil
}

func contextCause(r *http.Request) error { return context.Cause(r.Context()) }

// buffers are the copy buffers of the proxy.
type buffers struct{ pool sync.Pool }

func newBuffers() *buffers {
	return &buffers{sync.Pool{New: func() any { b := make([]byte, bufferSize); return &b }}}
}

func (b *buffers) Get() []byte  { return *b.pool.Get().(*[]byte) }
func (b *buffers) Put(p []byte) { b.pool.Put(&p) }
