package mpi

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/capstan-run/capstan/core"
)

// Undefined, as the color of a rank, leaves it out.
const Undefined = -1

// Self is the communicator of this rank alone.
func (c *Comm) Self() *Comm { return c.w.self }

// Split makes a communicator of each color: of the ranks that call it with the
// same. They are ordered by key, then by rank. A rank with the color [Undefined]
// gets nil. All ranks call it; no goroutine of a rank makes another communicator
// meanwhile.
func (c *Comm) Split(ctx context.Context, color, key int) (*Comm, error) {
	var made *Comm
	err := c.collect(ctx, opSplit, func(ctx context.Context, s steps) error {
		mine, all := [2]int64{int64(color), int64(key)}, make([]int64, 2*c.size)
		if err := s.bruck(ctx, bytesOf(mine[:]), bytesOf(all)); err != nil {
			return err
		}
		var ranks []int
		for r := range c.size {
			if all[2*r] == int64(color) {
				ranks = append(ranks, r)
			}
		}
		slices.SortStableFunc(ranks, func(a, b int) int { return cmp.Compare(all[2*a+1], all[2*b+1]) })
		if color == Undefined {
			ranks = nil
		}
		var err error
		made, err = s.make(ctx, ranks, fmt.Sprintf("%s/%d", c.name, color))
		return err
	})
	return made, err
}

// SplitByHost makes a communicator of the ranks of each host, which share its
// memory.
func (c *Comm) SplitByHost(ctx context.Context) (*Comm, error) {
	var ranks []int
	mine := c.w.hosts[c.worldRank(c.rank)]
	for r := range c.size {
		if c.w.hosts[c.worldRank(r)] == mine {
			ranks = append(ranks, r)
		}
	}
	return c.create(ctx, opSplit, ranks, c.name+"/host")
}

// Dup makes another communicator of the same ranks, whose messages match none of
// this one.
func (c *Comm) Dup(ctx context.Context) (*Comm, error) {
	ranks := make([]int, c.size)
	for r := range ranks {
		ranks[r] = r
	}
	d, err := c.create(ctx, opSplit, ranks, c.name+"'")
	if err == nil {
		d.shape = c.shape
	}
	return d, err
}

// Create makes a communicator of a group. All ranks of c call it with the same
// group, or with disjoint ones; those that are in none get nil.
func (c *Comm) Create(ctx context.Context, g *Group) (*Comm, error) {
	ranks, err := c.ranksOf(g)
	if err != nil {
		return nil, err
	}
	return c.create(ctx, opSplit, ranks, c.name+"/group")
}

// CreateFromGroup makes a communicator of a group, whose ranks alone call it.
// Those that do so at the same time with other groups use other tags, from 0 to
// 32767.
func (c *Comm) CreateFromGroup(ctx context.Context, g *Group, tag int) (*Comm, error) {
	if tag < 0 || tag >= sequences {
		return nil, c.fault(opGroup.String(), core.Errorf(core.Invalid, "tag %d, from 0 to %d are possible", tag, sequences-1))
	}
	ranks, err := c.ranksOf(g)
	if err != nil {
		return nil, err
	}
	made := c.subset(ranks, c.name+"/group")
	if made == nil {
		return nil, c.fault(opGroup.String(), core.Errorf(core.Invalid, "this rank is not in the group"))
	}
	made.context = c.context // of the agreement only
	s := steps{made, meshTag(c.context, laneCollective, int(opGroup)<<sequenceBits|tag)}
	if made.context, err = s.agree(ctx); err != nil {
		return nil, c.fault(opGroup.String(), err)
	}
	return made, nil
}

func (c *Comm) create(ctx context.Context, op collective, ranks []int, name string) (*Comm, error) {
	var made *Comm
	err := c.collect(ctx, op, func(ctx context.Context, s steps) (err error) {
		made, err = s.make(ctx, ranks, name)
		return err
	})
	return made, err
}

// make makes a communicator of ranks, and nil where this rank is none of them.
// Groups that are made together are disjoint, so they can have one context.
func (s steps) make(ctx context.Context, ranks []int, name string) (*Comm, error) {
	context, err := s.agree(ctx)
	if err != nil {
		return nil, err
	}
	made := s.c.subset(ranks, name)
	if made == nil {
		s.c.w.release(context)
		return nil, nil
	}
	made.context = context
	s.c.w.comms.Store(context, name)
	return made, nil
}

// subset is a communicator of ranks, but for its context.
func (c *Comm) subset(ranks []int, name string) *Comm {
	made := &Comm{w: c.w, name: name, rank: slices.Index(ranks, c.rank), size: len(ranks), group: make([]int, len(ranks))}
	if made.rank < 0 {
		return nil
	}
	for i, r := range ranks {
		made.group[i] = c.worldRank(r)
	}
	return made
}

// Free gives a communicator up. All its ranks do, and have received what was
// sent on it.
func (c *Comm) Free() {
	if c.context > selfContext && !c.freed.Swap(true) {
		c.w.release(c.context)
	}
}
