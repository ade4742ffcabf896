package checkpoint_test

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/capstan-run/capstan/frameworks/mpi"
	"github.com/capstan-run/capstan/frameworks/mpi/checkpoint"
)

// A program goes on from the step that its ranks wrote last.
func Example() {
	dir, err := os.MkdirTemp("", "checkpoint-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	place := checkpoint.In(dir) // in a job: checkpoint.OfJob()
	program := func(ctx context.Context, world *mpi.Comm) error {
		total := 0
		step, found, err := place.Read(ctx, world, func(r io.Reader) error {
			_, err := fmt.Fscan(r, &total)
			return err
		})
		if err != nil {
			return err
		}
		if world.Rank() == 0 && found {
			fmt.Println("from step", step, "with", total)
		}
		for range 2 {
			step++
			total += int(step)
			if err := place.Write(ctx, world, step, func(w io.Writer) error {
				_, err := fmt.Fprint(w, total)
				return err
			}); err != nil {
				return err
			}
		}
		return nil
	}
	for range 2 { // the second start finds what the first wrote
		if err := mpi.Local(context.Background(), 2, program); err != nil {
			fmt.Println(err)
		}
	}
	// Output: from step 2 with 3
}
