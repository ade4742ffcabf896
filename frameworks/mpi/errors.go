package mpi

import (
	"errors"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/shuffle/mesh"
)

// PeerError says which rank of the world is gone, and how.
type PeerError = mesh.PeerError

// Lost is the rank of the world whose end is the cause of err; false if it has
// another cause.
func Lost(err error) (rank int, ok bool) {
	var gone *mesh.PeerError
	if errors.As(err, &gone) {
		return gone.Rank, true
	}
	return 0, false
}

// exitCode is err's own, where it has one, or that of its kind.
func exitCode(err error) int {
	var own interface{ ExitCode() int }
	if errors.As(err, &own) && own.ExitCode() > 0 {
		return own.ExitCode()
	}
	return core.KindOf(err).ExitCode()
}
