package algorithm

import (
	"context"

	"github.com/capstan-run/capstan/frameworks/bsp/column"
	"github.com/capstan-run/capstan/frameworks/bsp/graph"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
)

// cutFrontier is the cut vertices of a search (graph.Partition.Cut): every rank
// has a part of their edges, and so has to know when they are reached. Whoever
// finds one tells all.
type cutFrontier struct {
	part  *graph.Partition
	depth []uint32 // by cut vertex, the same on all ranks
	found []bool   // by cut vertex: this rank has found it, and is to tell
	first []int    // by rank: its first cut vertex; of all ranks' vertices the cut ones come first
}

func newCutFrontier(part *graph.Partition) cutFrontier {
	c := cutFrontier{part: part, depth: make([]uint32, len(part.Cut)), found: make([]bool, len(part.Cut)), first: make([]int, part.Size+1)}
	for i, dense := range part.Cut {
		c.depth[i] = unreached
		c.first[part.Owner(dense)+1] = i + 1
	}
	for r := range part.Size {
		c.first[r+1] = max(c.first[r+1], c.first[r])
	}
	return c
}

// number is the cut vertex that rank's vertex v is, if it is one.
func (c *cutFrontier) number(rank int, v uint32) (i int, ok bool) {
	i = c.first[rank] + int(v)
	return i, i < c.first[rank+1]
}

// find takes note that a cut vertex can be reached.
func (c *cutFrontier) find(i int) {
	c.found[i] = c.depth[i] == unreached
}

// tell tells all ranks, this one too, what was found. It returns how many that
// is.
func (c *cutFrontier) tell(p *peer.Peer) (int64, error) {
	var list []uint32
	for i, found := range c.found {
		if found {
			list = append(list, uint32(i))
		}
	}
	if len(list) == 0 {
		return 0, nil
	}
	for to := range p.Size() {
		if err := column.Send(p, to, kindCutReached, list); err != nil {
			return 0, err
		}
	}
	return int64(len(list)), nil
}

// hear gives those that were told of their depth, and calls reached with each.
func (c *cutFrontier) hear(p *peer.Peer, depth uint32, reached func(i int)) error {
	clear(c.found)
	return column.Each(p, kindCutReached, func(_, _ int, list []uint32) error {
		for _, i := range list {
			if c.depth[i] == unreached {
				c.depth[i] = depth
				reached(int(i))
			}
		}
		return nil
	})
}

// share is tell and hear out of turn. It takes one Sync, at which no checkpoint
// is taken.
func (c *cutFrontier) share(ctx context.Context, p *peer.Peer, depth uint32, reached func(i int)) error {
	if len(c.depth) == 0 {
		return nil
	}
	if _, err := c.tell(p); err != nil {
		return err
	}
	p.HoldCheckpoints(true)
	if err := p.Sync(ctx); err != nil {
		return err
	}
	p.HoldCheckpoints(false)
	return c.hear(p, depth, reached)
}

// own is the local number of a cut vertex on the rank that owns it.
func (c *cutFrontier) own(i int) (v uint32, ok bool) {
	r := c.part.Rank
	return uint32(i - c.first[r]), c.first[r] <= i && i < c.first[r+1]
}

// lookUp looks in this rank's part of their edges for neighbours among all of a
// depth, and returns how many edges it has followed.
func (c *cutFrontier) lookUp(all []uint64) (followed int64) {
	for i, depth := range c.depth {
		if depth != unreached {
			continue
		}
		for _, u := range c.part.CutIn.Row(i) {
			followed++
			if all[u>>6]>>(u&63)&1 != 0 {
				c.found[i] = true
				break
			}
		}
	}
	return followed
}
