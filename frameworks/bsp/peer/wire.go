package peer

import (
	"encoding/binary"
	"fmt"

	"github.com/capstan-run/capstan/shuffle/mesh"
)

// The tags of the mesh that a peer uses.
const (
	tagData    mesh.Tag = 1
	tagBarrier mesh.Tag = 2
)

// class is what a message of the mesh is to the peer.
type class uint8

const (
	classBatch  class = 1 + iota // raw messages; see batch
	classRecord                  // an arrow record with its schema
	classBlock                   // an engine's
	classFailed                  // a program has failed; the payload is its error
)

// headSize is the length of what precedes a message's payload:
//
//	0  uint8   class
//	1  3 bytes zero
//	4  uint32  kind of a block, number of messages of a batch, rank of a failure
//	8  uint64  the superstep in which it was sent
const headSize = 16

type head [headSize]byte

func makeHead(c class, kind uint32, step int64) (h head) {
	h[0] = byte(c)
	binary.LittleEndian.PutUint32(h[4:], kind)
	binary.LittleEndian.PutUint64(h[8:], uint64(step))
	return h
}

func parseHead(b []byte) (c class, kind uint32, step int64, err error) {
	if len(b) < headSize || b[0] < byte(classBatch) || b[0] > byte(classFailed) {
		return 0, 0, 0, fmt.Errorf("a message of %d bytes that no peer sends", len(b))
	}
	return class(b[0]), binary.LittleEndian.Uint32(b[4:]), int64(binary.LittleEndian.Uint64(b[8:])), nil
}
