package graph

import (
	"os"

	"github.com/capstan-run/capstan/frameworks/bsp/graph/span"
)

// chunkEdges is the edges of a chunk: two arrays of a mebibyte.
const chunkEdges = 256 << 10

// chunk is a run of edges as they were read. A target of absent means that the
// source stands there alone: a vertex that need not have edges.
type chunk struct {
	n              int
	source, target []uint32  // chunkEdges long
	weight         []float64 // chunkEdges long, or nil

	ids *span.Span[uint32]
	ws  *span.Span[float64]
}

func newChunk(weighted bool) (*chunk, error) {
	ids, err := span.Make[uint32](2 * chunkEdges)
	if err != nil {
		return nil, err
	}
	c := &chunk{source: ids.Data[:chunkEdges], target: ids.Data[chunkEdges:], ids: ids}
	if weighted {
		if c.ws, err = span.Make[float64](chunkEdges); err != nil {
			_ = ids.Close()
			return nil, err
		}
		c.weight = c.ws.Data
	}
	return c, nil
}

func (c *chunk) close() {
	_ = c.ids.Close()
	if c.ws != nil {
		_ = c.ws.Close()
	}
}

// dropAlone drops vertices that stand alone.
func (c *chunk) dropAlone() {
	n := 0
	for i, t := range c.target[:c.n] {
		if t == absent {
			continue
		}
		c.source[n], c.target[n] = c.source[i], t
		if c.weight != nil {
			c.weight[n] = c.weight[i]
		}
		n++
	}
	c.n = n
}

func (c *chunk) bytes() int64 {
	return int64(8*chunkEdges + 8*len(c.weight))
}

// edgeLog is edges in the order in which they were read: in memory, and past a
// budget in a file.
type edgeLog struct {
	weighted bool
	budget   int64 // bytes in memory
	scratch  string
	alone    bool // it holds vertices that stand alone

	last   *chunk // being filled; nil at first
	full   []*chunk
	file   *os.File
	stored int // full chunks in file
}

// room returns a chunk that is not full.
func (l *edgeLog) room() (*chunk, error) {
	if l.last != nil && l.last.n < chunkEdges {
		return l.last, nil
	}
	if l.last != nil {
		if err := l.shelve(); err != nil {
			return nil, err
		}
	}
	if l.last == nil {
		c, err := newChunk(l.weighted)
		if err != nil {
			return nil, err
		}
		l.last = c
	}
	return l.last, nil
}

// shelve keeps the last chunk, which is full.
func (l *edgeLog) shelve() error {
	if int64(len(l.full)+1)*l.last.bytes() <= l.budget {
		l.full = append(l.full, l.last)
		l.last = nil
		return nil
	}
	if l.file == nil {
		f, err := span.Scratch(l.scratch)
		if err != nil {
			return err
		}
		l.file = f
	}
	if err := l.store(l.stored, l.last); err != nil {
		return err
	}
	l.stored++
	l.last.n = 0
	return nil
}

// shrink stores chunks that are full until those in memory fit the budget.
func (l *edgeLog) shrink(budget int64) error {
	l.budget = min(l.budget, budget)
	for n := len(l.full) - 1; n >= 0 && int64(n+1)*l.full[n].bytes() > l.budget; n-- {
		if l.file == nil {
			f, err := span.Scratch(l.scratch)
			if err != nil {
				return err
			}
			l.file = f
		}
		if err := l.store(l.stored, l.full[n]); err != nil {
			return err
		}
		l.stored++
		l.full[n].close()
		l.full = l.full[:n]
	}
	return nil
}

func (l *edgeLog) store(i int, c *chunk) error {
	at := int64(i) * c.bytes()
	if _, err := l.file.WriteAt(span.Bytes(c.ids.Data), at); err != nil {
		return err
	}
	if c.ws == nil {
		return nil
	}
	_, err := l.file.WriteAt(span.Bytes(c.weight), at+int64(8*chunkEdges))
	return err
}

func (l *edgeLog) fetch(i int, c *chunk) error {
	at := int64(i) * c.bytes()
	if _, err := l.file.ReadAt(span.Bytes(c.ids.Data), at); err != nil {
		return err
	}
	if c.ws == nil {
		return nil
	}
	_, err := l.file.ReadAt(span.Bytes(c.weight), at+int64(8*chunkEdges))
	return err
}

// each calls f with every chunk. With keep, what f changes is kept.
func (l *edgeLog) each(keep bool, f func(*chunk) error) error {
	for _, c := range l.full {
		if err := f(c); err != nil {
			return err
		}
	}
	if l.stored > 0 {
		c, err := newChunk(l.weighted)
		if err != nil {
			return err
		}
		defer c.close()
		for i := range l.stored {
			c.n = chunkEdges
			if err := l.fetch(i, c); err != nil {
				return err
			}
			if err := f(c); err != nil {
				return err
			}
			if keep {
				if err := l.store(i, c); err != nil {
					return err
				}
			}
		}
	}
	if l.last == nil {
		return nil
	}
	return f(l.last)
}

// take removes a chunk, or returns nil after the last. The caller closes it.
func (l *edgeLog) take() (*chunk, error) {
	if n := len(l.full); n > 0 {
		c := l.full[n-1]
		l.full = l.full[:n-1]
		return c, nil
	}
	if l.stored > 0 {
		c, err := newChunk(l.weighted)
		if err != nil {
			return nil, err
		}
		l.stored--
		c.n = chunkEdges
		if err := l.fetch(l.stored, c); err != nil {
			c.close()
			return nil, err
		}
		return c, nil
	}
	c := l.last
	l.last = nil
	return c, nil
}

func (l *edgeLog) close() {
	for _, c := range l.full {
		c.close()
	}
	if l.last != nil {
		l.last.close()
	}
	if l.file != nil {
		_ = l.file.Close()
	}
	*l = edgeLog{}
}
