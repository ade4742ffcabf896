package algorithm

import (
	"context"
	"sync/atomic"

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
// sender: a vertex is sent at most one a superstep, unless by once. Several cores
// may push at a time, each naming itself.
type pushes struct {
	peer   *peer.Peer
	part   *graph.Partition
	values []uint64   // whole column: what a vertex is to be sent, or was sent last
	due    bitset     // those to be sent it
	sums   bool       // it is sums that are sent: they begin anew with each superstep
	to     [][]uint64 // by core and rank: dense ids, of which due holds the most
	many   [][]uint64 // by core and rank: dense id and value, what once has put aside
	list   []uint64   // being sent
}

func newPushes(p *peer.Peer, part *graph.Partition) *pushes {
	return &pushes{peer: p, part: part, values: wholeColumn[uint64](part), due: *newBitset(part.Total()),
		to: make([][]uint64, p.Cores()*p.Size()), many: make([][]uint64, p.Cores()*p.Size())}
}

func (m *pushes) mark(core int, dense uint32) {
	word, bit := &m.due.words[dense>>6], uint64(1)<<(dense&63)
	if atomic.LoadUint64(word)&bit == 0 && atomic.OrUint64(word, bit)&bit == 0 {
		at := core*m.part.Size + m.part.Owner(dense)
		m.to[at] = append(m.to[at], uint64(dense))
	}
}

// add sends the vertex the sum of all n of this superstep. Whoever uses add sets
// sums, and uses nothing else until forget.
func (m *pushes) add(core int, dense uint32, n uint64) {
	atomic.AddUint64(&m.values[dense], n)
	m.mark(core, dense)
}

// raise sends the vertex the largest value, if none as large was sent before.
func (m *pushes) raise(core int, dense uint32, value uint64) {
	if raiseTo(&m.values[dense], value) {
		m.mark(core, dense)
	}
}

// raiseTo reports whether *x was less than value, which it now is not.
func raiseTo(x *uint64, value uint64) bool {
	for {
		old := atomic.LoadUint64(x)
		if old >= value {
			return false
		}
		if atomic.CompareAndSwapUint64(x, old, value) {
			return true
		}
	}
}

// once sends the vertex the value unless it was the last one it was sent.
func (m *pushes) once(core int, dense uint32, value uint64) {
	if atomic.LoadUint64(&m.values[dense]) != value && atomic.SwapUint64(&m.values[dense], value) != value {
		at := core*m.part.Size + m.part.Owner(dense)
		m.many[at] = append(m.many[at], uint64(dense), value)
	}
}

// forget drops what is known of earlier messages.
func (m *pushes) forget() {
	clear(m.values)
	m.sums = false
}

// send sends what is due, and tells how many messages that is.
func (m *pushes) send() (int64, error) {
	n, size := 0, m.part.Size
	for r := range size {
		m.list = m.list[:0]
		for at := r; at < len(m.to); at += size {
			m.list = append(m.list, m.many[at]...)
			for _, dense := range m.to[at] {
				m.list = append(m.list, dense, m.values[dense])
				m.due.unset(uint32(dense))
				if m.sums {
					m.values[dense] = 0
				}
			}
			m.to[at], m.many[at] = m.to[at][:0], m.many[at][:0]
		}
		if len(m.list) == 0 {
			continue
		}
		n += len(m.list) / 2
		if err := m.peer.SendBlock(r, blockPushes, bytesOf(m.list)); err != nil {
			return 0, err
		}
	}
	return int64(n), nil
}

// take hands out what came, by local vertex, to f on several cores.
func (m *pushes) take(crew *crew, f func(core int, v uint32, value uint64)) {
	first := m.part.First()
	for block := range m.peer.Blocks() {
		if block.Kind != blockPushes {
			continue
		}
		list := columnOf[uint64](block.Data)
		crew.split(uint64(len(list)/2), func(core int, from, to uint64) {
			for i := 2 * from; i < 2*to; i += 2 {
				f(core, uint32(list[i])-first, list[i+1])
			}
		})
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
