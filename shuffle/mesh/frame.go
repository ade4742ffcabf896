package mesh

import (
	"encoding/binary"
	"fmt"
	"io"
)

// kind is the first byte of a frame. Each is allowed on one lane only.
type kind uint8

const (
	// The control lane.
	kindSignal   kind = 1 // a message on the control lane
	kindCredit   kind = 2 // bytes that may be sent again
	kindAccept   kind = 3 // an offer was matched
	kindWithdraw kind = 4 // an offer is void
	kindFinish   kind = 5 // nothing more will be sent
	kindFinished kind = 6 // all that was sent is here
	kindDoorbell kind = 7 // look into the shared memory

	// The data lane.
	kindData      kind = 16 // a message
	kindOffer     kind = 17 // the envelope of a message
	kindReference kind = 18 // the place of a message in shared memory

	// Bulk lanes.
	kindBody kind = 32 // a part of an accepted message
)

const (
	headerSize = 16
	// overhead is what a message takes up of a window beside its bytes.
	overhead = 64
	// MaxSignal is the largest message on the control lane, in bytes.
	MaxSignal = 4096
	// signalWindow bounds the signals that a rank holds for each peer.
	signalWindow = 64 << 10

	creditSize    = 8
	offerSize     = 16
	referenceSize = 24
	bodySize      = 16
)

// label is the first half of a frame's header: the kind and the tag.
func label(k kind, t Tag) uint64 { return uint64(k) | uint64(t)<<32 }

// split takes a label apart. The three bytes between must be zero.
func split(l uint64) (kind, Tag, error) {
	if l&0xffffff00 != 0 {
		return 0, 0, fmt.Errorf("%w: frame label %#x", errProtocol, l)
	}
	return kind(l), Tag(l >> 32), nil
}

func appendHeader(b []byte, l uint64, n int) []byte {
	b = binary.LittleEndian.AppendUint64(b, l)
	return binary.LittleEndian.AppendUint64(b, uint64(n))
}

// readHeader reads a frame's header. At the end of r between two frames the
// error is io.EOF.
func readHeader(r io.Reader, buf []byte) (kind, Tag, uint64, error) {
	b := buf[:headerSize]
	if _, err := io.ReadFull(r, b); err != nil {
		return 0, 0, 0, err
	}
	k, t, err := split(binary.LittleEndian.Uint64(b))
	return k, t, binary.LittleEndian.Uint64(b[8:]), err
}

// two are the 16 bytes of two numbers: of an offer its number and length, of a
// body its offer's number and its place in the message.
func two(a, b uint64) []byte {
	return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(make([]byte, 0, 16), a), b)
}

func readTwo(b []byte) (uint64, uint64) {
	return binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])
}

func one(a uint64) []byte { return binary.LittleEndian.AppendUint64(nil, a) }

// reference is where in its sender's shared memory a message lies.
type reference struct {
	slot        uint32 // the word that gives it back
	off, length uint64
}

func (r reference) bytes() []byte {
	b := make([]byte, 8, referenceSize)
	binary.LittleEndian.PutUint32(b, r.slot)
	b = binary.LittleEndian.AppendUint64(b, r.off)
	return binary.LittleEndian.AppendUint64(b, r.length)
}

// readReference checks that the reference lies within arena bytes.
func readReference(b []byte, arena uint64) (reference, error) {
	r := reference{slot: binary.LittleEndian.Uint32(b), off: binary.LittleEndian.Uint64(b[8:]), length: binary.LittleEndian.Uint64(b[16:])}
	if r.slot >= slots || r.off%64 != 0 || r.off > arena || r.length > arena-r.off {
		return reference{}, fmt.Errorf("%w: reference to %d bytes at %d of %d, slot %d", errProtocol, r.length, r.off, arena, r.slot)
	}
	return r, nil
}

// sizeOf is the number of bytes of parts together.
func sizeOf(parts [][]byte) int {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	return n
}

// cut returns n bytes of parts from off on.
func cut(parts [][]byte, off, n int) [][]byte {
	var out [][]byte
	for _, p := range parts {
		if off >= len(p) {
			off -= len(p)
			continue
		}
		p = p[off:min(len(p), off+n)]
		off, n = 0, n-len(p)
		if out = append(out, p); n == 0 {
			break
		}
	}
	return out
}

// gather copies parts to the start of b.
func gather(b []byte, parts [][]byte) {
	for _, p := range parts {
		b = b[copy(b, p):]
	}
}
