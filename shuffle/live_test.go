package shuffle_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"pgregory.net/rapid"

	"github.com/capstan-run/capstan/shuffle"
	"github.com/capstan-run/capstan/shuffle/block/blocktest"
	"github.com/capstan-run/capstan/shuffle/partition"
)

// follower reads one partition as far as it goes without waiting.
type follower struct {
	r    *shuffle.LiveReader
	src  *shuffle.Source
	rows []string
	held []arrow.Record // retained: their credit is not the producer's
	wait bool           // it may wait for the producer
}

func follow(t failer, l *shuffle.Live, src *shuffle.Source, p int) *follower {
	r, err := l.Reader(src, p)
	if err != nil {
		t.Fatal(err)
	}
	return &follower{r: r, src: src}
}

// errNothing is why a reader that may not wait has nothing.
var errNothing = errors.New("nothing to read yet")

// step reads one record, if there is one now.
func (f *follower) step(t failer, hold bool) bool {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	if !f.wait {
		cancel(errNothing)
	}
	rec, err := f.r.Next(ctx)
	switch {
	case errors.Is(err, errNothing), errors.Is(err, io.EOF):
		return false
	case err != nil:
		t.Fatal(err)
	}
	f.rows = append(f.rows, split(rec)...)
	if hold {
		rec.Retain()
		f.held = append(f.held, rec)
	}
	return true
}

func (f *follower) close() {
	for _, rec := range f.held {
		rec.Release()
	}
	f.r.Close()
}

// haveCommitted reads all to their ends: the one of each partition has the rows
// of the committed object.
func haveCommitted(t failer, all []*follower, src *shuffle.Source, idx *shuffle.Index) {
	t.Helper()
	for p, f := range all {
		want, err := rowsOf(src, idx, p)
		if err != nil {
			t.Fatal(err)
		}
		for f.wait = true; f.step(t, false); {
		}
		if !slices.Equal(f.rows, want) {
			t.Fatalf("partition %d: %d rows, committed are %d", p, len(f.rows), len(want))
		}
		f.close()
	}
}

// TestLiveReadsWhatIsCommitted: whatever the budget, the codec, the credit, and
// when a consumer reads how much and what it holds on to, it has the rows of
// the committed partition, each once, in their order (law L2). One goroutine
// is producer and consumers: nothing in it waits (laws L1 and L3).
func TestLiveReadsWhatIsCommitted(t *testing.T) {
	dir, round, early := t.TempDir(), 0, 0
	rapid.Check(t, func(t *rapid.T) {
		round++
		parts := rapid.IntRange(1, 4).Draw(t, "partitions")
		live := shuffle.NewLive(parts, int64(rapid.SampledFrom([]int{0, 3000, 1 << 20}).Draw(t, "credit")))
		src := &shuffle.Source{Local: []string{dir}}
		var all []*follower
		for p := range parts {
			all = append(all, follow(t, live, src, p))
		}
		o := shuffle.PartitionedOptions{Budget: int64(rapid.SampledFrom([]int{3000, 9000, 1 << 20}).Draw(t, "budget")), Live: live}
		o.Codec = rapid.SampledFrom([]string{"", "lz4"}).Draw(t, "codec")
		path := filepath.Join(dir, fmt.Sprint("object-", round))
		w, err := shuffle.NewPartitionedWriter(path, pairSchema, &partition.RoundRobin{Partitions: parts}, parts, o)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Abort()
		for range rapid.IntRange(0, 6).Draw(t, "records") {
			if err := w.Write(blocktest.DrawRecord(t, memory.DefaultAllocator, pairSchema, 200)); err != nil {
				t.Fatal(err)
			}
			f := all[rapid.IntRange(0, parts-1).Draw(t, "who")]
			hold := rapid.Bool().Draw(t, "hold")
			for range rapid.IntRange(0, 3).Draw(t, "steps") {
				if f.step(t, hold) {
					early++
				}
			}
		}
		idx, err := w.Commit(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		haveCommitted(t, all, src, idx)
	})
	if early == 0 {
		t.Error("in no round was anything read before the commit")
	}
}

// manyRuns writes n records, each a run of its own.
func manyRuns(t *testing.T, w *shuffle.PartitionedWriter, n int) {
	t.Helper()
	for range n {
		if err := w.Write(pairs(strings.Fields(strings.Repeat("run after run ", 30))...)); err != nil {
			t.Fatal(err)
		}
	}
}

func newLiveWriter(t *testing.T, dir string, live *shuffle.Live) *shuffle.PartitionedWriter {
	t.Helper()
	w, err := shuffle.NewPartitionedWriter(filepath.Join(dir, "object"), pairSchema, partition.First{}, 2, shuffle.PartitionedOptions{Budget: 2000, Live: live})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// TestLiveProducerPassesASlowConsumer: on one thread, a consumer holds the
// first run and waits for the producer's end before it reads on; another has
// gone. The producer commits, and the slow one has all rows.
func TestLiveProducerPassesASlowConsumer(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		live := shuffle.NewLive(2, 5000)
		src := &shuffle.Source{Local: []string{dir}}
		slow, gone := follow(t, live, src, 0), follow(t, live, src, 1)
		gone.close()
		w := newLiveWriter(t, dir, live)
		defer w.Abort()
		committed := make(chan struct{})
		rows := int64(0)
		go func() {
			rec, err := slow.r.Next(t.Context()) // waits for the first run
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := os.Stat(filepath.Join(dir, "object")); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the first run came with the commit: %v", err)
			}
			rec.Retain()
			defer rec.Release()
			<-committed
			for rows = rec.NumRows(); ; rows += rec.NumRows() {
				if rec, err = slow.r.Next(t.Context()); err != nil {
					break
				}
			}
			if !errors.Is(err, io.EOF) {
				t.Error(err)
			}
		}()
		synctest.Wait()
		manyRuns(t, w, 2)
		synctest.Wait()
		manyRuns(t, w, 40)
		idx, err := w.Commit(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		close(committed)
		synctest.Wait()
		if want := idx.Rows(); rows != want {
			t.Errorf("%d rows, want %d", rows, want)
		}
		slow.close()
	})
}

