package mesh_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/shuffle/mesh"
	"github.com/capstan-run/capstan/shuffle/mesh/meshtest"
)

// TestMismatch joins ranks that do not agree: the one that dials is told why.
func TestMismatch(t *testing.T) {
	for name, spoil := range map[string]func(c []mesh.Config){
		"belongs to mesh":   func(c []mesh.Config) { c[1].ID = "another" },
		"bulk lanes":        func(c []mesh.Config) { c[1].Streams = 7 },
		"knows of 3 ranks":  func(c []mesh.Config) { c[1].Size, c[1].Places = 3, append(c[1].Places[:2:2], c[1].Places[0]) },
		"certificate of ra": func(c []mesh.Config) { c[1].TLS.Certificates = c[0].TLS.Certificates },
	} {
		t.Run(name, func(t *testing.T) {
			c := secured(t, 2)
			spoil(c)
			ctx, cancel := context.WithCancel(meshtest.Deadline(t))
			var group errgroup.Group
			group.Go(func() error {
				_, err := mesh.Join(ctx, c[0])
				if core.KindOf(err) != core.TimedOut {
					t.Errorf("the rank that is dialled: %v", err)
				}
				return nil
			})
			if len(c[1].Places) == 3 {
				c[1].Rank = 1
			}
			_, err := mesh.Join(ctx, c[1])
			cancel()
			must(t, group.Wait())
			if core.KindOf(err) != core.Conflict || !strings.Contains(err.Error(), name) {
				t.Errorf("error %v, want a conflict with %q", err, name)
			}
		})
	}
}

// TestStrangers lets others dial before the rank does: nonsense, silence, and
// one without a certificate. The rank joins all the same.
func TestStrangers(t *testing.T) {
	c := secured(t, 2)
	var conns []net.Conn
	for _, say := range []string{"", "GET / HTTP/1.1\r\n\r\n", strings.Repeat("\x16\x03\x01", 1000)} {
		conn, err := net.Dial("tcp", c[0].Places[0].Address)
		must(t, err)
		_, err = conn.Write([]byte(say))
		must(t, err)
		conns = append(conns, conn)
	}
	g := meshtest.Join(t, c)
	g.Close(t)
	for _, conn := range conns {
		conn.Close()
	}
}

// TestTwice joins a rank that is there.
func TestTwice(t *testing.T) {
	c := inProcess(t, 2)
	g := meshtest.Join(t, c)
	if _, err := mesh.Join(meshtest.Deadline(t), c[1]); core.KindOf(err) != core.Conflict {
		t.Errorf("joined twice: %v", err)
	}
	g.Close(t)
}

// TestAlone waits for a rank that never comes.
func TestAlone(t *testing.T) {
	for name, kind := range map[string]meshtest.Make{"process": inProcess, "shared": sameHost, "network": network} {
		for rank := range 2 {
			ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
			c := kind(t, 2)
			_, err := mesh.Join(ctx, c[rank])
			cancel()
			if core.KindOf(err) != core.TimedOut || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s, rank %d: %v", name, rank, err)
			}
			for _, cfg := range c {
				if cfg.Listener != nil {
					cfg.Listener.Close()
				}
			}
		}
	}
}

// TestNothingLeft looks for files of a mesh that has joined.
func TestNothingLeft(t *testing.T) {
	c := sameHost(t, 3)
	g := meshtest.Join(t, c)
	left, err := os.ReadDir(c[0].Dir)
	must(t, err)
	if len(left) > 0 {
		t.Errorf("%d files are left, %s among them", len(left), left[0].Name())
	}
	g.Close(t)
}

// TestValidate refuses configurations that cannot work.
func TestValidate(t *testing.T) {
	for name, spoil := range map[string]func(c *mesh.Config){
		"rank":     func(c *mesh.Config) { c.Rank = 2 },
		"size":     func(c *mesh.Config) { c.Size = 0 },
		"places":   func(c *mesh.Config) { c.Places = c.Places[:1] },
		"window":   func(c *mesh.Config) { c.Window = 100 },
		"streams":  func(c *mesh.Config) { c.Streams = 99 },
		"arena":    func(c *mesh.Config) { c.Arena = -1 },
		"ID":       func(c *mesh.Config) { c.ID = strings.Repeat("x", 300) },
		"TLS":      func(c *mesh.Config) { c.TLS = &tls.Config{} },
		"way":      func(c *mesh.Config) { c.Places = make([]mesh.Place, 2) },
		"dir":      func(c *mesh.Config) { c.Dir = "" },
		"hub":      func(c *mesh.Config) { c.Places = []mesh.Place{{Process: "p"}, {Process: "p"}} },
		"listener": func(c *mesh.Config) { c.Places = []mesh.Place{{Address: "127.0.0.1:1"}, {}} },
	} {
		c := sameHost(t, 2)[0]
		spoil(&c)
		if err := c.Validate(); core.KindOf(err) != core.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}
