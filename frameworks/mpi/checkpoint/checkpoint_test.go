package checkpoint_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/capstan-run/capstan/frameworks/mpi"
	"github.com/capstan-run/capstan/frameworks/mpi/checkpoint"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// read reads the last checkpoint as a text.
func read(ctx context.Context, p *checkpoint.Place, c *mpi.Comm) (string, error) {
	var text []byte
	n, found, err := p.Read(ctx, c, func(r io.Reader) (err error) {
		text, err = io.ReadAll(r)
		return err
	})
	return fmt.Sprint(n, " ", found, " ", string(text)), err
}

func write(ctx context.Context, p *checkpoint.Place, c *mpi.Comm, n int64) error {
	return p.Write(ctx, c, n, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "rank %d at %d", c.Rank(), n)
		return err
	})
}

// TestWriteAndRead: what is read is the last checkpoint that all wrote.
func TestWriteAndRead(t *testing.T) {
	for _, size := range []int{1, 2, 3} {
		dir := t.TempDir()
		err := mpi.Local(t.Context(), size, func(ctx context.Context, world *mpi.Comm) error {
			p := checkpoint.In(dir)
			if got, err := read(ctx, p, world); got != "0 false " || err != nil {
				return fmt.Errorf("before any: %q, %v", got, err)
			}
			for n := range int64(3) {
				if err := write(ctx, p, world, n); err != nil {
					return err
				}
			}
			boom := errors.New("boom")
			err := p.Write(ctx, world, 3, func(w io.Writer) error {
				if world.Rank() == size-1 {
					return boom
				}
				return nil
			})
			if err == nil || world.Rank() == size-1 && !errors.Is(err, boom) {
				return fmt.Errorf("a failed checkpoint: %v", err)
			}
			if got, err := read(ctx, p, world); got != fmt.Sprintf("2 true rank %d at 2", world.Rank()) || err != nil {
				return fmt.Errorf("read %q, %v", got, err)
			}
			return world.Barrier(ctx)
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(dir, "1")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("checkpoint 1 is still there: %v", err)
		}
	}
}

func TestDamaged(t *testing.T) {
	dir := t.TempDir()
	run := func(size int) error {
		return mpi.Local(t.Context(), size, func(ctx context.Context, world *mpi.Comm) error {
			_, err := read(ctx, checkpoint.In(dir), world)
			if err == nil {
				return fmt.Errorf("rank %d read it", world.Rank())
			}
			if world.Rank() == 1 || size == 3 {
				return err
			}
			return nil
		})
	}
	if err := mpi.Local(t.Context(), 2, func(ctx context.Context, world *mpi.Comm) error {
		return write(ctx, checkpoint.In(dir), world, 4)
	}); err != nil {
		t.Fatal(err)
	}
	if err := run(3); err == nil || !strings.Contains(err.Error(), "the checkpoint is of 2 ranks, and these are 3") {
		t.Errorf("with another number of ranks: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "4", "rank-1"), []byte("rank 1 at 5"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(2); err == nil || !strings.Contains(err.Error(), "the part of rank 1 in checkpoint 4 is not what was written") {
		t.Errorf("with a part changed: %v", err)
	}
}

func TestNoJob(t *testing.T) {
	t.Setenv("CAPSTAN_MPI", "")
	if _, err := checkpoint.OfJob(); err == nil {
		t.Error("a process that is no rank has a store")
	}
}
