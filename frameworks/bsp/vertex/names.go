package vertex

import (
	"bufio"
	"context"
	"encoding/binary"
	"hash/fnv"
	"io"
	"slices"
	"strconv"

	"github.com/capstan-run/capstan/frameworks/bsp/graph"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
)

// ID is a vertex' original ID: an integer, or text.
type ID struct {
	n    int64
	s    string
	text bool
}

// Int is an integer ID.
func Int(n int64) ID { return ID{n: n} }

// Text is an ID that is text.
func Text(s string) ID { return ID{s: s, text: true} }

func (id ID) String() string {
	if id.text {
		return id.s
	}
	return strconv.FormatInt(id.n, 10)
}

func (id ID) append(b []byte) []byte {
	if id.text {
		return append(binary.AppendUvarint(append(b, 1), uint64(len(id.s))), id.s...)
	}
	return binary.AppendVarint(append(b, 0), id.n)
}

func decodeID(b []byte) (id ID, rest []byte, err error) {
	if len(b) < 2 {
		return id, nil, errShort
	}
	if id.text = b[0] == 1; id.text {
		id.s, rest, err = Strings{}.Decode(b[1:])
		return id, rest, err
	}
	n, k := binary.Varint(b[1:])
	if k <= 0 {
		return id, nil, errShort
	}
	id.n = n
	return id, b[1+k:], nil
}

// names are the original IDs of vertices. Whoever addresses vertices by them has
// those of the whole graph on each rank; a vertex that was added belongs to the
// rank that its ID's hash says.
type names struct {
	part   *graph.Partition
	texts  bool
	loaded uint32
	added  []ID          // of this rank, behind those that were loaded
	where  map[ID]uint32 // of those: the local vertex
	all    map[ID]uint32 // of those loaded: the dense ID; nil if nobody asks
}

func newNames(part *graph.Partition) *names {
	return &names{part: part, texts: !part.IDs.Integers(), loaded: uint32(part.N()), where: map[ID]uint32{}}
}

func (n *names) textual() bool { return n.texts }

func (n *names) integer(at uint32) int64 {
	if at >= n.loaded {
		return n.added[at-n.loaded].n
	}
	if n.texts {
		return 0
	}
	return n.part.IDs.Int(int(at))
}

func (n *names) text(at uint32) string {
	if at >= n.loaded {
		return n.added[at-n.loaded].String()
	}
	return n.part.IDs.String(int(at))
}

// of is the ID of a vertex of this rank.
func (n *names) of(at uint32) ID {
	if n.texts {
		return Text(n.text(at))
	}
	return Int(n.integer(at))
}

// owner is the rank that has, or would have, the vertex of an ID.
func (n *names) owner(id ID) int {
	if ref, ok := n.all[id]; ok {
		return n.part.Owner(ref)
	}
	h := fnv.New64a()
	h.Write(id.append(nil))
	return int(h.Sum64() % uint64(n.part.Size))
}

// find is the local vertex of an ID that this rank owns.
func (n *names) find(id ID) (uint32, bool) {
	if ref, ok := n.all[id]; ok {
		return ref - n.part.First(), true
	}
	at, ok := n.where[id]
	return at, ok
}

// add gives the next local vertex a name.
func (n *names) add(id ID) {
	n.where[id] = n.loaded + uint32(len(n.added))
	n.added = append(n.added, id)
}

// late is the IDs of the vertices that were added.
func (n *names) late() (b []byte) {
	for _, id := range n.added {
		b = id.append(b)
	}
	return b
}

func (n *names) restore(b []byte) error {
	n.added, n.where = nil, map[ID]uint32{}
	for len(b) > 0 {
		id, rest, err := decodeID(b)
		if err != nil {
			return err
		}
		n.add(id)
		b = rest
	}
	return nil
}

const kindNames uint32 = 100

// publish tells all ranks the IDs of all vertices.
func (n *names) publish(ctx context.Context, p *peer.Peer) error {
	var b []byte
	send := func() error {
		for to := range p.Size() {
			if err := p.SendBlock(to, kindNames, b); err != nil {
				return err
			}
		}
		b = b[:0]
		return nil
	}
	for at := range n.loaded {
		if b = n.of(at).append(b); len(b) >= pieceSize {
			if err := send(); err != nil {
				return err
			}
		}
	}
	if err := send(); err != nil {
		return err
	}
	if err := p.Sync(ctx); err != nil {
		return err
	}
	n.all = make(map[ID]uint32, n.part.Total())
	next := slices.Clone(n.part.Bounds)
	for block := range p.Blocks() {
		for data := block.Data; len(data) > 0; next[block.From]++ {
			id, rest, err := decodeID(data)
			if err != nil {
				return err
			}
			n.all[id], data = next[block.From], rest
		}
	}
	return nil
}

// write writes the IDs of all vertices, in the order of their dense IDs.
func (n *names) write(w io.Writer) error {
	ids := make([]ID, n.part.Total())
	for id, ref := range n.all {
		ids[ref] = id
	}
	out := bufio.NewWriter(w)
	var b []byte
	for _, id := range ids {
		b = id.append(b[:0])
		if _, err := out.Write(b); err != nil {
			return err
		}
	}
	return out.Flush()
}

func (n *names) read(b []byte) error {
	n.all = make(map[ID]uint32, n.part.Total())
	for ref := uint32(0); len(b) > 0; ref++ {
		id, rest, err := decodeID(b)
		if err != nil {
			return err
		}
		n.all[id], b = ref, rest
	}
	return nil
}
