package mpi

import (
	"encoding/binary"

	"github.com/capstan-run/capstan/core"
)

// A point-to-point message is its elements and then 8 bytes, little-endian: were
// they before, large copies would not start at the boundaries that memory likes.
//
//	0  uint8   kind of the elements
//	1  uint8   zero
//	2  uint16  size of an element, 0 where it does not fit
//	4  uint32  zero
const trailerSize = 8

// trailer is a message's, as read.
type trailer struct {
	kind kind
	size int
}

func appendTrailer(b []byte, t trailer) []byte {
	size := t.size
	if size > 0xffff {
		size = 0
	}
	return append(b, byte(t.kind), 0, byte(size), byte(size>>8), 0, 0, 0, 0)
}

// readTrailer parts a message from its trailer.
func readTrailer(b []byte) (trailer, []byte, error) {
	n := len(b) - trailerSize
	if n < 0 {
		return trailer{}, nil, core.Errorf(core.Internal, "a message of %d bytes, too short for its trailer", len(b))
	}
	t := trailer{kind: kind(b[n]), size: int(binary.LittleEndian.Uint16(b[n+2:]))}
	if b[n+1] != 0 || binary.LittleEndian.Uint32(b[n+4:]) != 0 || t.kind == kindNone {
		return trailer{}, nil, core.Errorf(core.Internal, "a trailer that makes no sense: % x", b[n:])
	}
	return t, b[:n:n], nil
}

// fits refuses a payload that is not of the kind a receiver has room for, or is
// more than its room.
func (t trailer) fits(payload []byte, k kind, size, room int) error {
	if t.kind != k || t.size != 0 && t.size != size {
		return core.Errorf(core.Invalid, "the sender's elements are %s of %d bytes, the receiver's %s of %d", t.kind, t.size, k, size).
			Do("send and receive slices of the same type")
	}
	if len(payload) > room {
		return core.Errorf(core.Invalid, "truncated: %d elements were sent, there is room for %d", len(payload)/max(size, 1), room/max(size, 1)).
			Do("receive into a longer slice, or use Probe to learn the length first")
	}
	return nil
}
