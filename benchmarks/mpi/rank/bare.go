package rank

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/capstan-run/capstan/shuffle/mesh"
)

// bare plays on the mesh, without the API above it.
type bare struct {
	*mesh.Mesh
	out, in []byte
}

// joinMesh knows all it needs from its launcher's variables: its ranks are on
// this machine.
func joinMesh(ctx context.Context, prefix string) (game, error) {
	rank, err := strconv.Atoi(os.Getenv("PMI_RANK"))
	size, serr := strconv.Atoi(os.Getenv("PMI_SIZE"))
	if err := errors.Join(err, serr); err != nil {
		return nil, err
	}
	m, err := mesh.Join(ctx, mesh.Config{ID: prefix, Rank: rank, Size: size, Dir: filepath.Dir(prefix),
		Places: slices.Repeat([]mesh.Place{{Host: "here"}}, size)})
	if err != nil {
		return nil, err
	}
	return &bare{Mesh: m}, nil
}

func (g *bare) rank() int { return g.Rank() }

func (g *bare) end(ctx context.Context, err error) error {
	if err != nil {
		g.Abort()
		return err
	}
	return g.Close(ctx)
}

func (g *bare) play(ctx context.Context, b Batch, rounds int) error {
	if len(g.out) != b.Bytes {
		g.out, g.in = bytes.Repeat([]byte{byte(g.rank())}, b.Bytes), make([]byte, b.Bytes)
	}
	me := g.rank()
	for i := range 2 * rounds {
		if i%2 == me {
			if err := g.give(ctx, b); err != nil {
				return err
			}
		} else if err := g.take(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

func (g *bare) give(ctx context.Context, b Batch) error {
	if b.Kind != Handed {
		return g.Send(ctx, 1-g.rank(), 0, g.out)
	}
	buf, err := g.Alloc(ctx, b.Bytes)
	if err != nil {
		return err
	}
	buf.Bytes()[0] = byte(g.rank())
	return g.Hand(ctx, 1-g.rank(), 0, buf)
}

func (g *bare) take(ctx context.Context, b Batch) error {
	m, err := g.Recv(ctx, 1-g.rank(), 0)
	if err != nil {
		return err
	}
	defer m.Release()
	if len(m.Bytes()) != b.Bytes || m.Bytes()[0] != byte(1-g.rank()) {
		return fmt.Errorf("%d bytes came from rank %d, and begin with %d", len(m.Bytes()), m.From, m.Bytes()[0])
	}
	if b.Kind == Pings {
		copy(g.in, m.Bytes())
	}
	return nil
}
