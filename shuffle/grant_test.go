package shuffle_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/capstan-run/capstan/shuffle"
	"github.com/capstan-run/capstan/shuffle/partition"
)

// stored writes objects of some partitions into a store and nowhere else.
func stored(t *testing.T, o *objects, n, parts int) []*shuffle.Index {
	t.Helper()
	var words []string
	for i := range 400 * parts {
		words = append(words, fmt.Sprint("word ", i))
	}
	dir := t.TempDir()
	var out []*shuffle.Index
	for i := range n {
		name := fmt.Sprint("object-", i)
		out = append(out, commit(t, filepath.Join(dir, name), pairSchema, &partition.RoundRobin{Partitions: parts}, parts,
			shuffle.PartitionedOptions{Durability: shuffle.DurableStore, Objects: o, Object: "bucket/" + name}, pairs(words...)))
	}
	return out
}

// spansOf is one partition of every object.
func spansOf(in []*shuffle.Index, p int) []shuffle.Span {
	out := make([]shuffle.Span, len(in))
	for i, x := range in {
		out[i] = shuffle.Span{Index: x, Lo: p, Hi: p + 1}
	}
	return out
}

func closeEach(all [][]*shuffle.PartitionReader) {
	for _, readers := range all {
		for _, r := range readers {
			r.Close()
		}
	}
}

// TestReadersStayWithinTheBound: many consumers, each with several objects to
// open, and a bound that is enough for two of them: all finish, and never is
// more held (law X11).
func TestReadersStayWithinTheBound(t *testing.T) {
	const parts = 12
	var m shuffle.Metrics
	var most atomic.Int64
	o := &objects{dir: t.TempDir(), read: func(int64) { most.Store(max(most.Load(), m.Held.Load())) }}
	in := stored(t, o, 3, parts)
	one := int64(0)
	for p := range parts {
		sum := int64(0)
		for _, x := range in {
			sum += x.Partitions[p].Length
		}
		one = max(one, sum)
	}
	src := &shuffle.Source{Objects: o, Metrics: &m, InFlight: 2*one + one/2}
	var rows atomic.Int64
	var wg sync.WaitGroup
	for p := range parts {
		wg.Go(func() {
			all, err := src.OpenAll(t.Context(), spansOf(in, p))
			if err != nil {
				t.Error(err)
				return
			}
			for _, readers := range all {
				hashesOf(t, readers)
				rows.Add(readers[0].Rows())
			}
		})
	}
	wg.Wait()
	if want := int64(3 * 400 * parts); rows.Load() != want {
		t.Errorf("%d rows, want %d", rows.Load(), want)
	}
	if got := most.Load(); got > src.InFlight || got < one {
		t.Errorf("%d bytes held at most, bound %d, a consumer needs %d", got, src.InFlight, one)
	}
	if m.Held.Load() != 0 {
		t.Errorf("%d bytes held after all", m.Held.Load())
	}
}

// TestSlowConsumerHoldsOthersBack: who comes later waits until a slow one is
// done, also one that needs more than there is; who gives up waiting has
// nothing, and costs nobody anything.
func TestSlowConsumerHoldsOthersBack(t *testing.T) {
	var m shuffle.Metrics
	o := &objects{dir: t.TempDir()}
	in := stored(t, o, 2, 2)
	synctest.Test(t, func(t *testing.T) {
		src := &shuffle.Source{Objects: o, Metrics: &m, InFlight: in[0].Partitions[0].Length}
		slow, err := src.OpenAll(t.Context(), spansOf(in, 0)) // twice the bound: alone it may
		if err != nil {
			t.Fatal(err)
		}
		gone := errors.New("gone")
		ctx, cancel := context.WithCancelCause(t.Context())
		var refused error
		go func() { _, refused = src.OpenAll(ctx, spansOf(in, 1)) }()
		var next [][]*shuffle.PartitionReader
		go func() { next, _ = src.OpenAll(t.Context(), spansOf(in, 1)) }()
		synctest.Wait()
		if next != nil || refused != nil {
			t.Fatal("opened beyond the bound")
		}
		cancel(gone)
		synctest.Wait()
		if !errors.Is(refused, gone) {
			t.Errorf("%v, want why it gave up", refused)
		}
		slow[0][0].Close()
		synctest.Wait()
		if next != nil {
			t.Error("opened while the slow one holds the half")
		}
		slow[1][0].Close()
		synctest.Wait()
		if next == nil {
			t.Fatal("still waits when all is free")
		}
		closeEach(next)
		if m.Held.Load() != 0 {
			t.Errorf("%d bytes held after all", m.Held.Load())
		}
	})
}

// TestMappedBytesAreOutsideTheBound: a source of local files and memory asks
// for nothing.
func TestMappedBytesAreOutsideTheBound(t *testing.T) {
	dir := t.TempDir()
	in := largeTasks(t, dir, 2, 1)
	src := &shuffle.Source{Local: []string{dir}, InFlight: 1}
	var open [][]*shuffle.PartitionReader
	for range 3 { // each alone is beyond it
		all, err := src.OpenAll(t.Context(), spansOf(in, 0))
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, all...)
	}
	closeEach(open)
}
