package mpi

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/capstan-run/capstan/benchmarks/mpi/rank"
)

// collectives are of as many ranks as have a core each.
func collectives(ctx context.Context, l *lab, r *report) error {
	for _, ranks := range []int{2, 4, 8} {
		if ranks > max(2, runtime.NumCPU()) {
			l.log("%d ranks are left out: this machine has %d cores (see oversubscribed)", ranks, runtime.NumCPU())
			continue
		}
		if err := l.collectivesOf(ctx, r, ranks); err != nil {
			return err
		}
	}
	return nil
}

func (l *lab) collectivesOf(ctx context.Context, r *report, ranks int) error {
	d, err := l.duel(ctx, rank.Native, ranks)
	if err != nil {
		return err
	}
	err = func() error {
		who := fmt.Sprintf("%d ranks, ", ranks)
		b := rank.Batch{Kind: rank.Barriers, Bytes: 8, Warm: 2000, Rounds: 2000}
		if err := d.row(ctx, r, who+"barrier", b, 1); err != nil {
			return err
		}
		for _, n := range []int{8, 1 << 10, 64 << 10, 1 << 20, 16 << 20} {
			b := trips(rank.Reduces, n)
			if n > 4<<20 {
				b.Warm, b.Rounds = 1, 3
			}
			if err := d.row(ctx, r, who+"allreduce of "+size(n), b, 1); err != nil {
				return err
			}
		}
		return nil
	}()
	return errors.Join(err, d.close())
}

// row plays one batch and adds its row.
func (d *duel) row(ctx context.Context, r *report, what string, b rank.Batch, goal float64) error {
	ours, theirs, err := d.play(ctx, b, b)
	if err == nil {
		r.times(what, ours, theirs, goal)
	}
	return err
}

// oversubscribed is more ranks than cores.
func oversubscribed(ctx context.Context, l *lab, r *report) error {
	const ranks = 8
	if runtime.NumCPU() >= ranks {
		l.log("left out: this machine has a core for each of %d ranks", ranks)
		return nil
	}
	d, err := l.duel(ctx, rank.Native, ranks)
	if err != nil {
		return err
	}
	d.rounds = max(1, l.Rounds/4) // MPICH takes its time
	who := fmt.Sprintf("%d ranks on %d cores, ", ranks, runtime.NumCPU())
	err = d.row(ctx, r, who+"barrier", rank.Batch{Kind: rank.Barriers, Bytes: 8, Warm: 2, Rounds: 10}, 0.1)
	if err == nil {
		err = d.row(ctx, r, who+"allreduce of 8 B", rank.Batch{Kind: rank.Reduces, Bytes: 8, Warm: 2, Rounds: 10}, 0)
	}
	return errors.Join(err, d.close())
}

// many is the life of a large world.
func many(ctx context.Context, l *lab, r *report) error {
	start := time.Now()
	p, err := l.ours(ctx, rank.Native, l.Ranks)
	if err != nil {
		return err
	}
	_, err = p.play(rank.Batch{Kind: rank.Reduces, Bytes: 8, Rounds: 1})
	reduced := time.Since(start)
	if err = errors.Join(err, p.close()); err != nil {
		return err
	}
	cpu := p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
	r.add(Row{What: fmt.Sprintf("%d native ranks, start to stop", l.Ranks), Unit: "s", Ours: time.Since(start).Seconds(), Goal: 5, Absolute: true,
		Note: fmt.Sprintf("allreduce done after %.2f s; %.1f CPU-s", reduced.Seconds(), cpu.Seconds())})
	return nil
}
