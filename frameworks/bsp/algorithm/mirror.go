package algorithm

import (
	"context"
	"unsafe"

	"github.com/capstan-run/capstan/frameworks/bsp/graph"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
)

// Kinds of blocks that a mirror sends.
const (
	blockWanted uint32 = 0x4d01 + iota
	blockWhole
	blockChanged
)

// mirror keeps, in columns as long as the graph, the values of the vertices that
// this rank owns and of those that its edges reach. A column's index is the
// dense id. Of a long column only the pages that hold such vertices are ever
// touched, so it costs memory by what the rank's edges reach.
//
// Which vertices a rank reads is told to their owners once; from then on an owner
// sends their values alone, one block to each rank and superstep.
type mirror struct {
	peer *peer.Peer
	part *graph.Partition
	send [][]uint32 // by rank: dense ids of own vertices that the rank's edges reach, ascending
	read [][]uint32 // by rank: dense ids of its vertices that own edges reach, ascending
}

// newMirror finds what the edges of lists reach. It takes one Sync.
func newMirror(ctx context.Context, p *peer.Peer, part *graph.Partition, lists ...*graph.CSR) (*mirror, error) {
	m := &mirror{peer: p, part: part, send: make([][]uint32, p.Size()), read: make([][]uint32, p.Size())}
	reached := newBitset(part.Total())
	for _, list := range lists {
		for _, target := range list.Targets {
			reached.set(target)
		}
	}
	for r := range m.read {
		if r == p.Rank() {
			continue
		}
		m.read[r] = reached.appendSet(nil, part.Bounds[r], part.Bounds[r+1])
		if err := p.SendBlock(r, blockWanted, bytesOf(m.read[r])); err != nil {
			return nil, err
		}
	}
	if err := p.Sync(ctx); err != nil {
		return nil, err
	}
	for block := range p.Blocks() {
		if block.Kind == blockWanted {
			m.send[block.From] = append([]uint32(nil), columnOf[uint32](block.Data)...)
		}
	}
	return m, nil
}

// wholeColumn makes a column for every vertex of the graph.
func wholeColumn[T fixed](part *graph.Partition) []T {
	return make([]T, part.Total())
}

// own is the part of a whole column that this rank's vertices have.
func own[T fixed](part *graph.Partition, column []T) []T {
	return column[part.Bounds[part.Rank]:part.Bounds[part.Rank+1]]
}

// exchange sends own values of the column to the ranks that read them, and takes
// theirs. It takes one Sync.
func exchange[T fixed](ctx context.Context, m *mirror, column []T) error {
	if err := sendWhole(m, column); err != nil {
		return err
	}
	if err := m.peer.Sync(ctx); err != nil {
		return err
	}
	take(m, column, nil)
	return nil
}

// exchangeChanged sends the values of the own vertices in changed, by dense id,
// each once. A vertex of another rank that got a new value is told to seen, with
// the value it had, unless seen is nil. lists are the edges by which other ranks reach own vertices.
// It takes one Sync.
func exchangeChanged[T fixed](ctx context.Context, m *mirror, column []T, changed []uint32, seen func(dense uint32, old T), lists ...*graph.CSR) error {
	if err := m.sendChanged(len(changed), changed, lists, func() error { return sendWhole(m, column) },
		func(r int, ids []uint32) error { return sendSome(m, column, r, ids) }); err != nil {
		return err
	}
	if err := m.peer.Sync(ctx); err != nil {
		return err
	}
	take(m, column, seen)
	return nil
}

// sendChanged chooses what is less to do: sending all, or looking up who reads
// what changed.
func (m *mirror) sendChanged(n int, changed []uint32, lists []*graph.CSR, whole func() error, some func(int, []uint32) error) error {
	first := m.part.First()
	all, edges := 0, n
	for _, ids := range m.send {
		all += len(ids)
	}
	for _, id := range changed {
		for _, list := range lists {
			edges += list.Degree(int(id - first))
		}
		if 2*edges > all {
			return whole()
		}
	}
	to := make([][]uint32, m.peer.Size())
	for _, id := range changed {
		for _, list := range lists {
			for _, t := range list.Row(int(id - first)) {
				r := m.part.Owner(t)
				if n := len(to[r]); r != m.part.Rank && (n == 0 || to[r][n-1] != id) {
					to[r] = append(to[r], id)
				}
			}
		}
	}
	for r, ids := range to {
		if len(ids) == 0 {
			continue
		}
		if err := some(r, ids); err != nil {
			return err
		}
	}
	return nil
}

func sendWhole[T fixed](m *mirror, column []T) error {
	var values []T
	for r, ids := range m.send {
		if len(ids) == 0 {
			continue
		}
		values = values[:0]
		for _, id := range ids {
			values = append(values, column[id])
		}
		if err := m.peer.SendBlock(r, blockWhole, bytesOf(values)); err != nil {
			return err
		}
	}
	return nil
}

// sendSome sends values, then their dense ids: the values begin at a multiple of
// eight bytes.
func sendSome[T fixed](m *mirror, column []T, r int, ids []uint32) error {
	values := make([]T, len(ids))
	for i, id := range ids {
		values[i] = column[id]
	}
	return m.peer.SendBlock(r, blockChanged, bytesOf(values), bytesOf(ids))
}

func take[T fixed](m *mirror, column []T, seen func(uint32, T)) {
	for block := range m.peer.Blocks() {
		var ids []uint32
		var values []T
		switch block.Kind {
		case blockWhole:
			ids, values = m.read[block.From], columnOf[T](block.Data)
		case blockChanged:
			var zero T
			size := int(unsafe.Sizeof(zero))
			n := len(block.Data) / (size + 4)
			values = columnOf[T](block.Data[:n*size])
			ids = columnOf[uint32](block.Data[n*size:])
		default:
			continue
		}
		for i, v := range values {
			old := column[ids[i]]
			if old == v {
				continue
			}
			column[ids[i]] = v
			if seen != nil {
				seen(ids[i], old)
			}
		}
	}
}

// collect gives the values that this rank has for vertices of other ranks back
// to their owners, in the order of ranks. It takes one Sync.
func collect[T fixed](ctx context.Context, m *mirror, value func(dense uint32) T, add func(dense uint32, v T)) error {
	var values []T
	for r, ids := range m.read {
		if len(ids) == 0 {
			continue
		}
		values = values[:0]
		for _, id := range ids {
			values = append(values, value(id))
		}
		if err := m.peer.SendBlock(r, blockWhole, bytesOf(values)); err != nil {
			return err
		}
	}
	if err := m.peer.Sync(ctx); err != nil {
		return err
	}
	for block := range m.peer.Blocks() {
		if block.Kind != blockWhole {
			continue
		}
		for i, v := range columnOf[T](block.Data) {
			add(m.send[block.From][i], v)
		}
	}
	return nil
}
