package mpi_test

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/capstan-run/capstan/frameworks/mpi"
)

// lengths of what is exchanged: none, few, and more than goes eagerly.
var lengths = []int{0, 1, 7, 1000, 9000}

// value is the ith number of a rank.
func value(rank, i int) int64 { return int64(rank*7919+i*31) % 1009 }

func values(rank, n int) []int64 {
	v := make([]int64, n)
	for i := range v {
		v[i] = value(rank, i)
	}
	return v
}

// naive is what a collective must leave in into on rank me of n, where each rank
// has values(rank, length).
type naive func(n, me, length int) []int64

// exchange runs a collective over data, with room of so many elements in into.
type exchange func(ctx context.Context, c *mpi.Comm, data, into []int64) (*mpi.Request, error)

// counts are different for each rank, and sum up to something for any n.
func counts(n, length int) []int {
	list := make([]int, n)
	for r := range list {
		list[r] = (r*length + 3) % (length + 2)
	}
	return list
}

func total(counts []int) (sum int) {
	for _, n := range counts {
		sum += n
	}
	return sum
}

func all(n, length int) (list []int64) {
	for r := range n {
		list = append(list, values(r, length)...)
	}
	return list
}

func sumTo(n, length int) []int64 {
	sum := make([]int64, length)
	for r := range n {
		for i, v := range values(r, length) {
			sum[i] += v
		}
	}
	return sum
}

// wait makes an exchange of a call that blocks.
func wait(err error) (*mpi.Request, error) { return nil, err }

