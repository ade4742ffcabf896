// Command mpiplay is a native rank of "capstan bench mpi", by itself: a program
// as users write them, which starts in a tenth of the time of the binary that
// can do everything.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/capstan-run/capstan/benchmarks/mpi/rank"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: mpiplay PLAYER PREFIX")
		os.Exit(2)
	}
	if err := rank.Play(context.Background(), os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
