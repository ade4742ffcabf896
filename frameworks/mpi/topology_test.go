package mpi_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/capstan-run/capstan/frameworks/mpi"
)

func TestDims(t *testing.T) {
	for _, c := range []struct {
		n          int
		dims, want []int
	}{
		{6, []int{0, 0}, []int{3, 2}}, {7, []int{0, 0}, []int{7, 1}}, {6, []int{0, 3, 0}, []int{2, 3, 1}},
		{16, []int{0, 0}, []int{4, 4}}, {12, []int{0, 0, 0}, []int{3, 2, 2}}, {1, []int{0}, []int{1}}, {4, []int{4}, []int{4}},
	} {
		if got, err := mpi.Dims(c.n, c.dims); !slices.Equal(got, c.want) || err != nil {
			t.Errorf("%d as %v: %v, %v, want %v", c.n, c.dims, got, err, c.want)
		}
	}
	for _, dims := range [][]int{{4}, {0, 4}, {-1}} {
		if got, err := mpi.Dims(6, dims); err == nil {
			t.Errorf("6 as %v: %v", dims, got)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		n, k := rapid.IntRange(1, 500).Draw(t, "n"), rapid.IntRange(1, 4).Draw(t, "k")
		got, err := mpi.Dims(n, make([]int, k))
		product := 1
		for _, d := range got {
			product *= d
		}
		if err != nil || product != n || !slices.IsSortedFunc(got, func(a, b int) int { return b - a }) {
			t.Fatalf("%d in %d dimensions: %v, %v", n, k, got, err)
		}
	})
}

// TestCart exchanges along every dimension, also where two ranks are neighbours
// on both sides.
func TestCart(t *testing.T) {
	for _, c := range []struct {
		dims     []int
		periodic []bool
	}{{[]int{2, 3}, []bool{true, false}}, {[]int{3}, []bool{true}}, {[]int{1, 2}, []bool{true, true}}} {
		n := 1
		for _, d := range c.dims {
			n *= d
		}
		must(t, mpi.Local(deadline(t), n+1, func(ctx context.Context, world *mpi.Comm) error {
			g, err := mpi.NewCart(ctx, world, c.dims, c.periodic)
			if err != nil || g == nil {
				if world.Rank() == n && err == nil {
					return nil
				}
				return fmt.Errorf("rank %d is not on the grid: %v", world.Rank(), err)
			}
			if got := g.RankAt(g.Coords(g.Rank())...); got != g.Rank() {
				return fmt.Errorf("rank %d lies where %d does", g.Rank(), got)
			}
			near, _ := g.Neighbours()
			give, take, told := make([]int, len(near)), make([]int, len(near)), make([]int, len(near))
			for i := range near {
				give[i], take[i], told[i] = 100*g.Rank()+i, -1, -1
			}
			if err := mpi.NeighbourAlltoall(ctx, g.Comm, give, take); err != nil {
				return err
			}
			if err := mpi.NeighbourAllgather(ctx, g.Comm, []int{g.Rank()}, told); err != nil {
				return err
			}
			for i, r := range near {
				source, target := g.Shift(i/2, 1)
				if want := []int{source, target}[i%2]; r != want {
					return fmt.Errorf("neighbour %d is %d, and by Shift %d", i, r, want)
				}
				if r == mpi.Null {
					if take[i] != -1 || told[i] != -1 {
						return fmt.Errorf("nobody sent %d and %d", take[i], told[i])
					}
				} else if take[i] != 100*r+(i^1) || told[i] != r {
					return fmt.Errorf("from neighbour %d, rank %d, came %d and %d", i, r, take[i], told[i])
				}
			}
			keep := make([]bool, len(c.dims))
			keep[0] = true
			row, err := g.Sub(ctx, keep...)
			if err != nil {
				return err
			}
			if row.Size() != c.dims[0] || row.Rank() != g.Coords(g.Rank())[0] {
				return fmt.Errorf("rank %d of a slice of %d", row.Rank(), row.Size())
			}
			return row.Barrier(ctx)
		}))
	}
}

// TestGraph: rank r sends to r+1 and twice to r+2.
func TestGraph(t *testing.T) {
	everywhere(t, func(ctx context.Context, world *mpi.Comm) error {
		n, me := world.Size(), world.Rank()
		at := func(d int) int { return ((me+d)%n + n) % n }
		g, err := mpi.NewGraph(ctx, world, []int{at(-1), at(-2), at(-2)}, []int{at(1), at(2), at(2)})
		if err != nil {
			return err
		}
		got := make([]int, 3)
		if err := mpi.NeighbourAlltoall(ctx, g, []int{10*me + 1, 10*me + 2, 10*me + 3}, got); err != nil {
			return err
		}
		want := []int{10*at(-1) + 1, 10*at(-2) + 2, 10*at(-2) + 3}
		return same("edges", got, want)
	})
}
