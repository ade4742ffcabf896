package mpi_test

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/capstan-run/capstan/frameworks/mpi"
)

// lengths of what is exchanged: none, few, and more than goes eagerly.
var lengths = []int{0, 1, 7, 1000, 50_000}

// value is the ith number of a rank.
func value(rank, i int) int64 { return int64(rank*7919+i*31) % 1009 }

func values(rank, n int) []int64 {
	v := make([]int64, n)
	for i := range v {
		v[i] = value(rank, i)
	}
	return v
}

func TestAllreduce(t *testing.T) {
	everywhere(t, func(ctx context.Context, world *mpi.Comm) error {
		for _, n := range lengths {
			sum, greatest := make([]int64, n), make([]int64, n)
			for r := range world.Size() {
				for i, v := range values(r, n) {
					sum[i] += v
					greatest[i] = max(greatest[i], v)
				}
			}
			got := values(world.Rank(), n)
			if err := mpi.Allreduce(ctx, world, got, mpi.Sum); err != nil {
				return err
			}
			if err := same(fmt.Sprint("sum of ", n), got, sum); err != nil {
				return err
			}
			got = values(world.Rank(), n)
			if err := mpi.Allreduce(ctx, world, got, mpi.Max); err != nil {
				return err
			}
			if err := same(fmt.Sprint("max of ", n), got, greatest); err != nil {
				return err
			}
		}
		return nil
	})
}

// affine is a function a*x+b modulo 2^64: composition does not commute.
type affine struct{ A, B uint64 }

func compose(into, from []affine) {
	for i, f := range from {
		into[i] = affine{f.A * into[i].A, f.A*into[i].B + f.B}
	}
}

func affines(rank, n int) []affine {
	v := make([]affine, n)
	for i := range v {
		v[i] = affine{uint64(2*rank + 3), uint64(i + rank*rank + 1)}
	}
	return v
}

// composed are those of the ranks from 0 to before n.
func composed(n, length int) []affine {
	all := affines(0, length)
	for r := 1; r < n; r++ {
		compose(all, affines(r, length))
	}
	return all
}

func TestReductionsKeepTheOrderOfRanks(t *testing.T) {
	everywhere(t, func(ctx context.Context, world *mpi.Comm) error {
		for _, n := range lengths {
			got := affines(world.Rank(), n)
			if err := mpi.Allreduce(ctx, world, got, compose); err != nil {
				return err
			}
			if err := same(fmt.Sprint("composition of ", n), got, composed(world.Size(), n)); err != nil {
				return err
			}
		}
		return nil
	})
}

// TestFloatsAreTheSameEverywhere: sums of floats depend on their order, and so
// must not differ between ranks or runs.
func TestFloatsAreTheSameEverywhere(t *testing.T) {
	var first [9][]float64
	for range 3 {
		for _, n := range sizes {
			must(t, mpi.Local(deadline(t), n, func(ctx context.Context, world *mpi.Comm) error {
				got := make([]float64, 3000)
				for i := range got {
					got[i] = math.Exp(float64(world.Rank()*3 - i%17))
				}
				if err := mpi.Allreduce(ctx, world, got, mpi.Sum); err != nil {
					return err
				}
				root := make([]float64, len(got))
				copy(root, got)
				if err := mpi.Bcast(ctx, world, 0, root); err != nil {
					return err
				}
				if world.Rank() == 0 && first[n] == nil {
					first[n] = root
				} else if world.Rank() == 0 {
					root = first[n]
				}
				return same("sums", got, root)
			}))
		}
	}
}

func TestBcast(t *testing.T) {
	everywhere(t, func(ctx context.Context, world *mpi.Comm) error {
		for _, n := range lengths {
			for root := range world.Size() {
				got := values(world.Rank(), n)
				if err := mpi.Bcast(ctx, world, root, got); err != nil {
					return err
				}
				if err := same(fmt.Sprintf("%d from %d", n, root), got, values(root, n)); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func TestBarrier(t *testing.T) {
	for _, n := range sizes {
		in := make([]chan struct{}, n)
		for r := range in {
			in[r] = make(chan struct{})
		}
		must(t, mpi.Local(deadline(t), n, func(ctx context.Context, world *mpi.Comm) error {
			close(in[world.Rank()])
			if err := world.Barrier(ctx); err != nil {
				return err
			}
			for r := range in {
				select {
				case <-in[r]:
				default:
					return fmt.Errorf("out of the barrier before rank %d is in", r)
				}
			}
			return nil
		}))
	}
}