var collectives = []struct {
	name       string
	data, into func(n, me, length int) int // how many elements
	want       naive
	block      exchange
	begin      exchange
}{
	{"bcast", one, one, func(n, me, length int) []int64 { return values(n-1, length) },
		func(ctx context.Context, c *mpi.Comm, data, into []int64) (*mpi.Request, error) {
			copy(into, data)
			return wait(mpi.Bcast(ctx, c, c.Size()-1, into))
		},
		func(ctx context.Context, c *mpi.Comm, data, into []int64) (*mpi.Request, error) {
			copy(into, data)
			return mpi.Ibcast(ctx, c, c.Size()-1, into)
		}},
	{"scatter", perRank, one, func(n, me, length int) []int64 { return values(0, n*length)[me*length:][:length] },
		func(ctx context.Context, c *mpi.Comm, data, into []int64) (*mpi.Request, error) {
			return wait(mpi.Scatter(ctx, c, 0, data, into))
		},
		func(ctx context.Context, c *mpi.Comm, data, into []int64) (*mpi.Request, error) {
			return mpi.Iscatter(ctx, c, 0, data, into)
		}},
	{"scatterv", perCount, ofCount, func(n, me, length int) []int64 {
		c := counts(n, length)
		return values(0, total(c))[total(c[:me]):][:c[me]]
	},
		func(ctx context.Context, c *mpi.Comm, data, into []int64) (*mpi.Request, error) {
			return wait(mpi.Scatterv(ctx, c, 0, data, countsOf(ctx), into))
		},
		func(ctx context.Context, c *mpi.Comm, data, into []int64) (*mpi.Request, error) {
			return mpi.Iscatterv(ctx, c, 0, data, countsOf(ctx), into)
		}},
	{"gather", one, atLast(perRank), func(n, me, length int) []int64 {
		if me != n-1 {
			return nil
		}
		return all(n, length)
	},
		func(ctx context.Context, c *mpi.Comm, data, into []int64) (*mpi.Request, error) {
			return wait(mpi.Gather(ctx, c, c.Size()-1, data, into))
		},
		func(ctx context.Context, c *mpi.Comm, data, into []int64) (*mpi.Request, error) {
			return mpi.Igather(ctx, c, c.Size()-1, data, into)
		}},
	{"gatherv", ofCount, atLast(perCount), func(n, me, length int) (list []int64) {
		for r, k := range counts(n, length) {
			list = append(list, values(r, k)...)
		}
		return list[:len(list)*btoi(me == n-1)]
	},
		func(ctx context.Context, c *mpi.Comm, data, into []int64) (*mpi.Request, error) {
			return wait(mpi.Gatherv(ctx, c, c.Size()-1, data, countsOf(ctx), into))
		},
		func(ctx context.Context, c *mpi.Comm, data, into []int64) (*mpi.Request, error) {
			return mpi.Igatherv(ctx, c, c.Size()-1, data, countsOf(ctx), into)
		}},
	{"allgather", one, perRank, func(n, me, length int) []int64 { return all(n, length) },
		func(ctx context.Context, c *mpi.Comm, data, into []int64) (*mpi.Request, error) {
			return wait(mpi.Allgather(ctx, c, data, into))
		},
		func(ctx context.Context, c *mpi.Comm, data, into []int64) (*mpi.Request, error) {
			return mpi.Iallgather(ctx, c, data, into)
		}},
	{"allgatherv", ofCount, perCount, func(n, me, length int) (list []int64) {
		for r, k := range counts(n, length) {
			list = append(list, values(r, k)...)
		}
		return list
	},
		func(ctx context.Context, c *mpi.Comm, data, into []int64) (*mpi.Request, error) {
			return wait(mpi.Allgatherv(ctx, c, data, countsOf(ctx), into))
		},
		func(ctx context.Context, c *mpi.Comm, data, into []int64) (*mpi.Request, error) {
			return mpi.Iallgatherv(ctx, c, data, countsOf(ctx), into)
		}},
	{"alltoall", perRank, perRank, func(n, me, length int) (list []int64) {
		for r := range n {
			list = append(list, values(r, n*length)[me*length:][:length]...)
		}
		return list
	},
		func(ctx context.Context, c *mpi.Comm, data, into []int64) (*mpi.Request, error) {
			return wait(mpi.Alltoall(ctx, c, data, into))
		},
		func(ctx context.Context, c *mpi.Comm, data, into []int64) (*mpi.Request, error) {
			return mpi.Ialltoall(ctx, c, data, into)
		}},
	{"alltoallv", perCount, func(n, me, length int) int { return n * counts(n, length)[me] }, func(n, me, length int) (list []int64) {
		c := counts(n, length)
		for r := range n {
			list = append(list, values(r, total(c))[total(c[:me]):][:c[me]]...)
		}
		return list
	},
		func(ctx context.Context, c *mpi.Comm, data, into []int64) (*mpi.Request, error) {
			return wait(mpi.Alltoallv(ctx, c, data, countsOf(ctx), into, same64(c, countsOf(ctx))))
		},
		func(ctx context.Context, c *mpi.Comm, data, into []int64) (*mpi.Request, error) {
			return mpi.Ialltoallv(ctx, c, data, countsOf(ctx), into, same64(c, countsOf(ctx)))
		}},
	{"reduce", one, one, func(n, me, length int) []int64 {
		if me != n/2 {
			return values(me, length)
		}
		return sumTo(n, length)
	},
		func(ctx context.Context, c *mpi.Comm, data, into []int64) (*mpi.Request, error) {
			copy(into, data)
			return wait(mpi.Reduce(ctx, c, c.Size()/2, into, mpi.Sum))
		},
		func(ctx context.Context, c *mpi.Comm, data, into []int64) (*mpi.Request, error) {
			copy(into, data)
			return mpi.Ireduce(ctx, c, c.Size()/2, into, mpi.Sum)
		}},
	{"allreduce", one, one, func(n, me, length int) []int64 { return sumTo(n, length) },
		func(ctx context.Context, c *mpi.Comm, data, into []int64) (*mpi.Request, error) {
			copy(into, data)
			return wait(mpi.Allreduce(ctx, c, into, mpi.Sum))
		},
		func(ctx context.Context, c *mpi.Comm, data, into []int64) (*mpi.Request, error) {
			copy(into, data)
			return mpi.Iallreduce(ctx, c, into, mpi.Sum)
		}},
	{"reduce-scatter-block", perRank, one, func(n, me, length int) []int64 { return sumTo(n, n*length)[me*length:][:length] },
		func(ctx context.Context, c *mpi.Comm, data, into []int64) (*mpi.Request, error) {
			return wait(mpi.ReduceScatterBlock(ctx, c, data, into, mpi.Sum))
		},
		func(ctx context.Context, c *mpi.Comm, data, into []int64) (*mpi.Request, error) {
			return mpi.IreduceScatterBlock(ctx, c, data, into, mpi.Sum)
		}},
	{"reduce-scatter", perCount, ofCount, func(n, me, length int) []int64 {
		c := counts(n, length)
		return sumTo(n, total(c))[total(c[:me]):][:c[me]]
	},
		func(ctx context.Context, c *mpi.Comm, data, into []int64) (*mpi.Request, error) {
			return wait(mpi.ReduceScatter(ctx, c, data, countsOf(ctx), into, mpi.Sum))
		},
		func(ctx context.Context, c *mpi.Comm, data, into []int64) (*mpi.Request, error) {
			return mpi.IreduceScatter(ctx, c, data, countsOf(ctx), into, mpi.Sum)
		}},
	{"scan", one, one, func(n, me, length int) []int64 { return sumTo(me+1, length) },
		func(ctx context.Context, c *mpi.Comm, data, into []int64) (*mpi.Request, error) {
			copy(into, data)
			return wait(mpi.Scan(ctx, c, into, mpi.Sum))
		},
		func(ctx context.Context, c *mpi.Comm, data, into []int64) (*mpi.Request, error) {
			copy(into, data)
			return mpi.Iscan(ctx, c, into, mpi.Sum)
		}},
	{"exscan", one, one, func(n, me, length int) []int64 {
		if me == 0 {
			return values(0, length)
		}
		return sumTo(me, length)
	},
		func(ctx context.Context, c *mpi.Comm, data, into []int64) (*mpi.Request, error) {
			copy(into, data)
			return wait(mpi.Exscan(ctx, c, into, mpi.Sum))
		},
		func(ctx context.Context, c *mpi.Comm, data, into []int64) (*mpi.Request, error) {
			copy(into, data)
			return mpi.Iexscan(ctx, c, into, mpi.Sum)
		}},
}

