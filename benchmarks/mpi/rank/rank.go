// Package rank is the ranks of "capstan bench mpi": what the MPICH program
// program/play.c does, on the native API and on the mesh alone.
package rank

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/capstan-run/capstan/core"
)

// The names of players.
const (
	Native = "native" // on the native API
	Mesh   = "mesh"   // on the mesh, without the API above it
)

// The kinds of batches.
const (
	Pings     = 'p' // round trips of the same bytes
	Echoes    = 'e' // round trips of what came
	Lent      = 'l' // pings whose receiver reads the message where it lies
	Handed    = 'h' // pings of buffers that are handed over
	Reduces   = 'r' // allreduce of numbers of 8 bytes, which are summed
	Barriers  = 'b'
	Farewells = 'q' // the end
)

// Batch is what a rank is told to do.
type Batch struct {
	Kind         byte
	Bytes        int // of a message, or of each rank's numbers
	Warm, Rounds int // that do not count, and that do
}

// String is the batch as a turn.
func (b Batch) String() string { return fmt.Sprintf("%c %d %d %d", b.Kind, b.Bytes, b.Warm, b.Rounds) }

// game is what a rank can play.
type game interface {
	rank() int
	play(ctx context.Context, b Batch, rounds int) error
	end(ctx context.Context, err error) error
}

// Play makes the batches that the pipe of this rank says, PREFIX-RANK, and rank 0
// prints the nanoseconds of a round of each.
func Play(ctx context.Context, player, prefix string) error {
	var g game
	var err error
	switch player {
	case Native:
		g, err = joinNative(ctx)
	case Mesh:
		g, err = joinMesh(ctx, prefix)
	default:
		err = core.Errorf(core.Invalid, "there is no player %q", player)
	}
	if err != nil {
		return err
	}
	return g.end(ctx, playAll(ctx, g, prefix))
}

func playAll(ctx context.Context, g game, prefix string) error {
	turns, err := os.Open(fmt.Sprintf("%s-%d", prefix, g.rank()))
	if err != nil {
		return err
	}
	defer turns.Close()
	for lines := bufio.NewScanner(turns); lines.Scan(); {
		var b Batch
		if _, err := fmt.Sscanf(lines.Text(), "%c %d %d %d", &b.Kind, &b.Bytes, &b.Warm, &b.Rounds); err != nil {
			return fmt.Errorf("turn %q: %w", lines.Text(), err)
		}
		if b.Kind == Farewells {
			return nil
		}
		if err := timed(ctx, g, b); err != nil {
			return err
		}
	}
	return errors.New("the pipe of turns ended")
}

func timed(ctx context.Context, g game, b Batch) error {
	if err := g.play(ctx, b, b.Warm); err != nil {
		return err
	}
	start := time.Now()
	if err := g.play(ctx, b, b.Rounds); err != nil {
		return err
	}
	if g.rank() == 0 {
		fmt.Printf("%.1f\n", float64(time.Since(start).Nanoseconds())/float64(b.Rounds))
	}
	return nil
}
