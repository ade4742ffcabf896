package peer

import (
	"github.com/capstan-run/capstan/shuffle/mesh"
)

// letter is one message of the mesh, as it arrived.
type letter struct {
	class   class
	kind    uint32
	payload []byte        // nil while it lies in the spill
	msg     *mesh.Message // whose bytes payload is; nil: the pool's
	slab    []byte        // of the pool
	at, n   int64         // place in the spill
	spilled bool
}

// mail is what is sent to this rank in one superstep, by sender, in the order
// in which it was sent. What writes a checkpoint of it may outlast the
// superstep in which it is read.
type mail struct {
	step    int64
	columns [][]letter
	held    []int64 // by sender: bytes of its shared memory
	lent    []int   // by sender: messages in its shared memory
	bytes   int64   // in memory, shared or not
	spill   *spill
	readers int // who must let it go before it is freed
}

func newMail(step int64, size int) *mail {
	return &mail{step: step, columns: make([][]letter, size), held: make([]int64, size), lent: make([]int, size), readers: 1}
}

// all yields the letters of a class with their sender.
func (m *mail) all(c class, yield func(from int, l *letter) bool) {
	for from, column := range m.columns {
		for i := range column {
			if l := &column[i]; l.class == c && !yield(from, l) {
				return
			}
		}
	}
}

// open makes the letters on disk readable: all are here.
func (m *mail) open() error {
	if m.spill == nil {
		return nil
	}
	if err := m.spill.open(); err != nil {
		return err
	}
	for _, column := range m.columns {
		for i := range column {
			if l := &column[i]; l.spilled {
				l.payload = m.spill.bytes(l.at, l.n)
			}
		}
	}
	return nil
}
