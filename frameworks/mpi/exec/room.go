package exec

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// room is where the bytes of an answer go.
type room struct {
	b       []byte
	segment uint32
	offset  uint64
	fd      int // of a segment that was made for it
	in      []byte
	unuse   func()
	drop    func() // gives up the segment that was made for it
}

// room finds room for n bytes where the request wants them.
func (p *proxy) room(r *request, n uint64) (*room, error) {
	switch {
	case n > r.in.length:
		return nil, refusal{statusTruncated, fmt.Sprintf("truncated: %d bytes came, there is room for %d: make it longer, or probe for the length first", n, r.in.length)}
	case r.in.segment != 0:
		b, unuse, err := p.segments.use(place{r.in.segment, r.in.offset, n})
		if err != nil {
			return nil, err
		}
		o := &room{b: b, segment: r.in.segment, offset: r.in.offset, unuse: unuse}
		if !isAligned(b) {
			o.in, o.b = b, aligned(int(n))
		}
		return o, nil
	case n > smallAnswer && r.flags&flagSegments != 0:
		return p.fresh(n)
	}
	return &room{b: aligned(int(n))}, nil
}

// fresh is a new segment as room.
func (p *proxy) fresh(n uint64) (*room, error) {
	s, fd, err := p.segments.make(n)
	if err != nil {
		return nil, err
	}
	b, unuse, err := p.segments.use(place{s.number, 0, n})
	if err != nil {
		return nil, err
	}
	return &room{b: b, segment: s.number, fd: fd, unuse: unuse, drop: func() {
		_ = p.segments.release(s.number)
		_ = unix.Close(fd)
	}}, nil
}

// fill makes a the answer that has the room's bytes.
func (o *room) fill(a *answer) *answer {
	a.segment, a.offset, a.length, a.fd = o.segment, o.offset, uint64(len(o.b)), o.fd
	if o.segment == 0 {
		a.data = o.b
	}
	copy(o.in, o.b)
	o.end()
	return a
}

// give up the room: there is no answer with bytes.
func (o *room) giveUp() {
	o.end()
	if o.drop != nil {
		o.drop()
	}
}

func (o *room) end() {
	if o.unuse != nil {
		o.unuse()
		o.unuse = nil
	}
}

func isAligned(b []byte) bool {
	return uintptr(unsafe.Pointer(unsafe.SliceData(b)))%8 == 0
}

// data is the bytes that a request sends, aligned, and what ends their use.
func (p *proxy) data(r *request) ([]byte, func(), error) {
	if r.out.segment == 0 {
		if !isAligned(r.data) {
			r.data = append(aligned(len(r.data))[:0], r.data...)
		}
		return r.data, func() {}, nil
	}
	if len(r.data) > 0 {
		return nil, nil, refusal{statusRequest, fmt.Sprintf("bytes in segment %d and %d inline: one of them", r.out.segment, len(r.data))}
	}
	b, unuse, err := p.segments.use(r.out)
	if err == nil && !isAligned(b) {
		b = append(aligned(len(b))[:0], b...)
	}
	return b, unuse, err
}
