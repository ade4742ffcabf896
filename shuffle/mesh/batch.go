package mesh

import (
	"net"
	"sync"
)

// batchSize is how many encrypted bytes of a large message go to the kernel, or
// come from it, at a time. TLS by itself asks it once for each record of 16 KiB,
// which costs more than the cipher.
const batchSize = 256 << 10

// batch is the connection below a lane's TLS. While a piece of a large message is
// on its way, records are gathered before they are written, and read ahead; else
// it adds nothing, and holds no memory.
type batch struct {
	net.Conn
	pool *pool

	mu      sync.Mutex // TLS answers on its own, beside who writes a piece
	out     []byte     // records gathered
	gathers bool

	in, memory []byte // read ahead, and where it lies
	ahead      bool
}

// gather holds what is written back until flush.
func (b *batch) gather() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.out, b.gathers = b.pool.Get(batchSize)[:0], true
}

// flush writes what was gathered.
func (b *batch) flush() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	err := b.drain()
	b.pool.Free(b.out)
	b.out, b.gathers = nil, false
	return err
}

func (b *batch) drain() error {
	if len(b.out) == 0 {
		return nil
	}
	_, err := b.Conn.Write(b.out)
	b.out = b.out[:0]
	return err
}

// Write implements net.Conn.
func (b *batch) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.gathers {
		return b.Conn.Write(p)
	}
	if len(p) > cap(b.out)-len(b.out) {
		if err := b.drain(); err != nil {
			return 0, err
		}
	}
	if len(p) > cap(b.out) {
		return b.Conn.Write(p)
	}
	b.out = append(b.out, p...)
	return len(p), nil
}

// readAhead says whether much is about to come. Only who reads may call it.
func (b *batch) readAhead(on bool) {
	b.ahead = on
	b.trim()
}

// trim gives the memory back that nothing lies in or will.
func (b *batch) trim() {
	if len(b.in) == 0 && !b.ahead && b.memory != nil {
		b.pool.Free(b.memory)
		b.in, b.memory = nil, nil
	}
}

// Read implements net.Conn.
func (b *batch) Read(p []byte) (int, error) {
	if len(b.in) == 0 {
		if !b.ahead {
			return b.Conn.Read(p)
		}
		if b.memory == nil {
			b.memory = b.pool.Get(batchSize)
		}
		n, err := b.Conn.Read(b.memory)
		if b.in = b.memory[:n]; n == 0 {
			return 0, err
		}
	}
	n := copy(p, b.in)
	b.in = b.in[n:]
	b.trim()
	return n, nil
}
