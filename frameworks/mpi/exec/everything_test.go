package exec

import (
	"context"
	"fmt"

	"github.com/capstan-run/capstan/frameworks/mpi"
)

// everything is what testdata's programs of this name do.
func everything(ctx context.Context, world *mpi.Comm) error {
	fmt.Printf("rank %d of %d in Go\n", world.Rank(), world.Size())
	return nil
}
