package mpi_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/capstan-run/capstan/frameworks/mpi"
)

func TestPutGetFence(t *testing.T) {
	everywhere(t, windows)
}

// windows uses every call of a window.
func windows(ctx context.Context, world *mpi.Comm) error {
	n, me := world.Size(), world.Rank()
	memory := make([]int64, 2*n+1010)
	w, err := mpi.NewWindow(ctx, world, memory, func(into, from []int64) {
		for i := range into {
			into[i] = 10*into[i] + from[i]
		}
	})
	if err != nil {
		return err
	}
	right := (me + 1) % n
	for r := range n {
		if err := w.Put(ctx, r, me, []int64{int64(100 + me)}); err != nil {
			return err
		}
		if err := w.Accumulate(ctx, r, n, []int64{int64(me + 1)}, mpi.Add); err != nil {
			return err
		}
	}
	if err := w.Put(ctx, right, 2*n+10, values(me, 1000)); err != nil {
		return err
	}
	if err := w.Fence(ctx); err != nil {
		return err
	}
	for r := range n {
		if memory[r] != int64(100+r) {
			return fmt.Errorf("rank %d put %d", r, memory[r])
		}
	}
	if want := int64(n * (n + 1) / 2); memory[n] != want {
		return fmt.Errorf("accumulated %d, want %d", memory[n], want)
	}
	got := make([]int64, 1000)
	if err := w.Get(ctx, right, 2*n+10, got); err != nil {
		return err
	}
	if err := same("got", got, values(me, 1000)); err != nil {
		return err
	}
	if err := locks(ctx, w, n, me); err != nil {
		return err
	}
	if err := exposure(ctx, w, memory, n, me); err != nil {
		return err
	}
	if err := w.Put(ctx, right, 2*n+1009, []int64{1, 2}); err != nil {
		return err
	}
	if err := w.Flush(ctx, right); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("elements %d to %d of a window of %d", 2*n+1009, 2*n+1010, 2*n+1010)) {
		return fmt.Errorf("beyond the window: %v", err)
	}
	if err := w.Unlock(ctx, me); err == nil {
		return fmt.Errorf("unlocked what was not locked")
	}
	return w.Free(ctx)
}

// locks adds to rank 0's memory by reading and writing it under a lock, and by
// operations that need none.
func locks(ctx context.Context, w *mpi.Window[int64], n, me int) error {
	const rounds = 20
	for range rounds {
		if err := w.Lock(ctx, 0, false); err != nil {
			return err
		}
		x := []int64{0}
		if err := w.Get(ctx, 0, n+1, x); err != nil {
			return err
		}
		x[0]++
		if err := w.Put(ctx, 0, n+1, x); err != nil {
			return err
		}
		if err := w.Unlock(ctx, 0); err != nil {
			return err
		}
		if err := w.LockAll(ctx); err != nil {
			return err
		}
		for swapped := false; !swapped; {
			was, err := w.FetchOp(ctx, 0, n+2, 0, mpi.Add)
			if err != nil {
				return err
			}
			now, err := w.CompareSwap(ctx, 0, n+2, was, was+2)
			if err != nil {
				return err
			}
			swapped = now == was
		}
		if err := w.UnlockAll(ctx); err != nil {
			return err
		}
	}
	if err := w.Fence(ctx); err != nil {
		return err
	}
	x := make([]int64, 2)
	if err := w.Get(ctx, 0, n+1, x); err != nil {
		return err
	}
	if want := int64(rounds * n); x[0] != want || x[1] != 2*want {
		return fmt.Errorf("counted %v, want %d and twice that", x, want)
	}
	return w.Fence(ctx)
}

// exposure lets the rank before this one write here.
func exposure(ctx context.Context, w *mpi.Window[int64], memory []int64, n, me int) error {
	memory[0] = 3
	if err := w.Post(ctx, (me+n-1)%n); err != nil {
		return err
	}
	if err := w.Start(ctx, (me+1)%n); err != nil {
		return err
	}
	if err := w.Accumulate(ctx, (me+1)%n, 0, []int64{int64(me)}, mpi.Custom(0)); err != nil {
		return err
	}
	if err := w.Complete(ctx); err != nil {
		return err
	}
	if err := w.Wait(ctx); err != nil {
		return err
	}
	if want := int64(30 + (me+n-1)%n); memory[0] != want {
		return fmt.Errorf("%d was written here, want %d", memory[0], want)
	}
	return nil
}
