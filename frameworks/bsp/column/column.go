// Package column sends arrays of numbers from peer to peer, in blocks that are
// long enough to cost nothing each and short enough to be on their way while
// the next one is made.
//
// What a rank sends to another under one kind, by any number of calls, is one
// column there, in the order of the calls.
package column

import (
	"encoding/binary"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/bsp/graph/span"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
)

// pieceBytes is the longest block.
const pieceBytes = 1 << 20

// Send sends values to a rank. They are copied before it returns.
func Send[T span.Number](p *peer.Peer, to int, kind uint32, values []T) error {
	per := pieceBytes / max(len(span.Bytes(make([]T, 1))), 1)
	for len(values) > 0 {
		n := min(per, len(values))
		if err := p.SendBlock(to, kind, span.Bytes(values[:n])); err != nil {
			return err
		}
		values = values[n:]
	}
	return nil
}

// Each calls f with what was sent under kind in the superstep that ended: by
// sender, in order. at is the place of values[0] in the sender's column. The
// values are valid until the next Sync.
func Each[T span.Number](p *peer.Peer, kind uint32, f func(from, at int, values []T) error) error {
	from, at := -1, 0
	for b := range p.Blocks() {
		if b.Kind != kind {
			continue
		}
		if b.From != from {
			from, at = b.From, 0
		}
		values := span.Of[T](b.Data)
		if err := f(from, at, values); err != nil {
			return err
		}
		at += len(values)
	}
	return nil
}

// Say tells every rank a number, which they have by Heard after the next Sync.
func Say(p *peer.Peer, number int64) error {
	return p.Broadcast(binary.LittleEndian.AppendUint64(nil, uint64(number)))
}

// Heard is what each rank said in the superstep that ended, by rank. Nothing
// else may have been sent by Send then.
func Heard(p *peer.Peer) ([]int64, error) {
	said := make([]int64, p.Size())
	for from, msg := range p.Messages() {
		if len(msg) != 8 {
			return nil, core.Errorf(core.Internal, "a message of %d bytes where a number was due", len(msg)).At("bsp column")
		}
		said[from] = int64(binary.LittleEndian.Uint64(msg))
	}
	return said, nil
}