func one(n, me, length int) int      { return length }
func perRank(n, me, length int) int  { return n * length }
func perCount(n, me, length int) int { return total(counts(n, length)) }
func ofCount(n, me, length int) int  { return counts(n, length)[me] }

func atLast(f func(n, me, length int) int) func(n, me, length int) int {
	return func(n, me, length int) int { return btoi(me == n-1) * f(n, me, length) }
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// countsKey has the counts of the collective under way.
type countsKey struct{}

func countsOf(ctx context.Context) []int { return ctx.Value(countsKey{}).([]int) }

// same64 is this rank's count for each rank.
func same64(c *mpi.Comm, counts []int) []int {
	list := make([]int, c.Size())
	for r := range list {
		list[r] = counts[c.Rank()]
	}
	return list
}

// allCollectives holds every collective against its naive form: one after the
// other, and all begun before any is waited for.
func allCollectives(ctx context.Context, c *mpi.Comm, length int) error {
	n, me := c.Size(), c.Rank()
	ctx = context.WithValue(ctx, countsKey{}, counts(n, length))
	results, requests := make([][]int64, len(collectives)), make([]*mpi.Request, len(collectives))
	for i, op := range collectives {
		into := make([]int64, op.into(n, me, length))
		if _, err := op.block(ctx, c, values(me, op.data(n, me, length)), into); err != nil {
			return err
		}
		if err := same(fmt.Sprintf("%s of %d", op.name, length), into, op.want(n, me, length)); err != nil {
			return err
		}
		results[i] = make([]int64, len(into))
		var err error
		if requests[i], err = op.begin(ctx, c, values(me, op.data(n, me, length)), results[i]); err != nil {
			return err
		}
	}
	if err := mpi.WaitAll(ctx, requests...); err != nil {
		return err
	}
	for i, op := range collectives {
		if err := same(fmt.Sprintf("begun %s of %d", op.name, length), results[i], op.want(n, me, length)); err != nil {
			return err
		}
	}
	return nil
}

func TestCollectives(t *testing.T) {
	everywhere(t, func(ctx context.Context, world *mpi.Comm) error {
		for _, n := range lengths {
			if err := allCollectives(ctx, world, n); err != nil {
				return err
			}
		}
		if world.Size() == 3 {
			return allCollectives(ctx, world, 40_000)
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
