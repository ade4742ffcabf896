package algorithm

import (
	"context"

	"github.com/capstan-run/capstan/frameworks/bsp/graph"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
)

// Kinds of blocks that pushes and questions send.
const (
	blockPushes uint32 = 0x5001 + iota
	blockQuestions
	blockAnswers
)

// pushes is messages of one number to vertices of other ranks, combined at the
// sender: a vertex is sent at most one a superstep, unless by once.
type pushes struct {
	peer   *peer.Peer
	part   *graph.Partition
	values []uint64   // whole column: what a vertex is to be sent, or was sent last
	due    bitset     // those to be sent it
	to     [][]uint64 // by rank: dense ids, of which due holds the most
	many   [][]uint64 // by rank: dense id and value, what once has put aside
}

func newPushes(p *peer.Peer, part *graph.Partition) *pushes {
	return &pushes{peer: p, part: part, values: wholeColumn[uint64](part), due: *newBitset(part.Total()),
		to: make([][]uint64, p.Size()), many: make([][]uint64, p.Size())}
}

func (m *pushes) mark(dense uint32) {
	if !m.due.has(dense) {
		m.due.set(dense)
		r := m.part.Owner(dense)
		m.to[r] = append(m.to[r], uint64(dense))
	}
}

// add sends the vertex the sum of all n of this superstep. A user of add uses
// nothing else until forget.
func (m *pushes) add(dense uint32, n uint64) {
	if !m.due.has(dense) {
		m.values[dense] = 0
	}
	m.values[dense] += n
	m.mark(dense)
}

// raise sends the vertex the largest value, if none as large was sent before.
func (m *pushes) raise(dense uint32, value uint64) {
	if m.values[dense] < value {
		m.values[dense] = value
		m.mark(dense)
	}
}

// once sends the vertex the value unless it was the last one it was sent.
func (m *pushes) once(dense uint32, value uint64) {
	if m.values[dense] != value {
		m.values[dense] = value
		r := m.part.Owner(dense)
		m.many[r] = append(m.many[r], uint64(dense), value)
	}
}

// forget drops what is known of earlier messages.
func (m *pushes) forget() { clear(m.values) }

// send sends what is due, and tells how many messages that is.
func (m *pushes) send() (int64, error) {
	n := 0
	for r := range m.to {
		list := m.many[r]
		for _, dense := range m.to[r] {
			list = append(list, dense, m.values[dense])
			m.due.unset(uint32(dense))
		}
		m.to[r], m.many[r] = m.to[r][:0], list[:0]
		if len(list) == 0 {
			continue
		}
		n += len(list) / 2
		if err := m.peer.SendBlock(r, blockPushes, bytesOf(list)); err != nil {
			return 0, err
		}
	}
	return int64(n), nil
}

// take hands out what came, by local vertex.
func (m *pushes) take(f func(v uint32, value uint64)) {
	first := m.part.First()
	for block := range m.peer.Blocks() {
		if block.Kind != blockPushes {
			continue
		}
		list := columnOf[uint64](block.Data)
		for i := 0; i < len(list); i += 2 {
			f(uint32(list[i])-first, list[i+1])
		}
	}
}

// ask sends each rank questions of one word, which answer turns into answers,
// by sender, and returns the answers in the order of the questions. It takes two
// Syncs.
func ask(ctx context.Context, p *peer.Peer, questions [][]uint64, answer func(questions [][]uint64)) ([][]uint64, error) {
	asked, err := swap(ctx, p, blockQuestions, questions)
	if err != nil {
		return nil, err
	}
	answer(asked)
	return swap(ctx, p, blockAnswers, asked)
}

// swap sends list r to rank r and returns those that came, by sender.
func swap(ctx context.Context, p *peer.Peer, kind uint32, lists [][]uint64) ([][]uint64, error) {
	for r, list := range lists {
		if len(list) == 0 {
			continue
		}
		if err := p.SendBlock(r, kind, bytesOf(list)); err != nil {
			return nil, err
		}
	}
	if err := p.Sync(ctx); err != nil {
		return nil, err
	}
	came := make([][]uint64, p.Size())
	for block := range p.Blocks() {
		if block.Kind == kind {
			came[block.From] = append([]uint64(nil), columnOf[uint64](block.Data)...)
		}
	}
	return came, nil
}
