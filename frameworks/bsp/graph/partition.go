package graph

import (
	"slices"
)

// Partition is a rank's part of a graph: the vertices that it owns and the
// edges that begin, or end, there. Its vertices are local 0..N-1; the dense id
// of local v is First+v, and dense ids 0..Total-1 name the vertices of the whole
// graph on all ranks alike.
//
// It does not change. Close gives its memory and files back.
type Partition struct {
	Rank, Size int
	Bounds     []uint32 // Size+1: rank r owns dense ids Bounds[r] <= id < Bounds[r+1]

	// Out is the edges by the vertex they leave, In by the vertex they reach;
	// nil where Need did not ask. Of an undirected graph they are the same.
	Out, In *CSR
	// OutDegree and InDegree are of the whole graph, cut vertices included, by
	// local vertex. They are there whatever Need asked. Of an undirected graph
	// they are the same.
	OutDegree, InDegree []uint32

	// Cut is the dense ids, ascending, of the vertices whose edges are spread
	// over all ranks. Their rows in Out and In are empty; row i of CutOut and
	// CutIn holds this rank's part of the edges of Cut[i]. The same on all ranks;
	// empty unless Need.Cut.
	Cut           []uint32
	CutOut, CutIn *CSR

	IDs                IDs
	Directed, Weighted bool

	// Entries is how many edges the rows of all ranks hold: In's, or Out's
	// where In was not asked for. An undirected edge counts twice.
	Entries int64

	regions []*region
	account account
}

// First is the dense id of local vertex 0.
func (p *Partition) First() uint32 { return p.Bounds[p.Rank] }

// N is how many vertices this rank owns.
func (p *Partition) N() int { return int(p.Bounds[p.Rank+1] - p.Bounds[p.Rank]) }

// Total is how many vertices the graph has.
func (p *Partition) Total() int { return int(p.Bounds[p.Size]) }

// Owner is the rank that owns a dense id.
func (p *Partition) Owner(dense uint32) int { return owner(p.Bounds, dense) }

func owner(bounds []uint32, dense uint32) int {
	if len(bounds) <= 9 {
		r := 0
		for _, b := range bounds[1 : len(bounds)-1] {
			if dense >= b {
				r++
			}
		}
		return r
	}
	// The last of equal bounds: ranks may own nothing.
	i, _ := slices.BinarySearchFunc(bounds, dense, func(b, d uint32) int {
		if b <= d {
			return -1
		}
		return 1
	})
	return i - 1
}

// Bytes is the memory, or mapped file, that the partition takes.
func (p *Partition) Bytes() int64 {
	n := int64(4*len(p.OutDegree)) + p.IDs.bytes()
	if p.Directed {
		n += int64(4 * len(p.InDegree))
	}
	seen := map[*CSR]bool{nil: true}
	for _, c := range []*CSR{p.Out, p.In, p.CutOut, p.CutIn} {
		if !seen[c] {
			seen[c] = true
			n += int64(8*len(c.Offsets) + 4*len(c.Targets) + 8*len(c.Weights))
		}
	}
	return n
}

// Mapped reports whether edges lie in files because memory was short. Rows
// should then be read in order.
func (p *Partition) Mapped() bool {
	return slices.ContainsFunc(p.regions, func(r *region) bool { return r.mapped })
}

// Close gives memory and files back. The partition must not be used after.
func (p *Partition) Close() error {
	var first error
	for _, r := range p.regions {
		if err := r.close(); err != nil && first == nil {
			first = err
		}
	}
	p.regions = nil
	return first
}
