package mpi

import (
	"context"
	"errors"
	"fmt"

	"github.com/capstan-run/capstan/benchmarks/mpi/rank"
)

// pingPong is small messages between two ranks.
func pingPong(ctx context.Context, l *lab, r *report) (err error) {
	return l.against(ctx, 2, func(d *duel, alone *player) error {
		for _, n := range []int{8, 1 << 10, 8 << 10} {
			b := trips(rank.Pings, n)
			got, err := d.beside(ctx, b, b, turn{alone, trips(rank.Lent, n)})
			if err != nil {
				return err
			}
			goal := 0.0
			if n == 8 {
				goal = 1
			}
			r.times(size(n)+", one way", half(got.ours), half(got.theirs), goal)
			r.times(size(n)+", one way, the mesh alone", half(got.others[0]), half(got.theirs), 0)
		}
		return nil
	})
}

// bandwidth is large messages, in all the ways that they go.
func bandwidth(ctx context.Context, l *lab, r *report) error {
	return l.against(ctx, 2, func(d *duel, alone *player) error {
		for _, n := range []int{64 << 10, 256 << 10, 1 << 20, 4 << 20} {
			b := trips(rank.Pings, n)
			got, err := d.beside(ctx, b, b, turn{d.ours, trips(rank.Lent, n)}, turn{d.ours, trips(rank.Handed, n)}, turn{alone, trips(rank.Handed, n)})
			if err != nil {
				return err
			}
			r.rates(size(n)+", the same bytes, copied", n, half(got.ours), half(got.theirs), 1.3)
			r.rates(size(n)+", the same bytes, lent", n, half(got.others[0]), half(got.theirs), 1.3)
			for i, who := range []string{"", ", the mesh alone"} {
				handed := half(got.others[1+i])
				r.add(Row{What: size(n) + ", handed over by reference" + who, Unit: "µs", Ours: handed.quarter() / 1e3, Goal: 2, Absolute: true,
					Note: medians(handed, nil, 1e3)})
			}
			e := trips(rank.Echoes, n)
			ours, theirs, err := d.play(ctx, e, e)
			if err != nil {
				return err
			}
			r.rates(size(n)+", what came goes back, copied", n, half(ours), half(theirs), 1.3)
		}
		return nil
	})
}

// against runs f with a native player, MPICH's and the mesh's.
func (l *lab) against(ctx context.Context, ranks int, f func(d *duel, alone *player) error) error {
	d, err := l.duel(ctx, rank.Native, ranks)
	if err != nil {
		return err
	}
	alone, err := l.ours(ctx, rank.Mesh, ranks)
	if err != nil {
		return errors.Join(err, d.close())
	}
	return errors.Join(f(d, alone), d.close(), alone.close())
}

// standing is what a round of several players gave.
type standing struct {
	ours, theirs series
	others       []series
}

// beside plays a duel with others in the same rounds.
func (d *duel) beside(ctx context.Context, ours, theirs rank.Batch, others ...turn) (standing, error) {
	turns := append([]turn{{d.ours, ours}}, others...)
	if d.theirs != nil {
		turns = append(turns, turn{d.theirs, theirs})
	}
	got, err := rounds(ctx, d.rounds, turns...)
	if err != nil {
		return standing{}, err
	}
	s := standing{ours: got[0], others: got[1 : 1+len(others)]}
	if d.theirs != nil {
		s.theirs = got[1+len(others)]
	}
	return s, nil
}

// trips is a batch of some milliseconds.
func trips(kind byte, bytes int) rank.Batch {
	n := 3000
	switch {
	case bytes > 1<<20:
		n = 10
	case bytes > 32<<10:
		n = 60
	case bytes > 4<<10:
		n = 600
	}
	return rank.Batch{Kind: kind, Bytes: bytes, Warm: n, Rounds: n}
}

// half is the series of one way, of that of round trips.
func half(s series) series {
	h := make(series, len(s))
	for i := range s {
		h[i] = s[i] / 2
	}
	return h
}

// size is an amount as programmers say it.
func size(n int) string {
	switch {
	case n >= 1<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 1<<10:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d B", n)
}
