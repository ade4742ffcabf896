package mpi

import (
	"context"
	"sync"
	"testing"

	"github.com/capstan-run/capstan/shuffle/mesh"
)

// sharing are two ranks linked by shared memory, as processes are.
func sharing(t testing.TB) (worlds [2]*Comm) {
	places, dir := []mesh.Place{{Host: "h"}, {Host: "h"}}, t.TempDir()
	var wg sync.WaitGroup
	for r := range worlds {
		wg.Go(func() {
			m, err := mesh.Join(context.Background(), mesh.Config{ID: "bench", Rank: r, Size: 2, Places: places, Dir: dir})
			if err != nil {
				t.Error(err)
				return
			}
			worlds[r] = newWorld(m, []string{"h", "h"}).comm()
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	t.Cleanup(func() {
		for _, c := range worlds {
			c.w.mesh.Abort()
		}
	})
	return worlds
}

// once passes a message from one rank to the other.
func once(t testing.TB, worlds [2]*Comm, data, into []float64) {
	ctx := context.Background()
	if err := Send(ctx, worlds[0], 1, 3, data); err != nil {
		t.Fatal(err)
	}
	if _, err := Recv(ctx, worlds[1], 0, 3, into); err != nil {
		t.Fatal(err)
	}
}

// TestSmallMessagesAllocateLittle: what a small message costs here and in the
// mesh is allocated for several at a time.
func TestSmallMessagesAllocateLittle(t *testing.T) {
	worlds, data, into := sharing(t), make([]float64, 1), make([]float64, 1)
	if n := testing.AllocsPerRun(1000, func() { once(t, worlds, data, into) }); n >= 1 {
		t.Errorf("%v allocations for each message", n)
	}
}

// BenchmarkCalls is what a send and a receive cost beside the way between
// processors; "mesh" is what the mesh's own calls do.
func BenchmarkCalls(b *testing.B) {
	worlds, data, into := sharing(b), make([]float64, 1), make([]float64, 1)
	b.Run("mpi", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			once(b, worlds, data, into)
		}
	})
	b.Run("mesh", func(b *testing.B) {
		ctx, raw := context.Background(), make([]byte, 16)
		b.ReportAllocs()
		for b.Loop() {
			if err := worlds[0].w.mesh.Send(ctx, 1, 9, raw); err != nil {
				b.Fatal(err)
			}
			m, err := worlds[1].w.mesh.Recv(ctx, 0, 9)
			if err != nil {
				b.Fatal(err)
			}
			m.Release()
		}
	})
}
