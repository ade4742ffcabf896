package storetest

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"

	"github.com/capstan-run/capstan/core"
)

// Proxy stands before the store behind access (on TCP) for the test's life, and
// answers through decorate, whose next is the store itself. It returns the
// access by way of it.
func Proxy(t testing.TB, access core.StoreAccess, decorate func(next http.Handler) http.Handler) core.StoreAccess {
	t.Helper()
	up, err := url.Parse(access.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}
	store := &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL.Scheme, p.Out.URL.Host = up.Scheme, up.Host
			p.Out.Host = p.In.Host // it is signed
		},
		Transport: transport,
		ErrorLog:  log.New(io.Discard, "", 0),
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
			reset(w)
		},
	}
	srv := httptest.NewUnstartedServer(decorate(store))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.Start()
	t.Cleanup(func() {
		srv.Close()
		transport.CloseIdleConnections()
	})
	access.Endpoint, access.Root, access.Socket = srv.URL, "", ""
	return access
}
