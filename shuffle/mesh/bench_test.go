package mesh_test

import (
	"context"
	"fmt"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/capstan-run/capstan/shuffle/mesh"
	"github.com/capstan-run/capstan/shuffle/mesh/meshtest"
)

// BenchmarkPingPong sends a message to and fro between two ranks of this
// process; ns/op is a round trip. Ranks in processes of their own are measured
// by benchmarks/mesh.
func BenchmarkPingPong(b *testing.B) {
	for _, kind := range []struct {
		name string
		make func(testing.TB, int) []mesh.Config
	}{{"process", inProcess}, {"shared", sameHost}, {"network", network}, {"mtls", secured}} {
		for _, n := range []int{8, 8 << 10, 64 << 10, 1 << 20, 16 << 20} {
			b.Run(fmt.Sprintf("%s/%d", kind.name, n), func(b *testing.B) {
				pingPong(b, meshtest.Join(b, kind.make(b, 2)), n)
			})
		}
	}
}

func pingPong(b *testing.B, g meshtest.Gang, n int) {
	ctx := context.Background()
	b.SetBytes(2 * int64(n))
	b.ReportAllocs()
	var group errgroup.Group
	for me := range 2 {
		group.Go(func() error {
			data := make([]byte, n)
			for range b.N {
				if me == 0 {
					if err := g[0].Send(ctx, 1, 0, data); err != nil {
						return err
					}
				}
				msg, err := g[me].Recv(ctx, 1-me, 0)
				if err != nil {
					return err
				}
				msg.Release()
				if me == 1 {
					if err := g[1].Send(ctx, 0, 0, data); err != nil {
						return err
					}
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkCalls sends to and receives from the other end in one goroutine:
// what the calls cost, without the way between processors.
func BenchmarkCalls(b *testing.B) {
	g := meshtest.Join(b, sameHost(b, 2))
	ctx, data := context.Background(), make([]byte, 8)
	b.ReportAllocs()
	for b.Loop() {
		if err := g[0].Send(ctx, 1, 0, data); err != nil {
			b.Fatal(err)
		}
		msg, err := g[1].Recv(ctx, 0, 0)
		if err != nil {
			b.Fatal(err)
		}
		msg.Release()
	}
}
