package mpi

import (
	"encoding/binary"
	"fmt"

	"github.com/capstan-run/capstan/core"
)

// A point-to-point message begins with a header of 8 bytes, little-endian:
//
//	0  uint8   kind of its elements
//	1  uint8   1: the sender waits until it is matched
//	2  uint16  size of an element, 0 where it does not fit
//	4  uint32  the number that the sender waits for
const headerSize = 8

const flagSync = 1

// header is a message's, as read.
type header struct {
	kind kind
	sync bool
	size int
	ack  uint32
}

func appendHeader(b []byte, h header) []byte {
	flags := byte(0)
	if h.sync {
		flags = flagSync
	}
	size := h.size
	if size > 0xffff {
		size = 0
	}
	b = append(b, byte(h.kind), flags)
	b = binary.LittleEndian.AppendUint16(b, uint16(size))
	return binary.LittleEndian.AppendUint32(b, h.ack)
}

// readHeader parts a message from its header.
func readHeader(b []byte) (header, []byte, error) {
	if len(b) < headerSize {
		return header{}, nil, fmt.Errorf("a message of %d bytes, too short for its header", len(b))
	}
	h := header{kind: kind(b[0]), sync: b[1] == flagSync,
		size: int(binary.LittleEndian.Uint16(b[2:])), ack: binary.LittleEndian.Uint32(b[4:])}
	if b[1]&^flagSync != 0 || h.kind == kindNone {
		return header{}, nil, fmt.Errorf("a header that makes no sense: % x", b[:headerSize])
	}
	return h, b[headerSize:], nil
}

// fits refuses a payload that is not of the kind a receiver has room for, or is
// more than its room.
func (h header) fits(payload []byte, k kind, size, room int) error {
	if h.kind != k || h.size != 0 && h.size != size {
		return core.Errorf(core.Invalid, "the sender's elements are %s of %d bytes, the receiver's %s of %d", h.kind, h.size, k, size).
			Do("send and receive slices of the same type")
	}
	if len(payload) > room {
		return core.Errorf(core.Invalid, "truncated: %d elements were sent, there is room for %d", len(payload)/max(size, 1), room/max(size, 1)).
			Do("receive into a longer slice, or use Probe to learn the length first")
	}
	return nil
}
