package mpi

import (
	"context"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/shuffle/mesh"
)

// Cart is a communicator whose ranks lie on a grid, the last dimension running
// fastest.
type Cart struct {
	*Comm
	grid
}

// grid is the shape of a Cart.
type grid struct {
	dims     []int
	periodic []bool
}

// NewCart lays ranks of c on a grid. Those beyond it get nil. All ranks of c call
// it.
func NewCart(ctx context.Context, c *Comm, dims []int, periodic []bool) (*Cart, error) {
	n := 1
	for _, d := range dims {
		n *= max(d, 0)
	}
	if len(dims) != len(periodic) || n < 1 || n > c.size {
		return nil, c.fault("make a grid", core.Errorf(core.Invalid, "dimensions %v, periodic %v, of %d ranks", dims, periodic, c.size).
			Do("give both as many, and a grid of at most as many ranks"))
	}
	var ranks []int
	for r := range n {
		ranks = append(ranks, r)
	}
	made, err := c.create(ctx, opSplit, ranks, c.name+"/grid")
	if made == nil || err != nil {
		return nil, err
	}
	return made.laid(grid{append([]int(nil), dims...), append([]bool(nil), periodic...)}), nil
}

func (c *Comm) laid(g grid) *Cart {
	c.shape = g
	return &Cart{c, g}
}

// Dims cuts n ranks into a grid whose dimensions are as equal as can be, the
// largest first. Dimensions that are not 0 stay.
func Dims(n int, dims []int) ([]int, error) {
	out, free := append([]int(nil), dims...), 0
	for _, d := range dims {
		if d == 0 {
			free++
		} else if d < 0 || n%d != 0 {
			return nil, core.Errorf(core.Invalid, "%d ranks cannot be a grid of %v", n, dims).At("mpi.Dims")
		} else {
			n /= d
		}
	}
	if free == 0 && n != 1 {
		return nil, core.Errorf(core.Invalid, "%d ranks too many for the grid %v", n, dims).At("mpi.Dims")
	}
	for i := range out {
		if out[i] == 0 {
			out[i] = widest(n, free)
			n /= out[i]
			free--
		}
	}
	return out, nil
}

// widest is the first of k factors of n, in descending order, of those products
// whose first factor is the least.
func widest(n, k int) int {
	for d := 1; d <= n; d++ {
		if n%d == 0 && fits(n/d, k-1, d) {
			return d
		}
	}
	return n
}

// fits reports whether n is a product of k factors none of which is more than most.
func fits(n, k, most int) bool {
	if k == 0 {
		return n == 1
	}
	for d := min(n, most); d >= 1; d-- {
		if n%d == 0 && fits(n/d, k-1, d) {
			return true
		}
	}
	return false
}

// Coords is where a rank lies.
func (g grid) Coords(rank int) []int {
	at := make([]int, len(g.dims))
	for i := len(g.dims) - 1; i >= 0; i-- {
		at[i], rank = rank%g.dims[i], rank/g.dims[i]
	}
	return at
}

// RankAt is the rank that lies at a place. Beyond the edge it is [Null], where the
// dimension is not periodic.
func (g grid) RankAt(coords ...int) int {
	rank := 0
	for i, d := range g.dims {
		x := coords[i]
		if g.periodic[i] {
			x = ((x % d) + d) % d
		}
		if x < 0 || x >= d {
			return Null
		}
		rank = rank*d + x
	}
	return rank
}

// Shift is whom this rank receives from and sends to when all send by steps along
// a dimension.
func (c *Cart) Shift(dim, steps int) (source, target int) {
	at := c.Coords(c.rank)
	at[dim] -= steps
	source = c.RankAt(at...)
	at[dim] += 2 * steps
	return source, c.RankAt(at...)
}

// Sub makes a communicator of each slice of the grid in the dimensions to keep.
func (c *Cart) Sub(ctx context.Context, keep ...bool) (*Cart, error) {
	if len(keep) != len(c.dims) {
		return nil, c.fault("slice a grid", core.Errorf(core.Invalid, "%d dimensions named of %d", len(keep), len(c.dims)))
	}
	at, color, key, g := c.Coords(c.rank), 0, 0, grid{}
	for i, d := range c.dims {
		if keep[i] {
			key = key*d + at[i]
			g.dims, g.periodic = append(g.dims, d), append(g.periodic, c.periodic[i])
		} else {
			color = color*d + at[i]
		}
	}
	made, err := c.Split(ctx, color, key)
	if err != nil {
		return nil, err
	}
	return made.laid(g), nil
}

// neighbours of a grid are, for each dimension, the one before and the one after.
func (g grid) neighbours(rank int) (sources, targets []int) {
	for i := range g.dims {
		for _, step := range []int{-1, 1} {
			at := g.Coords(rank)
			at[i] += step
			sources = append(sources, g.RankAt(at...))
		}
	}
	return sources, sources
}

// edges of a grid have tags of their own: two ranks may be neighbours on both
// sides. What goes to the one before comes to it from the one after.
func (g grid) edges(next func() mesh.Tag) (in, out []mesh.Tag) {
	for range g.dims {
		before, after := next(), next()
		in, out = append(in, before, after), append(out, after, before)
	}
	return in, out
}
