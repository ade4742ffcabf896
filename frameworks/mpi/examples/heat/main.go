// Command heat solves the heat equation on a square plate, and draws it:
//
//	capstan mpiexec -n 4 ./heat [N [STEPS [FILE [PICTURE]]]]
//
// The plate has N x N points, 64 unless it is said; its upper edge is kept at 100
// degrees, the others at 0. In every step a point becomes the mean of its four
// neighbours. Each rank has some of the rows, and before each step gives its first
// and last to its neighbours (a halo exchange). FILE gets the points, 8 bytes each,
// row by row; PICTURE is a PNG.
//
// The same program is there in C with MPICH (mpich/heat.c), and in Python and in C
// over Capstan's own protocol (frameworks/mpi/exec/testdata). They have the same
// answer, to the bit, with any number of ranks: a point's sum is taken in the same
// order everywhere.
package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"strconv"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/mpi"
)

func main() {
	mpi.Main(func(ctx context.Context, world *mpi.Comm) error { return run(ctx, world, os.Args[1:]) })
}

func run(ctx context.Context, world *mpi.Comm, args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	if o.size < world.Size() {
		return core.Errorf(core.Invalid, "%d rows for %d ranks", o.size, world.Size()).Do("give each rank a row at least")
	}
	p := newPlate(world, o.size)
	for range o.steps {
		if err := p.step(ctx); err != nil {
			return err
		}
	}
	change := []float64{p.change()}
	if err := mpi.Allreduce(ctx, world, change, mpi.Max); err != nil {
		return err
	}
	points, err := p.gather(ctx)
	if err != nil || world.Rank() != 0 {
		return err
	}
	heat := 0.0
	for _, v := range points {
		heat += v
	}
	fmt.Printf("%d x %d, %d steps: heat %.17g, last change %.17g\n", o.size, o.size, o.steps, heat, change[0])
	return o.write(points)
}

// options is what the command line says.
type options struct {
	size, steps   int
	file, picture string // "": none
}

func parse(args []string) (options, error) {
	o := options{size: 64, steps: 100}
	for i, a := range args {
		var err error
		switch i {
		case 0:
			o.size, err = strconv.Atoi(a)
		case 1:
			o.steps, err = strconv.Atoi(a)
		case 2:
			o.file = a
		case 3:
			o.picture = a
		}
		if err != nil || i > 3 || o.size < 1 || o.steps < 1 {
			return o, core.Errorf(core.Invalid, "%q is no argument %d of heat", a, i+1).Do("heat [N [STEPS [FILE [PICTURE]]]], N and STEPS from 1 on")
		}
	}
	return o, nil
}

func (o options) write(points []float64) error {
	if o.file != "" {
		b := make([]byte, 0, 8*len(points))
		b, err := binary.Append(b, binary.NativeEndian, points)
		if err != nil {
			return err
		}
		if err := os.WriteFile(o.file, b, 0o644); err != nil {
			return err
		}
	}
	if o.picture == "" {
		return nil
	}
	return draw(o.picture, points, o.size)
}
