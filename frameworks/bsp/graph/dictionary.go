package graph

import (
	"cmp"
	"context"
	"encoding/binary"
	"slices"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/bsp/column"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
)

// dictionary numbers the ids of all ranks by their order, where ids are texts
// or integers too far apart to be numbers themselves. It is a sort by samples:
//
//	each rank tells samples of its ids; all cut the same ranges from them
//	each rank sends its ids to those who have their ranges
//	those sort them, and answer with the places, which count from their range's start
//
// It takes three Syncs.
type dictionary[K cmp.Ordered] struct {
	codec keyCodec[K]
	// lists are the ids of this rank's readers, which differ within a list.
	lists [][]K

	mine   []K      // sorted: the ids of this rank's range
	starts []uint32 // by rank: how many ids all ranges before have; Size+1
	places [][]uint32
}

// keyCodec writes ids one after the other.
type keyCodec[K cmp.Ordered] struct {
	append func(b []byte, k K) []byte
	cut    func(b []byte) (K, []byte) // k does not keep b
}

var intKeys = keyCodec[int64]{
	append: func(b []byte, k int64) []byte { return binary.LittleEndian.AppendUint64(b, uint64(k)) },
	cut:    func(b []byte) (int64, []byte) { return int64(binary.LittleEndian.Uint64(b)), b[8:] },
}

var textKeys = keyCodec[string]{
	append: func(b []byte, k string) []byte {
		return append(binary.LittleEndian.AppendUint32(b, uint32(len(k))), k...)
	},
	cut: func(b []byte) (string, []byte) {
		n := 4 + binary.LittleEndian.Uint32(b)
		return string(b[4:n]), b[n:]
	},
}

const (
	kindSample = iota
	kindKeys
	kindPlaces
	kindOut
	kindIn
	kindCounts
	kindAll
	kindNames
)

// samples is how many ids a rank tells.
const samples = 2048

func (d *dictionary[K]) resolve(ctx context.Context, p *peer.Peer) error {
	if err := d.tellSamples(p); err != nil {
		return err
	}
	if err := p.Sync(ctx); err != nil {
		return err
	}
	cuts := d.cuts(p)
	asked, err := d.ask(p, cuts)
	if err != nil {
		return err
	}
	if err := p.Sync(ctx); err != nil {
		return err
	}
	if err := d.answer(p); err != nil {
		return err
	}
	if err := p.Sync(ctx); err != nil {
		return err
	}
	return d.hear(p, asked)
}

func (d *dictionary[K]) tellSamples(p *peer.Peer) error {
	total := 0
	for _, l := range d.lists {
		total += len(l)
	}
	step := max(total/samples, 1)
	var b []byte
	for _, l := range d.lists {
		for i := 0; i < len(l); i += step {
			b = d.codec.append(b, l[i])
		}
	}
	for to := range p.Size() {
		if err := p.SendBlock(to, kindSample, b); err != nil {
			return err
		}
	}
	return nil
}

// cuts is the first id of each range but rank 0's.
func (d *dictionary[K]) cuts(p *peer.Peer) []K {
	var all []K
	for b := range p.Blocks() {
		for rest := b.Data; len(rest) > 0; {
			var k K
			k, rest = d.codec.cut(rest)
			all = append(all, k)
		}
	}
	slices.Sort(all)
	all = slices.Compact(all)
	var cuts []K
	for r := 1; r < p.Size() && len(all) > 0; r++ {
		cuts = append(cuts, all[len(all)*r/p.Size()])
	}
	return cuts
}

// ask sends every id to the rank of its range. It returns those ranks, by list.
func (d *dictionary[K]) ask(p *peer.Peer, cuts []K) ([][]uint16, error) {
	const long = 1 << 20
	out := make([][]byte, p.Size())
	asked := make([][]uint16, len(d.lists))
	for i, l := range d.lists {
		asked[i] = make([]uint16, len(l))
		for j, k := range l {
			to, found := slices.BinarySearch(cuts, k)
			if found {
				to++
			}
			asked[i][j] = uint16(to)
			if out[to] = d.codec.append(out[to], k); len(out[to]) >= long {
				if err := p.SendBlock(to, kindKeys, out[to]); err != nil {
					return nil, err
				}
				out[to] = out[to][:0]
			}
		}
	}
	for to, b := range out {
		if len(b) == 0 {
			continue
		}
		if err := p.SendBlock(to, kindKeys, b); err != nil {
			return nil, err
		}
	}
	return asked, nil
}

// answer sorts what was asked for, and tells each rank the places of its ids
// within this range, in its order.
func (d *dictionary[K]) answer(p *peer.Peer) error {
	from := make([][]K, p.Size())
	for b := range p.Blocks() {
		for rest := b.Data; len(rest) > 0; {
			var k K
			k, rest = d.codec.cut(rest)
			from[b.From] = append(from[b.From], k)
		}
	}
	d.mine = slices.Concat(from...)
	slices.Sort(d.mine)
	d.mine = slices.Clip(slices.Compact(d.mine))
	place := make(map[K]uint32, len(d.mine))
	for i, k := range d.mine {
		place[k] = uint32(i)
	}
	for to, keys := range from {
		places := make([]uint32, len(keys))
		for i, k := range keys {
			places[i] = place[k]
		}
		if err := column.Send(p, to, kindPlaces, places); err != nil {
			return err
		}
	}
	return column.Say(p, int64(len(d.mine)))
}

func (d *dictionary[K]) hear(p *peer.Peer, asked [][]uint16) error {
	counts, err := column.Heard(p)
	if err != nil {
		return err
	}
	total := int64(0)
	for _, n := range counts {
		d.starts = append(d.starts, uint32(total))
		total += n
	}
	if total >= int64(absent) {
		return core.Errorf(core.Failed, "the graph has %d vertices", total).At("spec.input").Do("graphs have fewer than 2^32")
	}
	d.starts = append(d.starts, uint32(total))
	answers := make([][]uint32, p.Size())
	if err := column.Each(p, kindPlaces, func(from, _ int, places []uint32) error {
		answers[from] = append(answers[from], places...)
		return nil
	}); err != nil {
		return err
	}
	d.places = make([][]uint32, len(d.lists))
	for i, ranks := range asked {
		d.places[i] = make([]uint32, len(ranks))
		for j, r := range ranks {
			d.places[i][j] = d.starts[r] + answers[r][0]
			answers[r] = answers[r][1:]
		}
	}
	d.lists = nil
	return nil
}
