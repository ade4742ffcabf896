package mesh_test

import (
	"errors"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/shuffle/mesh"
	"github.com/capstan-run/capstan/shuffle/mesh/meshtest"
)

// lazy is a kind of gang whose links are made when they are first needed.
func lazy(kind meshtest.Make) meshtest.Make {
	return func(t testing.TB, size int) []mesh.Config {
		c := kind(t, size)
		for r := range c {
			c[r].Lazy = true
		}
		return c
	}
}

func TestLazySharedMemory(t *testing.T) { meshtest.Run(t, lazy(sameHost)) }
func TestLazyMixed(t *testing.T)        { meshtest.Run(t, lazy(mixed)) }

// TestLazyMeet lets both ends of every link need it at once.
func TestLazyMeet(t *testing.T) {
	for name, kind := range map[string]meshtest.Make{"shared": sameHost, "network": network} {
		t.Run(name, func(t *testing.T) {
			ctx, g := meshtest.Deadline(t), meshtest.Join(t, lazy(kind)(t, 8))
			var group errgroup.Group
			for me := range g {
				group.Go(func() error {
					for to := range g {
						if err := g[me].Send(ctx, to, 0, []byte{byte(me)}); err != nil {
							return err
						}
					}
					for from := range g {
						m, err := g[me].Recv(ctx, from, 0)
						if err != nil {
							return err
						}
						if m.Bytes()[0] != byte(from) {
							t.Errorf("rank %d got %d from %d", me, m.Bytes()[0], from)
						}
						m.Release()
					}
					return nil
				})
			}
			must(t, group.Wait())
			g.Close(t)
		})
	}
}

// TestLazyGone needs ranks that are gone already: a lower one and a higher.
func TestLazyGone(t *testing.T) {
	for name, kind := range map[string]meshtest.Make{"shared": sameHost, "network": network} {
		t.Run(name, func(t *testing.T) {
			ctx, g := meshtest.Deadline(t), meshtest.Join(t, lazy(kind)(t, 4))
			g[0].Abort()
			g[3].Abort()
			for _, gone := range []int{0, 3} {
				var peer *mesh.PeerError
				if err := g[1].Send(ctx, gone, 0, []byte{1}); !errors.As(err, &peer) || peer.Rank != gone || !errors.Is(err, mesh.ErrLost) {
					t.Errorf("sent to rank %d, which is gone: %v", gone, err)
				}
				if _, err := g[2].Recv(ctx, gone, 0); !errors.As(err, &peer) || peer.Rank != gone || !errors.Is(err, mesh.ErrLost) {
					t.Errorf("received from rank %d, which is gone: %v", gone, err)
				}
			}
			// The others go on.
			must(t, g[1].Send(ctx, 2, 0, []byte{1}))
			m, err := g[2].Recv(ctx, 1, 0)
			must(t, err)
			m.Release()
			must(t, g[1].Close(ctx))
			must(t, g[2].Close(ctx))
		})
	}
}

// TestLazyConfig refuses what could not be reached later.
func TestLazyConfig(t *testing.T) {
	c := lazy(network)(t, 2)
	defer c[0].Listener.Close()
	defer c[1].Listener.Close()
	must(t, c[1].Validate())
	c[0].Places[1].Address = ""
	if err := c[0].Validate(); core.KindOf(err) != core.Invalid {
		t.Errorf("no address of a higher rank: %v", err)
	}
}
