package gate_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/unixsock"
	"github.com/capstan-run/capstan/shuffle/store/gate"
	"github.com/capstan-run/capstan/shuffle/store/storetest"
)

func TestMain(m *testing.M) {
	storetest.ServeIfChild()
	goleak.VerifyTestMain(m)
}

// serve opens a gate on TCP, or on a unix socket whose listener is trusted.
func serve(t testing.TB, o gate.Options) (*gate.Gate, core.StoreAccess) {
	t.Helper()
	g, err := gate.New(o)
	if err != nil {
		t.Fatal(err)
	}
	var l net.Listener
	var endpoint string
	if o.Trust {
		path := filepath.Join(t.TempDir(), strings.Repeat("long", 30), "s.sock")
		endpoint = "unix://" + path
		l = listenUnix(t, path)
	} else {
		if l, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		endpoint = "http://" + l.Addr().String()
	}
	served := make(chan error, 1)
	go func() { served <- g.Serve(l) }()
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return g, g.Access(endpoint)
}

func listenUnix(t testing.TB, path string) net.Listener {
	t.Helper()
	if err := mkdir(filepath.Dir(path)); err != nil {
		t.Fatal(err)
	}
	l, err := unixsock.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestConformance(t *testing.T) {
	s := storetest.Start(t, storetest.Options(t.TempDir()))
	for name, change := range map[string]func(*gate.Options){
		"tcp":       func(o *gate.Options) { o.Upstream.Root = "" },
		"unix":      func(o *gate.Options) { o.Upstream.Root, o.Trust = "", true },
		"tcp-file":  func(*gate.Options) {},
		"unix-file": func(o *gate.Options) { o.Trust = true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := gate.Options{Upstream: s.Access(), Prefix: "test/" + name + "/"}
			change(&o)
			g, access := serve(t, o)
			storetest.Run(t, access, o.Prefix, storetest.Links)
			if st := g.Stats(); st.Requests == 0 || st.BytesIn < 50<<20 || st.BytesOut < 50<<20 || st.Denied != 0 {
				t.Errorf("stats %+v", st)
			}
		})
	}
}

func mkdir(dir string) error { return os.MkdirAll(dir, 0o700) }
