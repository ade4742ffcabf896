package mesh

import (
	"fmt"

	"github.com/capstan-run/capstan/shuffle/block"
)

// gatherer collects what an encoder writes as the parts of one message: what is
// long as it lies, what is short as a copy, since it is the encoder's own.
type gatherer struct {
	parts [][]byte
	chunk []byte // what was copied last; its end is free
	open  bool   // the last part ends where chunk does
}

// gatherChunk is where the copies of several short pieces lie together.
const gatherChunk = 4 << 10

func (g *gatherer) Write(p []byte) (int, error) {
	if len(p) > block.Scratch {
		g.parts, g.open = append(g.parts, p), false
		return len(p), nil
	}
	if len(g.chunk)+len(p) > cap(g.chunk) {
		g.chunk, g.open = make([]byte, 0, max(gatherChunk, len(p))), false
	}
	from := len(g.chunk)
	g.chunk = append(g.chunk, p...)
	if g.open {
		last := &g.parts[len(g.parts)-1]
		*last = g.chunk[from-len(*last):]
		return len(p), nil
	}
	g.parts, g.open = append(g.parts, g.chunk[from:]), true
	return len(p), nil
}

// counter counts what is written to it.
type counter int

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// cursor is memory that is written from its start.
type cursor []byte

func (c *cursor) Write(p []byte) (int, error) {
	n := copy(*c, p)
	*c = (*c)[n:]
	if n < len(p) {
		return n, fmt.Errorf("a record grew by %d bytes while it was sent", len(p)-n)
	}
	return n, nil
}
