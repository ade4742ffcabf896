package mpi_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/capstan-run/capstan/frameworks/mpi"
)

// sumOf is the sum of every rank's number in the world, over c.
func sumOf(ctx context.Context, c *mpi.Comm, world int) (int, error) {
	sum := []int{world}
	err := mpi.Allreduce(ctx, c, sum, mpi.Sum)
	return sum[0], err
}

func TestSplit(t *testing.T) {
	everywhere(t, func(ctx context.Context, world *mpi.Comm) error {
		n, me := world.Size(), world.Rank()
		for range 3 { // contexts are used again
			color := me % 3
			if color == 2 {
				color = mpi.Undefined
			}
			c, err := world.Split(ctx, color, -me)
			if err != nil {
				return err
			}
			if (c == nil) != (color == mpi.Undefined) {
				return fmt.Errorf("color %d gave %v", color, c)
			}
			if c == nil {
				continue
			}
			size, sum, below := 0, 0, 0
			for r := color; r < n; r += 3 {
				size, sum = size+1, sum+r
				if r > me {
					below++
				}
			}
			if c.Size() != size || c.Rank() != below {
				return fmt.Errorf("rank %d of %d, want %d of %d", c.Rank(), c.Size(), below, size)
			}
			if got, err := sumOf(ctx, c, me); got != sum || err != nil {
				return fmt.Errorf("sum over the color: %d, %v, want %d", got, err, sum)
			}
			c.Free()
			if err := c.Barrier(ctx); err == nil {
				return fmt.Errorf("a barrier of what was freed")
			}
		}
		return nil
	})
}

// TestCommunicatorsAreApart: what is sent on one is not received on another,
// whatever the tags.
func TestCommunicatorsAreApart(t *testing.T) {
	two(t, func(ctx context.Context, world *mpi.Comm) error {
		d, err := world.Dup(ctx)
		if err != nil {
			return err
		}
		if err := mpi.Send(ctx, world, 1, 0, []int{1}); err != nil {
			return err
		}
		if err := mpi.Send(ctx, d, 1, 0, []int{2}); err != nil {
			return err
		}
		if err := d.Barrier(ctx); err != nil {
			return err
		}
		return d.Barrier(ctx)
	}, func(ctx context.Context, world *mpi.Comm) error {
		d, err := world.Dup(ctx)
		if err != nil {
			return err
		}
		if err := d.Barrier(ctx); err != nil {
			return err
		}
		for i, c := range []*mpi.Comm{d, world} {
			got := []int{0}
			if _, err := mpi.Recv(ctx, c, mpi.AnySource, mpi.AnyTag, got); err != nil || got[0] != 2-i {
				return fmt.Errorf("%v: %v, %v", c, got, err)
			}
			if _, _, ok, err := c.Iprobe(ctx, mpi.AnySource, mpi.AnyTag); ok || err != nil {
				return fmt.Errorf("%v has more: %v", c, err)
			}
		}
		return d.Barrier(ctx)
	})
}

func TestGroups(t *testing.T) {
	everywhere(t, func(ctx context.Context, world *mpi.Comm) error {
		n, me := world.Size(), world.Rank()
		g := world.Group()
		var even []int
		sum := 0
		for r := 0; r < n; r += 2 {
			even, sum = append([]int{r}, even...), sum+r
		}
		e, err := g.Include(even...)
		if err != nil {
			return err
		}
		odd := g.Difference(e)
		if u := odd.Union(e); u.Size() != n || !u.Intersection(e).Equal(e) || odd.Intersection(e).Size() != 0 || !g.Exclude(even...).Equal(odd) {
			return fmt.Errorf("groups do not add up")
		}
		if err := same("translated", e.Translate(g, 0, len(even)), []int{even[0], mpi.Undefined}); err != nil {
			return err
		}
		all, err := world.Create(ctx, e)
		if err != nil {
			return err
		}
		if me%2 == 1 {
			if all != nil || e.Rank() != mpi.Undefined {
				return fmt.Errorf("rank %d is in the group of the even", me)
			}
			return nil
		}
		some, err := world.CreateFromGroup(ctx, e, 77)
		if err != nil {
			return err
		}
		for _, c := range []*mpi.Comm{all, some} {
			if got, err := sumOf(ctx, c, me); got != sum || err != nil || c.Rank() != len(even)-1-me/2 {
				return fmt.Errorf("%v: rank %d, sum %d, %v", c, c.Rank(), got, err)
			}
		}
		return nil
	})
}

func TestSplitByHost(t *testing.T) {
	everywhere(t, func(ctx context.Context, world *mpi.Comm) error {
		c, err := world.SplitByHost(ctx)
		if err != nil {
			return err
		}
		if c.Size() != world.Size() || world.Self().Size() != 1 {
			return fmt.Errorf("%d of %d ranks are on this host", c.Size(), world.Size())
		}
		if err := world.Self().Barrier(ctx); err != nil {
			return err
		}
		return c.Barrier(ctx)
	})
}
