package algorithm

import (
	"context"
	"slices"
	"strconv"

	"github.com/capstan-run/capstan/frameworks/bsp/graph"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
)

// Kinds of blocks that looking up names sends.
const (
	blockNames uint32 = 0x4e01 + iota
	blockTexts
)

// nameRoom is the bytes that looking names up takes for each own vertex: two maps
// of them, and what is sent.
const nameRoom = 160

// numbers name vertices by the places of their ids among all ids of the graph:
// 4 bytes that compare as the ids do, on all ranks, whatever the partitioner.
type numbers struct {
	part   *graph.Partition
	places []uint32          // of own vertices
	plain  bool              // on all ranks: a place is the id
	known  map[uint32]string // ids by place, of those that this rank looks up
}

// numberVertices takes one Sync.
func numberVertices(ctx context.Context, p *peer.Peer, part *graph.Partition) (*numbers, error) {
	n := &numbers{part: part, places: make([]uint32, part.N()), plain: true}
	for v := range n.places {
		n.places[v] = part.IDs.Place(v)
		n.plain = n.plain && part.IDs.Integers() && part.IDs.Int(v) == int64(n.places[v])
	}
	other := peer.Sum[int64](p, "names that are no numbers")
	if !n.plain {
		other.Add(1)
	}
	err := p.Sync(ctx)
	n.plain = other.Value() == 0
	return n, err
}

// keeper is the rank that looks a name up.
func (n *numbers) keeper(place uint32) int { return int(mix(uint64(place)) % uint64(n.part.Size)) }

// names looks up the ids of places, as text. The result's name i is that of
// places[i]. It takes two Syncs, and one more the first time, or none where places
// are ids.
func (n *numbers) names(ctx context.Context, p *peer.Peer, places []uint32) (*names, error) {
	if n.plain {
		return &names{places: places}, nil
	}
	if n.known == nil {
		if err := n.register(ctx, p); err != nil {
			return nil, err
		}
	}
	unique := slices.Clone(places)
	slices.Sort(unique)
	unique = slices.Compact(unique)
	asked := make([][]uint64, p.Size())
	for _, place := range unique {
		r := n.keeper(place)
		asked[r] = append(asked[r], uint64(place))
	}
	questions, err := swap(ctx, p, blockQuestions, asked)
	if err != nil {
		return nil, err
	}
	for r, list := range questions {
		texts := make([]string, len(list))
		for i, place := range list {
			texts[i] = n.known[uint32(place)]
		}
		if err := p.SendBlock(r, blockTexts, encodeTexts(texts)); err != nil {
			return nil, err
		}
	}
	if err := p.Sync(ctx); err != nil {
		return nil, err
	}
	found := &names{places: places, texts: make(map[uint32]string, len(unique))}
	for block := range p.Blocks() {
		if block.Kind == blockTexts {
			for i, text := range decodeTexts(block.Data) {
				found.texts[uint32(asked[block.From][i])] = text
			}
		}
	}
	return found, nil
}

// register tells the names of own vertices to those who look them up. It takes
// one Sync.
func (n *numbers) register(ctx context.Context, p *peer.Peer) error {
	places := make([][]uint32, p.Size())
	texts := make([][]string, p.Size())
	for v, place := range n.places {
		r := n.keeper(place)
		places[r] = append(places[r], place)
		texts[r] = append(texts[r], n.part.IDs.String(v))
	}
	for r := range places {
		count := bytesOf([]uint64{uint64(len(places[r]))})
		if len(places[r])%2 == 1 {
			places[r] = append(places[r], 0) // texts begin at a multiple of eight
		}
		if err := p.SendBlock(r, blockNames, count, bytesOf(places[r]), encodeTexts(texts[r])); err != nil {
			return err
		}
	}
	if err := p.Sync(ctx); err != nil {
		return err
	}
	n.known = map[uint32]string{}
	for block := range p.Blocks() {
		if block.Kind != blockNames {
			continue
		}
		count := columnOf[uint64](block.Data)[0]
		texts := decodeTexts(block.Data[8+(4*count+7)/8*8:])
		for i, place := range columnOf[uint32](block.Data[8 : 8+4*count]) {
			n.known[place] = texts[i]
		}
	}
	return nil
}

// names are ids as text, by place.
type names struct {
	places []uint32
	texts  map[uint32]string // nil where places are the ids
}

// appendTo appends name i to b.
func (n *names) appendTo(b []byte, i int) []byte {
	if n.texts == nil {
		return strconv.AppendUint(b, uint64(n.places[i]), 10)
	}
	return append(b, n.texts[n.places[i]]...)
}

// encodeTexts lays texts out as their number, their lengths, and their bytes.
func encodeTexts(texts []string) []byte {
	head := make([]uint32, 0, 1+len(texts))
	head = append(head, uint32(len(texts)))
	size := 0
	for _, t := range texts {
		head = append(head, uint32(len(t)))
		size += len(t)
	}
	b := append(make([]byte, 0, 4*len(head)+size), bytesOf(head)...)
	for _, t := range texts {
		b = append(b, t...)
	}
	return b
}

func decodeTexts(b []byte) []string {
	head := columnOf[uint32](b)
	if len(head) == 0 {
		return nil
	}
	texts := make([]string, head[0])
	rest := b[4+4*len(texts):]
	for i := range texts {
		n := head[1+i]
		texts[i], rest = string(rest[:n]), rest[n:]
	}
	return texts
}

// writeNames writes a line (vertex, name) for each own vertex.
func writeNames(p *peer.Peer, part *graph.Partition, of *names) error {
	columns(p, part, nil)
	var key, value []byte
	for v := range part.N() {
		key, value = part.IDs.Append(key[:0], v), of.appendTo(value[:0], v)
		if err := p.WriteKV(key, value); err != nil {
			return err
		}
	}
	return nil
}
