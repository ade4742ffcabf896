package mpi

import (
	"fmt"
	"sync/atomic"

	"github.com/capstan-run/capstan/shuffle/mesh"
)

// Comm is a communicator: a group of ranks, numbered from 0, whose messages
// match no other communicator's. Any goroutine may send and receive on it; its
// collectives are called by all its ranks in the same order, so by one
// goroutine at a time.
type Comm struct {
	w       *world
	name    string
	context uint32
	rank    int
	size    int
	group   []int         // rank of the world by rank of this; nil: the same
	calls   atomic.Uint32 // of collectives
	shape   shape         // topology; nil: none
	freed   atomic.Bool
}

// shape is a topology: whom a rank has as neighbours.
type shape interface {
	// neighbours are those that rank receives from and sends to; Null where
	// there is an edge to nobody.
	neighbours(rank int) (sources, targets []int)
	// edges are the tags under which it does, taken from next.
	edges(next func() mesh.Tag) (in, out []mesh.Tag)
}

// Rank is this rank's number in the communicator.
func (c *Comm) Rank() int { return c.rank }

// Size is the number of ranks.
func (c *Comm) Size() int { return c.size }

// String names the communicator as errors do.
func (c *Comm) String() string { return c.name }

// worldRank is the world's number of a rank.
func (c *Comm) worldRank(r int) int {
	if c.group == nil {
		return r
	}
	return c.group[r]
}

// rankOf is this communicator's number of a rank of the world, Null if it is
// none of its ranks.
func (c *Comm) rankOf(world int) int {
	if c.group == nil {
		return world
	}
	for r, w := range c.group {
		if w == world {
			return r
		}
	}
	return Null
}

// next is the tag of the steps of the next collective.
func (c *Comm) next(op collective) mesh.Tag {
	n := c.calls.Add(1) - 1
	return meshTag(c.context, laneCollective, int(op)<<sequenceBits|int(n%sequences))
}

func (c *Comm) fault(what string, err error) error {
	return fmt.Errorf("rank %d of %s: %s: %w", c.rank, c.name, what, err)
}
