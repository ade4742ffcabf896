package door

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// Main is the program of keepers, agents and spawners, of which name is one:
// mpi-keep, mpi-agent, mpi-spawn. It returns the exit code.
func Main(name string, args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	dir, _ := os.Getwd()
	s := Surroundings{Getenv: os.Getenv, In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Dir: dir}
	var code int
	var err error
	switch name {
	case "mpi-keep":
		code, err = Keep(ctx, args, s, os.Environ())
	case "mpi-agent":
		code, err = Agent(ctx, args, s)
	default:
		code, err = Spawn(ctx, args, s)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		code = max(code, 1)
	}
	return code
}
