package exec

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/capstan-run/capstan/frameworks/mpi"
)

const heatSize, heatSteps = 24, 60

// heat is testdata's programs of this name, in Go.
func heat(ctx context.Context, world *mpi.Comm) error {
	p := newPlate(world)
	for range heatSteps {
		if err := p.halo(ctx); err != nil {
			return err
		}
		p.step()
	}
	change := []float64{p.change()}
	if err := mpi.Allreduce(ctx, world, change, mpi.Max); err != nil {
		return err
	}
	return p.tell(ctx, change[0])
}

// plate is a rank's rows, with the neighbours' above and below.
type plate struct {
	world    *mpi.Comm
	old, new [][]float64
}

func newPlate(world *mpi.Comm) *plate {
	p, me, n := &plate{world: world}, world.Rank(), world.Size()
	for range heatSize*(me+1)/n - heatSize*me/n + 2 {
		p.old, p.new = append(p.old, make([]float64, heatSize+2)), append(p.new, make([]float64, heatSize+2))
	}
	if me == 0 {
		for j := 1; j <= heatSize; j++ {
			p.old[0][j], p.new[0][j] = 100, 100
		}
	}
	return p
}

func (p *plate) halo(ctx context.Context) error {
	p.old, p.new = p.new, p.old
	me, last := p.world.Rank(), len(p.old)-2
	if me > 0 {
		if err := mpi.Send(ctx, p.world, me-1, 2, p.old[1]); err != nil {
			return err
		}
	}
	if me < p.world.Size()-1 {
		if err := mpi.Send(ctx, p.world, me+1, 1, p.old[last]); err != nil {
			return err
		}
		if _, err := mpi.Recv(ctx, p.world, me+1, 2, p.old[last+1]); err != nil {
			return err
		}
	}
	if me > 0 {
		_, err := mpi.Recv(ctx, p.world, me-1, 1, p.old[0])
		return err
	}
	return nil
}

func (p *plate) step() {
	for i := 1; i < len(p.old)-1; i++ {
		up, row, down := p.old[i-1], p.old[i], p.old[i+1]
		for j := 1; j <= heatSize; j++ {
			p.new[i][j] = ((up[j] + down[j]) + (row[j-1] + row[j+1])) * 0.25
		}
	}
}

func (p *plate) change() float64 {
	most := 0.0
	for i := 1; i < len(p.old)-1; i++ {
		for j := range p.old[i] {
			most = max(most, math.Abs(p.new[i][j]-p.old[i][j]))
		}
	}
	return most
}

// tell brings the plate together at rank 0, which prints what heat it has.
func (p *plate) tell(ctx context.Context, change float64) error {
	sum, me, n := 0.0, p.world.Rank(), p.world.Size()
	for _, row := range p.new[1 : len(p.new)-1] {
		for _, v := range row[1 : heatSize+1] {
			sum += v
		}
		if me > 0 {
			if err := mpi.Send(ctx, p.world, 0, 3, row[1:heatSize+1]); err != nil {
				return err
			}
		}
	}
	if me > 0 {
		return nil
	}
	for rank := 1; rank < n; rank++ {
		for range heatSize*(rank+1)/n - heatSize*rank/n {
			row := make([]float64, heatSize)
			if _, err := mpi.Recv(ctx, p.world, rank, 3, row); err != nil {
				return err
			}
			for _, v := range row {
				sum += v
			}
		}
	}
	fmt.Printf("%d x %d, %d steps: heat %.17g, last change %.17g\n", heatSize, heatSize, heatSteps, sum, change)
	return nil
}

// One program in three languages has one answer, to the bit, however many ranks of
// each there are.
func TestHeat(t *testing.T) {
	size, steps := fmt.Sprint(heatSize), fmt.Sprint(heatSteps)
	inGo, inC, inPython := goRank("heat"), guest(compiled(t, "heat"), size, steps), guest(python(t), "testdata/heat.py", size, steps)
	var want string
	for _, c := range []struct {
		name  string
		ranks []rank
	}{
		{"Go", []rank{inGo}},
		{"Python", []rank{inPython}},
		{"C", []rank{inC, inC}},
		{"Go, C and Python", []rank{inGo, inC, inPython}},
		{"Python, Go, C and C", []rank{inPython, inGo, inC, inC}},
		{"C and Python", []rank{inC, inPython, inC}},
	} {
		all := play(t, c.ranks...)
		for r, e := range all {
			if e.code != 0 || !e.Finalized {
				t.Errorf("%s: rank %d ended with %d, %+v\n%s", c.name, r, e.code, e.Ending, e.output)
			}
		}
		if want == "" {
			want = all[0].output
		}
		if !strings.Contains(want, "24 x 24, 60 steps: heat ") || all[0].output != want {
			t.Errorf("%s: %q, not %q", c.name, all[0].output, want)
		}
	}
}
