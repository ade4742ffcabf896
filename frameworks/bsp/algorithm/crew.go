package algorithm

import (
	"sync"
	"sync/atomic"

	"github.com/capstan-run/capstan/frameworks/bsp/graph"
)

// crew runs loops over some of a rank's vertices on its cores. Rows are work by
// their length: a vertex with most of the edges occupies all cores, not one.
type crew struct {
	cores int
	ends  []uint64 // of the vertices at hand: edges up to the end of each row
}

// Loops of less work run on the caller's goroutine: to start others would take
// as long.
const (
	leastWork = 1 << 14 // edges, a vertex being as much as two
	perVertex = 2
)

// wholeRows calls f for each of the vertices, each on one core: f(core, i) for
// vertices[i].
func (c *crew) wholeRows(list *graph.CSR, vertices []uint32, f func(core, i int)) {
	c.run(list, vertices, func(core int, from, to uint64) {
		// A vertex belongs to the piece that its row begins in.
		for i := c.begins(from); i < len(vertices) && c.start(i) < to; i++ {
			f(core, i)
		}
	})
}

// parts calls f for parts of rows, which together are those of the vertices:
// f(core, i, row) for a part of the row of vertices[i].
func (c *crew) parts(list *graph.CSR, vertices []uint32, f func(core, i int, row []uint32)) {
	c.run(list, vertices, func(core int, from, to uint64) {
		for i := c.within(from); i < len(vertices) && c.start(i) < to; i++ {
			row, start := list.Row(int(vertices[i])), c.start(i)
			low, high := 0, len(row)
			if start < from {
				low = min(int(from-start), high)
			}
			if start+uint64(high) > to {
				high = int(to - start)
			}
			f(core, i, row[low:high])
		}
	})
}

// run cuts the work of vertices into pieces, each from one edge to another.
func (c *crew) run(list *graph.CSR, vertices []uint32, f func(core int, from, to uint64)) {
	c.ends = c.ends[:0]
	sum := uint64(0)
	for _, v := range vertices {
		sum += perVertex + uint64(list.Degree(int(v)))
		c.ends = append(c.ends, sum)
	}
	c.split(sum, f)
}

// split calls f for pieces that together are 0..work.
func (c *crew) split(work uint64, f func(core int, from, to uint64)) {
	if c.cores <= 1 || work < leastWork {
		f(0, 0, work)
		return
	}
	pieces := uint64(c.cores * sharesPerCore)
	var next atomic.Uint64
	var wait sync.WaitGroup
	for core := range c.cores {
		wait.Go(func() {
			for i := next.Add(1) - 1; i < pieces; i = next.Add(1) - 1 {
				f(core, work*i/pieces, work*(i+1)/pieces)
			}
		})
	}
	wait.Wait()
}

// start is where the work of vertices[i] begins.
func (c *crew) start(i int) uint64 {
	if i == 0 {
		return 0
	}
	return c.ends[i-1]
}

// begins is the first vertex whose work begins at x or behind.
func (c *crew) begins(x uint64) int {
	i := c.within(x)
	if i < len(c.ends) && c.start(i) < x {
		i++
	}
	return i
}

// within is the vertex whose work x is part of.
func (c *crew) within(x uint64) int {
	low, high := 0, len(c.ends)
	for low < high {
		if mid := int(uint(low+high) / 2); c.ends[mid] <= x {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low
}
