package main

import (
	"context"
	"math"

	"github.com/capstan-run/capstan/frameworks/mpi"
)

// plate is a rank's rows, with a neighbour's or the edge above and below them, and
// an edge left and right. A step reads old and makes new.
type plate struct {
	world    *mpi.Comm
	size     int // of the whole plate
	rows     int // of this rank
	wide     int // of a row with its edges
	old, new []float64
}

// The tags of rows on their way.
const (
	downwards = 1
	upwards   = 2
	results   = 3
)

// share is the first row of a rank, and of the next.
func share(size, rank, ranks int) (from, to int) {
	return size * rank / ranks, size * (rank + 1) / ranks
}

func newPlate(world *mpi.Comm, size int) *plate {
	from, to := share(size, world.Rank(), world.Size())
	p := &plate{world: world, size: size, rows: to - from, wide: size + 2}
	p.old, p.new = make([]float64, (p.rows+2)*p.wide), make([]float64, (p.rows+2)*p.wide)
	if world.Rank() == 0 {
		for j := 1; j <= size; j++ {
			p.old[j], p.new[j] = 100, 100
		}
	}
	return p
}

func (p *plate) row(points []float64, i int) []float64 { return points[i*p.wide : (i+1)*p.wide] }

// step takes the neighbours' rows and makes every point the mean of those around it.
func (p *plate) step(ctx context.Context) error {
	p.old, p.new = p.new, p.old
	if err := p.halo(ctx); err != nil {
		return err
	}
	for i := 1; i <= p.rows; i++ {
		up, row, down, next := p.row(p.old, i-1), p.row(p.old, i), p.row(p.old, i+1), p.row(p.new, i)
		for j := 1; j <= p.size; j++ {
			next[j] = ((up[j] + down[j]) + (row[j-1] + row[j+1])) * 0.25
		}
	}
	return nil
}

// halo passes last rows down and then first rows up. Each of the two begins with
// the rank that has nobody to send to, so that none waits for ever.
func (p *plate) halo(ctx context.Context) error {
	above, below := p.world.Rank()-1, p.world.Rank()+1
	if above < 0 {
		above = mpi.Null
	}
	if below == p.world.Size() {
		below = mpi.Null
	}
	if err := mpi.Send(ctx, p.world, below, downwards, p.row(p.old, p.rows)); err != nil {
		return err
	}
	if _, err := mpi.Recv(ctx, p.world, above, downwards, p.row(p.old, 0)); err != nil {
		return err
	}
	if err := mpi.Send(ctx, p.world, above, upwards, p.row(p.old, 1)); err != nil {
		return err
	}
	_, err := mpi.Recv(ctx, p.world, below, upwards, p.row(p.old, p.rows+1))
	return err
}

// change is the most that a point of this rank changed in the last step.
func (p *plate) change() float64 {
	most := 0.0
	for i := 1; i <= p.rows; i++ {
		before, after := p.row(p.old, i), p.row(p.new, i)
		for j := 1; j <= p.size; j++ {
			most = max(most, math.Abs(after[j]-before[j]))
		}
	}
	return most
}

// gather brings the points of all ranks to rank 0, row by row and without edges.
func (p *plate) gather(ctx context.Context) ([]float64, error) {
	mine := make([]float64, 0, p.rows*p.size)
	for i := 1; i <= p.rows; i++ {
		mine = append(mine, p.row(p.new, i)[1:p.size+1]...)
	}
	if p.world.Rank() != 0 {
		return nil, mpi.Send(ctx, p.world, 0, results, mine)
	}
	all := append(mine, make([]float64, p.size*p.size-len(mine))...)
	for r := 1; r < p.world.Size(); r++ {
		from, to := share(p.size, r, p.world.Size())
		if _, err := mpi.Recv(ctx, p.world, r, results, all[from*p.size:to*p.size]); err != nil {
			return nil, err
		}
	}
	return all, nil
}
