package mpi_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/capstan-run/capstan/frameworks/mpi"
)

// sizes are those at which every collective is held against the naive answer:
// one, powers of two, and others.
var sizes = []int{1, 2, 3, 5, 8}

func deadline(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// everywhere runs a program at every size.
func everywhere(t *testing.T, program mpi.Program) {
	t.Helper()
	for _, n := range sizes {
		t.Run(fmt.Sprint(n), func(t *testing.T) { must(t, mpi.Local(deadline(t), n, program)) })
	}
}

// same is an error where what came is not what was due.
func same[T comparable](what string, got, want []T) error {
	if !slices.Equal(got, want) {
		return fmt.Errorf("%s: got %v, want %v", what, got, want)
	}
	return nil
}

func TestRing(t *testing.T) {
	everywhere(t, func(ctx context.Context, world *mpi.Comm) error {
		n, me := world.Size(), world.Rank()
		token := []int{me}
		if err := mpi.Send(ctx, world, (me+1)%n, 7, token); err != nil {
			return err
		}
		s, err := mpi.Recv(ctx, world, (me+n-1)%n, 7, token)
		if err != nil {
			return err
		}
		if want := (mpi.Status{Source: (me + n - 1) % n, Tag: 7, Count: 1}); s != want {
			return fmt.Errorf("status %+v, want %+v", s, want)
		}
		return same("token", token, []int{(me + n - 1) % n})
	})
}

func TestMismatchesAreRefused(t *testing.T) {
	must(t, mpi.Local(deadline(t), 1, func(ctx context.Context, world *mpi.Comm) error {
		for _, c := range []struct {
			want string
			recv func() error
		}{
			{"rank 0 of world: receive from rank 0, tag 3: the sender's elements are float64 of 8 bytes, the receiver's int32 of 4",
				func() error { _, err := mpi.Recv(ctx, world, 0, 3, make([]int32, 9)); return err }},
			{"rank 0 of world: receive from rank 0, tag 3: truncated: 3 elements were sent, there is room for 2",
				func() error { _, err := mpi.Recv(ctx, world, 0, 3, make([]float64, 2)); return err }},
			{"rank 0 of world: receive: rank 9 of world, which has ranks 0 to 0",
				func() error { _, err := mpi.Recv(ctx, world, 9, 3, make([]float64, 3)); return err }},
			{"rank 0 of world: send: tag -1, from 0 to 1048575 are possible",
				func() error { return mpi.Send(ctx, world, 0, -1, []byte{1}) }},
			{"rank 0 of world: send: the elements have pointers, so their memory means nothing to another rank",
				func() error { return mpi.Send(ctx, world, 0, 1, []string{"a"}) }},
		} {
			if err := mpi.Send(ctx, world, 0, 3, []float64{1, 2, 3}); err != nil {
				return err
			}
			if err := c.recv(); err == nil || err.Error() != c.want {
				return fmt.Errorf("got %v\nwant %s", err, c.want)
			}
		}
		return nil
	}))
}

// TestOneFailure: the rank that failed is named, and the others are told who is
// gone.
func TestOneFailure(t *testing.T) {
	boom := errors.New("boom")
	told := make(chan int, 3)
	err := mpi.Local(deadline(t), 3, func(ctx context.Context, world *mpi.Comm) error {
		if world.Rank() == 1 {
			return boom
		}
		err := world.Barrier(ctx)
		if rank, ok := mpi.Lost(err); ok {
			told <- rank
		}
		return err
	})
	if !errors.Is(err, boom) || err.Error() != "rank 1: boom" {
		t.Errorf("the error is %v", err)
	}
	if len(told) == 0 {
		t.Error("nobody was told of the lost rank")
	}
}

func TestPanicIsAnError(t *testing.T) {
	err := mpi.Local(deadline(t), 2, func(ctx context.Context, world *mpi.Comm) error {
		if world.Rank() == 1 {
			panic("out of ideas")
		}
		return world.Barrier(ctx)
	})
	var p *mpi.PanicError
	if !errors.As(err, &p) || p.Value != "out of ideas" || len(p.Stack) == 0 {
		t.Errorf("the error is %v", err)
	}
}
