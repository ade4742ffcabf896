package store

import (
	"context"
	"net"
	"net/http"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/unixsock"
)

// Dial makes a connection to a store. The address is what the URL names.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// DialSocket returns a Dial to the unix socket at path, whatever the address.
// Its connections take as much at a time as a body's writer gives them: with the
// kernel's default buffer, sender and receiver wake each other for every piece.
func DialSocket(path string) Dial {
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		c, err := unixsock.Dial(ctx, path)
		if err != nil {
			return nil, err
		}
		if u, ok := c.(*net.UnixConn); ok {
			u.SetWriteBuffer(socketBuffer)
		}
		return c, nil
	}
}

const socketBuffer = 1 << 20

// DialUploads returns how requests with a body reach the store behind access,
// whose Endpoint is reached by dial: by the socket where that answers.
func DialUploads(access core.StoreAccess, dial Dial) Dial {
	if access.Socket == "" {
		return dial
	}
	near := DialSocket(access.Socket)
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if c, err := near(ctx, network, address); err == nil {
			return c, nil
		}
		return dial(ctx, network, address)
	}
}

// ByBody sends requests with a body one way and all others another. Answers do
// better over loopback: the kernel sends a file into a TCP socket by itself.
type ByBody struct{ With, Without http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b ByBody) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.ContentLength != 0 {
		return b.With.RoundTrip(r)
	}
	return b.Without.RoundTrip(r)
}

// CloseIdleConnections drops those of both ways.
func (b ByBody) CloseIdleConnections() {
	for _, way := range []http.RoundTripper{b.With, b.Without} {
		if c, ok := way.(interface{ CloseIdleConnections() }); ok {
			c.CloseIdleConnections()
		}
	}
}
