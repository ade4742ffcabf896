package mesh

import (
	"context"
	"slices"
	"testing"

	"golang.org/x/sync/errgroup"
)

// TestLazyLinks counts links: those that were needed, at both ends, and no other.
func TestLazyLinks(t *testing.T) {
	const size = 16
	places := slices.Repeat([]Place{{Host: "h"}}, size)
	dir := t.TempDir()
	var g [size]*Mesh
	var group errgroup.Group
	for r := range g {
		group.Go(func() (err error) {
			g[r], err = Join(t.Context(), Config{ID: "links", Rank: r, Size: size, Places: places, Dir: dir, Lazy: true})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	for r := range g {
		if n := len(g[r].linked()); n != 1 {
			t.Errorf("rank %d joined with %d links, wanted the one to itself", r, n)
		}
	}
	for r := range g {
		if err := g[r].Send(t.Context(), (r+1)%size, 0, []byte{1}); err != nil {
			t.Fatal(err)
		}
	}
	for r := range g {
		m, err := g[r].Recv(t.Context(), (r+size-1)%size, 0)
		if err != nil {
			t.Fatal(err)
		}
		m.Release()
		if n := len(g[r].linked()); n != 3 {
			t.Errorf("rank %d of a ring has %d links, wanted 3", r, n)
		}
	}
	for r := range g {
		group.Go(func() error { return g[r].Close(context.Background()) })
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
}
