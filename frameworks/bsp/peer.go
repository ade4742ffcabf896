package bsp

import (
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
)

// The words of package peer that a program needs.
type (
	Peer           = peer.Peer
	Program        = peer.Program
	Keeper         = peer.Keeper
	Block          = peer.Block
	SnapshotWriter = peer.SnapshotWriter
	SnapshotReader = peer.SnapshotReader
	Number         = peer.Number
)

// Aggregator is package peer's.
type Aggregator[T any] = peer.Aggregator[T]

// Codec is package peer's.
type Codec[T any] = peer.Codec[T]

// Sum adds up what all ranks add in a superstep.
func Sum[T Number](p *Peer, name string) *Aggregator[T] { return peer.Sum[T](p, name) }

// Min is the least that any rank adds.
func Min[T Number](p *Peer, name string) *Aggregator[T] { return peer.Min[T](p, name) }

// Max is the greatest that any rank adds.
func Max[T Number](p *Peer, name string) *Aggregator[T] { return peer.Max[T](p, name) }

// All is true where nobody adds false.
func All(p *Peer, name string) *Aggregator[bool] { return peer.All(p, name) }

// Any is true where somebody adds true.
func Any(p *Peer, name string) *Aggregator[bool] { return peer.Any(p, name) }

// Custom combines by a function; see [peer.Custom].
func Custom[T any](p *Peer, name string, zero T, combine func(a, b T) T, codec Codec[T]) *Aggregator[T] {
	return peer.Custom(p, name, zero, combine, codec)
}

// JSON is the codec of whatever encoding/json can write and read.
func JSON[T any]() Codec[T] { return peer.JSON[T]() }
