package mpi

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/capstan-run/capstan/core"
)

// Main is the main function of a program whose ranks a launcher starts:
// "capstan mpiexec", "capstan run", or any mpiexec that speaks the Process
// Management Interface. Started by none it is a world of one rank. It does not
// return: the exit code is 0, or that of the error's kind, and then the whole
// world ends.
func Main(program Program) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	os.Exit(serve(ctx, program))
}

func serve(ctx context.Context, program Program) int {
	w, err := Join(ctx)
	if err == nil {
		err = w.Leave(ctx, run(ctx, w.Comm, program))
	}
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, err)
	var known *core.Error
	if errors.As(err, &known) && known.Remedy != "" {
		fmt.Fprintln(os.Stderr, "  "+known.Remedy)
	}
	var panicked *PanicError
	if errors.As(err, &panicked) {
		os.Stderr.Write(panicked.Stack)
		return 2
	}
	return exitCode(err)
}
