package peer

import (
	"encoding/binary"
	"errors"
	"iter"
	"math"
)

// batchSize is how many bytes of messages to one rank are gathered.
const batchSize = 64 << 10

// batch gathers raw messages in columns: their ends, where they have not all
// one length, and their bytes.
//
//	0  uint32  length of each message, or varying
//	4  uint32  zero
//	8  uint32  end of each message in the bytes, where it varies; then the bytes
type batch struct {
	n     int
	width uint32
	ends  []byte
	data  []byte
}

const varying = math.MaxUint32

const batchHead = 8

func (b *batch) add(msg []byte) {
	switch {
	case b.n == 0:
		b.width = uint32(len(msg))
	case b.width != varying && int(b.width) != len(msg):
		for i := range b.n {
			b.ends = binary.LittleEndian.AppendUint32(b.ends, uint32(i+1)*b.width)
		}
		b.width = varying
	}
	b.n++
	b.data = append(b.data, msg...)
	if b.width == varying {
		b.ends = binary.LittleEndian.AppendUint32(b.ends, uint32(len(b.data)))
	}
}

// room reports whether a message of n bytes may still be added.
func (b *batch) room(n int) bool {
	return b.n == 0 || len(b.data)+len(b.ends)+n+4 <= batchSize && b.n < batchSize
}

// parts are the columns as they are sent.
func (b *batch) parts() [3][]byte {
	var h [batchHead]byte
	binary.LittleEndian.PutUint32(h[:], b.width)
	return [3][]byte{h[:], b.ends, b.data}
}

func (b *batch) reset() {
	b.n, b.ends, b.data = 0, b.ends[:0], b.data[:0]
	if cap(b.data) > 4*batchSize {
		b.data = nil
	}
}

var errBatch = errors.New("a batch of messages that does not fit its head")

// openBatch checks what a peer sent: a batch of n messages.
func openBatch(payload []byte, n int) (messages iter.Seq[[]byte], err error) {
	if len(payload) < batchHead {
		return nil, errBatch
	}
	width := binary.LittleEndian.Uint32(payload)
	rest := payload[batchHead:]
	if width != varying {
		if uint64(width)*uint64(n) != uint64(len(rest)) {
			return nil, errBatch
		}
		return fixedMessages(rest, n, int(width)), nil
	}
	if len(rest) < 4*n {
		return nil, errBatch
	}
	ends, data := rest[:4*n], rest[4*n:]
	last := uint32(0)
	for i := range n {
		end := binary.LittleEndian.Uint32(ends[4*i:])
		if end < last {
			return nil, errBatch
		}
		last = end
	}
	if int64(last) != int64(len(data)) {
		return nil, errBatch
	}
	return varyingMessages(ends, data, n), nil
}

func fixedMessages(data []byte, n, width int) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for i := range n {
			if !yield(data[i*width : (i+1)*width : (i+1)*width]) {
				return
			}
		}
	}
}

func varyingMessages(ends, data []byte, n int) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		at := uint32(0)
		for i := range n {
			end := binary.LittleEndian.Uint32(ends[4*i:])
			if !yield(data[at:end:end]) {
				return
			}
			at = end
		}
	}
}
