package mesh

import (
	"errors"
	"fmt"

	"github.com/capstan-run/capstan/core"
)

// ErrClosed is in the chain of what every call returns on a mesh that this
// rank closed, and of what calls return that were blocked meanwhile.
var ErrClosed = errors.New("mesh is closed")

// ErrLeft is in the chain of a [*PeerError] about a rank that closed its mesh.
// What it had sent is delivered before.
var ErrLeft = errors.New("rank has left the mesh")

// ErrLost is in the chain of a [*PeerError] about a rank whose process or link
// ended without a goodbye, or that broke the protocol. What arrived whole is
// delivered before.
var ErrLost = errors.New("rank is lost")

// PeerError says which rank a call cannot reach any more, and why. Its chain
// holds [ErrLeft] or [ErrLost], and a [*core.Error].
type PeerError struct {
	Rank int
	err  *core.Error
}

func (e *PeerError) Error() string { return e.err.Error() }

// Unwrap gives the error for the user, whose cause is ErrLeft or ErrLost.
func (e *PeerError) Unwrap() error { return e.err }

func (e *PeerError) isLost() bool { return errors.Is(e.err, ErrLost) }

// lost is the error about a rank that ended without a goodbye.
func lost(rank int, cause error) *PeerError {
	err := ErrLost
	if cause != nil {
		err = fmt.Errorf("%w: %w", ErrLost, cause)
	}
	return &PeerError{Rank: rank, err: &core.Error{Kind: core.Failed, Where: place(rank), Err: err,
		Remedy: "see this rank's log for why it ended; the gang must go on without it or start again"}}
}

// left is the error about a rank that closed its mesh.
func left(rank int) *PeerError {
	return &PeerError{Rank: rank, err: &core.Error{Kind: core.Failed, Where: place(rank), Err: ErrLeft,
		Remedy: "the program sends to, or waits for, a rank that has finished: check that all ranks agree on how much they exchange"}}
}

func place(rank int) string { return fmt.Sprintf("mesh rank %d", rank) }

// errProtocol is the cause of a loss when the peer's bytes make no sense.
var errProtocol = errors.New("protocol violated")

// errWithdrawn ends an accepted offer whose sender gave up.
var errWithdrawn = errors.New("offer withdrawn")

func errTwice(rank int) error {
	return core.Errorf(core.Conflict, "rank %d joined twice", rank).At("mesh hub").Do("give every rank of a mesh a number, and every attempt an ID of its own")
}
