package mpi_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/capstan-run/capstan/frameworks/mpi"
	"github.com/capstan-run/capstan/frameworks/mpi/waits"
)

// TestDeadlock: ranks that wait for each other are a cycle, with what each does.
func TestDeadlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		worlds, done := make(chan *mpi.Comm, 4), make(chan error, 1)
		go func() {
			done <- mpi.Local(ctx, 4, func(ctx context.Context, world *mpi.Comm) error {
				worlds <- world
				var err error
				switch world.Rank() {
				case 0:
					_, err = mpi.Recv(ctx, world, 2, 7, []int{0})
				case 1:
					err = mpi.Ssend(ctx, world, 0, 3, []int{0})
				case 2:
					err = world.Barrier(ctx)
				case 3:
					if _, err = world.Ibarrier(ctx); err == nil { // holds nobody up
						<-ctx.Done()
					}
				}
				return errors.Join(err, ctx.Err())
			})
		}()
		synctest.Wait()
		all := map[int]waits.Wait{}
		for range 4 {
			w := <-worlds
			if x, ok := w.Waits(); ok {
				all[w.Rank()] = x
			}
		}
		for rank, want := range map[int]string{0: "Recv from rank 2, tag 7", 1: "Send to rank 0, tag 3", 2: "Barrier for rank 1"} {
			if got := all[rank].String(); got != want {
				t.Errorf("rank %d waits as %q, want %q", rank, got, want)
			}
		}
		if _, ok := all[3]; ok {
			t.Errorf("rank 3 waits: %v", all[3])
		}
		if got := waits.Cycle(all); fmt.Sprint(got) != "[0 2 1]" {
			t.Errorf("the cycle is %v", got)
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("it ended with %v", err)
		}
	})
}
