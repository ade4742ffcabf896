package mesh

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// hello is what both ends of a connection say first: the dialer who it is and
// which lane this will be, the other the same of itself, or why not.
type hello struct {
	from, to, size int
	lane, lanes    int // 0 control, 1 data (none within a host), 2… bulk, 18 none: a call
	window         int
	ring           int   // within a host: the data of one ring
	arena          int64 // within a host: the sender's shared memory
	refused        bool  // id is the reason
	id             string
}

var helloMagic = [8]byte{'C', 'A', 'P', 'M', 'E', 'S', 'H', '2'}

const (
	helloSize   = 56 // before the ID
	controlLane = 0
	streamLane  = 1
	bulkLane    = 2
	callLane    = bulkLane + maxStreams // asks the higher rank to make the link
)

func (h *hello) bytes() []byte {
	le := binary.LittleEndian
	b := append(make([]byte, 0, helloSize+len(h.id)), helloMagic[:]...)
	for _, v := range []int{h.from, h.to, h.size, h.lane, h.lanes, h.window, h.ring} {
		b = le.AppendUint32(b, uint32(v))
	}
	refused := uint32(0)
	if h.refused {
		refused = 1
	}
	b = le.AppendUint32(b, refused)
	b = le.AppendUint64(b, uint64(h.arena))
	b = le.AppendUint32(b, uint32(len(h.id)))
	b = le.AppendUint32(b, 0)
	return append(b, h.id...)
}

var errHello = errors.New("not a mesh's hello")

// readHello reads a hello. Every number in it is within its bounds.
func readHello(r io.Reader) (*hello, error) {
	var b [helloSize]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return nil, cutShort(err)
	}
	le := binary.LittleEndian
	if [8]byte(b[:8]) != helloMagic {
		return nil, fmt.Errorf("%w: it begins with %q", errHello, b[:8])
	}
	h := &hello{refused: le.Uint32(b[36:]) == 1}
	for i, f := range []struct {
		to  *int
		max uint32
	}{{&h.from, maxSize}, {&h.to, maxSize}, {&h.size, maxSize}, {&h.lane, bulkLane + maxStreams},
		{&h.lanes, bulkLane + maxStreams}, {&h.window, 1 << 30}, {&h.ring, 1 << 30}} {
		v := le.Uint32(b[8+4*i:])
		if v > f.max {
			return nil, fmt.Errorf("%w: number %d of it is %d, at most %d is possible", errHello, i, v, f.max)
		}
		*f.to = int(v)
	}
	arena, n := le.Uint64(b[40:]), le.Uint32(b[48:])
	if arena > maxArena || n > maxID || le.Uint32(b[52:]) != 0 {
		return nil, fmt.Errorf("%w: arena of %d bytes, ID of %d", errHello, arena, n)
	}
	h.arena = int64(arena)
	id := make([]byte, n)
	if _, err := io.ReadFull(r, id); err != nil {
		return nil, cutShort(err)
	}
	h.id = string(id)
	return h, nil
}

// check compares a peer's hello with what this rank expects of rank r.
func (h *hello) check(c *Config, r int, shared bool) error {
	want := c.hello(r, h.lane, shared)
	switch {
	case h.id != c.ID:
		return fmt.Errorf("it belongs to mesh %q, this is %q", h.id, c.ID)
	case h.from != r || h.to != c.Rank:
		return fmt.Errorf("it is a link from rank %d to rank %d, this is rank %d", h.from, h.to, c.Rank)
	case h.size != c.Size:
		return fmt.Errorf("it knows of %d ranks, rank %d of %d", h.size, c.Rank, c.Size)
	case h.lanes != want.lanes || h.lane >= bulkLane+h.lanes && h.lane != callLane || shared && h.lane == streamLane:
		return fmt.Errorf("lane %d with %d bulk lanes, rank %d has %d", h.lane, h.lanes, c.Rank, want.lanes)
	case h.ring != want.ring:
		return fmt.Errorf("rings of %d bytes, rank %d has %d", h.ring, c.Rank, want.ring)
	case h.window < 64<<10:
		return fmt.Errorf("a window of %d bytes", h.window)
	case shared && (h.arena == 0 || h.arena%4096 != 0):
		return fmt.Errorf("shared memory of %d bytes", h.arena)
	}
	return nil
}

// hello is what this rank says to rank r on a lane.
func (c *Config) hello(r, lane int, shared bool) *hello {
	h := &hello{from: c.Rank, to: r, size: c.Size, lane: lane, lanes: c.Streams, window: c.Window, id: c.ID}
	if shared {
		h.lanes, h.ring, h.arena = 1, ringSize(c.Window), int64(c.Arena)
	}
	return h
}
