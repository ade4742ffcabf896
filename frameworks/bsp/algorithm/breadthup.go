package algorithm

import (
	"sync"

	"github.com/capstan-run/capstan/frameworks/bsp/column"
	"github.com/capstan-run/capstan/frameworks/bsp/graph"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
)

// tellFrontier sends the frontier to all.
func (b *breadthFirst) tellFrontier(p *peer.Peer) error {
	set := make([]uint64, (b.part.N()+63)/64)
	for _, v := range b.frontier {
		set[v>>6] |= 1 << (v & 63)
	}
	for to := range p.Size() {
		if err := column.Send(p, to, kindFrontier, set); err != nil {
			return err
		}
	}
	return nil
}

// hearFrontier puts the frontiers of all ranks together. Ranks' ranges do not
// begin at whole words.
func (b *breadthFirst) hearFrontier(p *peer.Peer) error {
	clear(b.all)
	return column.Each(p, kindFrontier, func(from, at int, set []uint64) error {
		first := int(b.part.Bounds[from]) + at*64
		word, shift := first/64, uint(first%64)
		for i, x := range set {
			b.all[word+i] |= x << shift
			if high := x >> (64 - shift); high != 0 {
				b.all[word+i+1] |= high
			}
		}
		return nil
	})
}

// hearCutFrontier puts cut vertices into the frontier of all ranks, which their
// owners could not tell.
func (b *breadthFirst) hearCutFrontier(p *peer.Peer) error {
	depth := uint32(b.state.Depth)
	return b.cut.hear(p, depth, func(i int) {
		dense := b.part.Cut[i]
		b.all[dense>>6] |= 1 << (dense & 63)
		if v, ok := b.cut.own(i); ok {
			b.depth[v] = depth
			b.late += int64(b.part.OutDegree[v])
		}
	})
}

// lookUp looks for a neighbour of the frontier for every vertex that was not
// reached, and returns how many edges it has followed.
func (b *breadthFirst) lookUp(cores int) (followed int64) {
	ranges := b.part.In.Cuts(cores)
	found, edges := make([][]uint32, len(ranges)), make([]int64, len(ranges))
	var all sync.WaitGroup
	for i, r := range ranges {
		if i == len(ranges)-1 {
			found[i], edges[i] = b.lookUpRange(r)
			break
		}
		all.Go(func() { found[i], edges[i] = b.lookUpRange(r) })
	}
	all.Wait()
	for i, list := range found {
		b.next = append(b.next, list...)
		followed += edges[i]
	}
	return followed + b.cut.lookUp(b.all)
}

func (b *breadthFirst) lookUpRange(r graph.Range) (found []uint32, followed int64) {
	in, all, below := b.part.In, b.all, uint32(b.state.Depth)+1
	for v := r.First; v < r.End; v++ {
		if b.depth[v] != unreached {
			continue
		}
		row, at := in.Row(v), 0
		for ; at < len(row); at++ {
			if u := row[at]; all[u>>6]>>(u&63)&1 != 0 {
				b.depth[v] = below
				found = append(found, uint32(v))
				at++
				break
			}
		}
		followed += int64(at)
	}
	return found, followed
}
