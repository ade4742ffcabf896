package mpi

import (
	"errors"

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