// TestLiveAbort: who waits for a producer that fails is told, and so is who
// comes later.
func TestLiveAbort(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		live := shuffle.NewLive(2, 1<<20)
		f := follow(t, live, &shuffle.Source{Local: []string{dir}}, 0)
		w := newLiveWriter(t, dir, live)
		manyRuns(t, w, 3)
		if !f.step(t, true) {
			t.Fatal("no run before the end")
		}
		for f.step(t, false) {
		}
		var err error
		go func() { _, err = f.r.Next(t.Context()) }()
		synctest.Wait()
		if err != nil {
			t.Fatalf("does not wait: %v", err)
		}
		w.Abort()
		synctest.Wait()
		if !errors.Is(err, shuffle.ErrAborted) {
			t.Errorf("%v, want that the producer ended", err)
		}
		f.close()
		late := follow(t, live, new(shuffle.Source), 1)
		if _, err := late.r.Next(t.Context()); !errors.Is(err, shuffle.ErrAborted) {
			t.Errorf("%v, want that the producer ended", err)
		}
	})
}

// TestLiveRefuses what has no live side, and a second reader.
func TestLiveRefuses(t *testing.T) {
	dir, src := t.TempDir(), new(shuffle.Source)
	live := shuffle.NewLive(2, 1)
	follow(t, live, src, 0)
	for _, p := range []int{0, -1, 2} {
		if _, err := live.Reader(src, p); err == nil {
			t.Errorf("partition %d has a reader more", p)
		}
	}
	for _, by := range []partition.Partitioner{partition.Everywhere{}, partition.First{}} {
		if w, err := shuffle.NewPartitionedWriter(filepath.Join(dir, "object"), pairSchema, by, 3, shuffle.PartitionedOptions{Live: live}); err == nil {
			w.Abort()
			t.Errorf("%T with a live side of another size", by)
		}
	}
	two := shuffle.NewLive(2, 1)
	if w, err := shuffle.NewPartitionedWriter(filepath.Join(dir, "object"), pairSchema, partition.Everywhere{}, 2, shuffle.PartitionedOptions{Live: two}); err == nil {
		w.Abort()
		t.Error("a broadcast has a live side")
	}
}
