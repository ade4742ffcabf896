package mpi

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"

	"github.com/capstan-run/capstan/shuffle/mesh"
)

// Program is what every rank runs.
type Program = func(ctx context.Context, world *Comm) error

// Local runs a program with so many ranks in this process, for tests and for
// what one machine can do. The error is that of the lowest rank that failed of
// itself, rather than because another had.
func Local(ctx context.Context, ranks int, program Program) error {
	places, hosts := make([]mesh.Place, ranks), make([]string, ranks)
	for r := range places {
		places[r].Process, hosts[r] = "local", "local"
	}
	hub, errs := new(mesh.Hub), make([]error, ranks)
	var wg sync.WaitGroup
	for rank := range ranks {
		wg.Go(func() {
			m, err := mesh.Join(ctx, mesh.Config{ID: "local", Rank: rank, Size: ranks, Places: places, Hub: hub})
			if err == nil {
				err = end(ctx, m, run(ctx, newWorld(m, hosts).comm(), program))
			}
			errs[rank] = err
		})
	}
	wg.Wait()
	return firstFault(errs)
}

// PanicError is that a program panicked.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// run runs the program of one rank.
func run(ctx context.Context, world *Comm, program Program) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{v, debug.Stack()}
		}
	}()
	return program(ctx, world)
}

// end leaves the mesh as the program ended.
func end(ctx context.Context, m *mesh.Mesh, err error) error {
	if err != nil {
		m.Abort()
		return err
	}
	return m.Close(ctx)
}

// firstFault is the error of the rank that failed, not of those it took along.
func firstFault(errs []error) error {
	var taken error
	for rank, err := range errs {
		_, along := Lost(err)
		switch {
		case err == nil:
		case !along && !errors.Is(err, context.Canceled):
			return fmt.Errorf("rank %d: %w", rank, err)
		case taken == nil:
			taken = fmt.Errorf("rank %d: %w", rank, err)
		}
	}
	return taken
}
