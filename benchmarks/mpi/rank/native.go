package rank

import (
	"bytes"
	"context"
	"fmt"

	"github.com/capstan-run/capstan/frameworks/mpi"
)

// native plays on the native API.
type native struct {
	*mpi.World
	c       *mpi.Comm
	out, in []byte
	numbers []float64
}

func joinNative(ctx context.Context) (game, error) {
	w, err := mpi.Join(ctx)
	if err != nil {
		return nil, err
	}
	return &native{World: w, c: w.Comm}, nil
}

func (g *native) rank() int { return g.c.Rank() }

func (g *native) end(ctx context.Context, err error) error { return g.Leave(ctx, err) }

func (g *native) play(ctx context.Context, b Batch, rounds int) error {
	if len(g.out) != b.Bytes {
		g.out, g.in = bytes.Repeat([]byte{byte(g.rank())}, b.Bytes), make([]byte, b.Bytes)
		g.numbers = make([]float64, b.Bytes/8)
	}
	switch b.Kind {
	case Pings:
		return g.trips(ctx, g.out, g.in, rounds)
	case Echoes:
		return g.trips(ctx, g.out, g.out, rounds)
	case Lent, Handed:
		return g.lend(ctx, b, rounds)
	case Reduces:
		return g.reduce(ctx, rounds)
	case Barriers:
		for range rounds {
			if err := g.c.Barrier(ctx); err != nil {
				return err
			}
		}
		return nil
	}
	return fmt.Errorf("the native player has no batch %q", b.Kind)
}

// trips sends out to and fro and receives into in.
func (g *native) trips(ctx context.Context, out, in []byte, rounds int) error {
	me := g.c.Rank()
	if me > 1 {
		return nil
	}
	for range rounds {
		if me == 0 {
			if err := mpi.Send(ctx, g.c, 1, 0, out); err != nil {
				return err
			}
		}
		if _, err := mpi.Recv(ctx, g.c, 1-me, 0, in); err != nil {
			return err
		}
		if me == 1 {
			if err := mpi.Send(ctx, g.c, 0, 0, out); err != nil {
				return err
			}
		}
	}
	if n := len(in); rounds > 0 && &out[0] != &in[0] && (in[0] != byte(1-me) || in[n-1] != byte(1-me)) {
		return fmt.Errorf("a message from rank %d ends in %d", 1-me, in[n-1])
	}
	return nil
}

// lend makes round trips whose receiver reads the message where it lies: of a slice
// that is sent, or of a buffer that is handed over.
func (g *native) lend(ctx context.Context, b Batch, rounds int) error {
	me := g.c.Rank()
	for i := range 2 * rounds {
		if me > 1 {
			return nil
		}
		if i%2 == me {
			if err := g.give(ctx, b); err != nil {
				return err
			}
			continue
		}
		m, err := g.c.RecvMessage(ctx, 1-me, 0)
		if err != nil {
			return err
		}
		n, first := len(m.Bytes), m.Bytes[0]
		m.Release()
		if n != b.Bytes || first != byte(1-me) {
			return fmt.Errorf("%d bytes came from rank %d, and begin with %d", n, 1-me, first)
		}
	}
	return nil
}

func (g *native) give(ctx context.Context, b Batch) error {
	to := 1 - g.c.Rank()
	if b.Kind == Lent {
		return mpi.Send(ctx, g.c, to, 0, g.out)
	}
	buf, err := mpi.Alloc[byte](ctx, g.c, b.Bytes)
	if err != nil {
		return err
	}
	buf.Values[0] = byte(g.c.Rank())
	return buf.Hand(ctx, to, 0)
}

// reduce sums ones: each sum is the next one's summand on rank 0, and the rest
// add what keeps it the same.
func (g *native) reduce(ctx context.Context, rounds int) error {
	n, me := g.c.Size(), g.c.Rank()
	for i := range g.numbers {
		g.numbers[i] = float64(me + 1)
	}
	want := float64(n * (n + 1) / 2)
	for range rounds {
		if err := mpi.Allreduce(ctx, g.c, g.numbers, mpi.Sum); err != nil {
			return err
		}
		if first, last := g.numbers[0], g.numbers[len(g.numbers)-1]; first != want || last != want {
			return fmt.Errorf("a sum is %g and %g, not %g", first, last, want)
		}
		// Sums of equal numbers grow n-fold each round; infinity sums as fast.
		want *= float64(n)
	}
	return nil
}
