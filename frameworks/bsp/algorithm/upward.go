package algorithm

import (
	"context"
	"slices"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/bsp/graph"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
)

// upward is each vertex's neighbours of higher degree: as many lists as vertices,
// but none much longer than the root of twice the edges, however large a hub is
// (Chiba and Nishizeki, "Arboricity and subgraph listing algorithms", 1985).
//
// Vertices are named by their place in the order of falling degree. The lists
// lie in one array of records: place, length, then so many entries, ascending.
// An entry is place<<1, or place<<1|1 where two edges are to be counted for one.
type upward struct {
	places  []uint32 // whole column: by dense id
	records []uint32
	starts  []uint64 // N+1: of local vertices' records
	readers []bitset // by rank: local vertices whose lists it must read
	degrees []uint32 // by local vertex: how many neighbours it has
	mirror  *mirror
}

// widest is how many vertices may be named with a bit to spare.
const widest = 1 << 31

// newUpward makes the lists. With ways, edges of a directed graph that lead both
// ways are two. It takes five Syncs.
func newUpward(ctx context.Context, p *peer.Peer, part *graph.Partition, ways bool) (*upward, error) {
	if part.Total() >= widest {
		return nil, core.Errorf(core.Invalid, "a graph of %d vertices is too large to count triangles in", part.Total()).
			At("spec.input").Do("count in a part of it, of less than 2,147,483,648 vertices")
	}
	u := &upward{places: wholeColumn[uint32](part), degrees: make([]uint32, part.N())}
	walkUnion(part, p.Cores(), func(v int, union []uint64) { u.degrees[v] = uint32(len(union)) })
	keys := make([]uint64, part.N())
	for v, d := range u.degrees {
		keys[v] = uint64(^d)<<32 | uint64(part.First()+uint32(v))
	}
	places, err := placesOf(ctx, p, keys)
	if err != nil {
		return nil, err
	}
	copy(own(part, u.places), places)
	if u.mirror, err = newMirror(ctx, p, part, bothWays(part)...); err != nil {
		return nil, err
	}
	if err := exchange(ctx, u.mirror, u.places); err != nil {
		return nil, err
	}
	if err := u.fill(p, part, ways); err != nil {
		return nil, err
	}
	u.note(part)
	return u, nil
}

// fill claims and writes the records.
func (u *upward) fill(p *peer.Peer, part *graph.Partition, ways bool) error {
	u.starts = make([]uint64, part.N()+1)
	mine := own(part, u.places)
	walkUnion(part, p.Cores(), func(v int, union []uint64) {
		n := uint64(2)
		for _, code := range union {
			if u.places[code>>1] < mine[v] {
				n++
			}
		}
		u.starts[v+1] = n
	})
	for v := range part.N() {
		u.starts[v+1] += u.starts[v]
	}
	if err := part.Claim(4 * (int64(u.starts[part.N()]) - 2*int64(part.N()))); err != nil {
		return err
	}
	u.records = make([]uint32, u.starts[part.N()])
	keep := uint64(0)
	if ways && part.Directed {
		keep = 1
	}
	walkUnion(part, p.Cores(), func(v int, union []uint64) {
		record := u.records[u.starts[v]:u.starts[v]]
		record = append(record, mine[v], uint32(u.starts[v+1]-u.starts[v]-2))
		for _, code := range union {
			if place := u.places[code>>1]; place < mine[v] {
				record = append(record, place<<1|uint32(code&keep))
			}
		}
		slices.Sort(record[2:])
	})
	return nil
}

// note notes who reads which lists: the ranks of neighbours of lower degree.
func (u *upward) note(part *graph.Partition) {
	u.readers = make([]bitset, part.Size)
	for r := range u.readers {
		u.readers[r] = *newBitset(part.N())
	}
	mine := own(part, u.places)
	for _, list := range bothWays(part) {
		for v := range part.N() {
			for _, t := range list.Row(v) {
				if u.places[t] > mine[v] {
					u.readers[part.Owner(t)].set(uint32(v))
				}
			}
		}
	}
}

// record is the record of a local vertex.
func (u *upward) record(v int) []uint32 { return u.records[u.starts[v]:u.starts[v+1]] }
