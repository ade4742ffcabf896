package shuffle_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/capstan-run/capstan/shuffle"
	"github.com/capstan-run/capstan/shuffle/block/blocktest"
	"github.com/capstan-run/capstan/shuffle/mesh"
	"github.com/capstan-run/capstan/shuffle/partition"
)

var (
	_ shuffle.Sender   = mesh.Line{}
	_ shuffle.Receiver = mesh.Line{}
)

// pipe is a link in this process.
type pipe chan []byte

func (p pipe) Send(ctx context.Context, b []byte) error {
	select {
	case p <- b:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (p pipe) Recv(ctx context.Context) ([]byte, error) {
	select {
	case b, ok := <-p:
		if !ok {
			return nil, io.EOF
		}
		return b, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// away is a consumer of some partitions, and what leads to it from a producer's
// live side, as if it had a process of its own.
type away struct {
	live      *shuffle.Live
	pipe      pipe
	announcer *shuffle.Announcer
	announced error // what Run
	followed  error // and Follow returned
}

func newAway(t failer, producer *shuffle.Live, parts, lo, hi int, credit int64) *away {
	t.Helper()
	a, err := producer.Announcer(lo, hi)
	if err != nil {
		t.Fatal(err)
	}
	return &away{live: shuffle.NewLive(parts, credit), pipe: make(pipe), announcer: a, announced: errNothing, followed: errNothing}
}

func (a *away) announce(ctx context.Context) {
	go func() { a.announced = a.announcer.Run(ctx, a.pipe) }()
}

func (a *away) follow(ctx context.Context, src *shuffle.Source) {
	go func() { a.followed = a.live.Follow(ctx, src, a.pipe, pairSchema) }()
}

// TestFollowReadsWhatIsCommitted: as TestLiveReadsWhatIsCommitted, with some
// partitions read in this process, and others in two that come early or late.
func TestFollowReadsWhatIsCommitted(t *testing.T) {
	early := 0
	for seed := range uint64(100) {
		dir := t.TempDir()
		synctest.Test(t, func(t *testing.T) { early += followOnce(t, dir, rand.New(rand.NewPCG(seed, 1))) })
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	if early == 0 {
		t.Error("in no round was anything read before the commit")
	}
}

func followOnce(t *testing.T, dir string, r *rand.Rand) (early int) {
	parts := 1 + r.IntN(5)
	credit := []int64{0, 3000, 1 << 20}[r.IntN(3)]
	src := &shuffle.Source{Local: []string{filepath.Join(dir, "none"), dir}}
	live := shuffle.NewLive(parts, credit)
	cuts := []int{r.IntN(parts + 1), r.IntN(parts + 1), parts}
	slices.Sort(cuts)
	var all []*follower
	var far, late []*away
	for p := range cuts[0] {
		all = append(all, follow(t, live, src, p))
	}
	for k := range 2 {
		a := newAway(t, live, parts, cuts[k], cuts[k+1], credit)
		for p := cuts[k]; p < cuts[k+1]; p++ {
			all = append(all, follow(t, a.live, src, p))
		}
		if far = append(far, a); r.IntN(5) == 0 {
			late = append(late, a)
			continue
		}
		a.announce(t.Context())
		a.follow(t.Context(), src)
	}
	o := shuffle.PartitionedOptions{Budget: []int64{3000, 9000, 1 << 20}[r.IntN(3)], Live: live}
	o.Codec = []string{"", "lz4"}[r.IntN(2)]
	w, err := shuffle.NewPartitionedWriter(filepath.Join(dir, "object"), pairSchema, &partition.RoundRobin{Partitions: parts}, parts, o)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	for range r.IntN(7) {
		if err := w.Write(blocktest.Record(memory.DefaultAllocator, pairSchema, r.IntN(200), 0.1, r.Uint64())); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		f, hold := all[r.IntN(parts)], r.IntN(2) == 0
		for range r.IntN(4) {
			if f.step(t, hold) {
				early++
			}
		}
	}
	idx, err := w.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range late {
		a.announce(t.Context())
		a.follow(t.Context(), src)
	}
	haveCommitted(t, all, src, idx)
	synctest.Wait()
	for _, a := range far {
		if a.announced != nil || a.followed != nil {
			t.Fatalf("ended with %v, %v", a.announced, a.followed)
		}
	}
	if got := names(t, dir); !slices.Equal(got, []string{"object"}) {
		t.Fatalf("left behind: %v", got)
	}
	return early
}

// large is a record whose messages are mapped and not read.
func large() arrow.Record { return pairs(slices.Repeat([]string{strings.Repeat("w", 4000)}, 300)...) }

// producer is a producer of two partitions, the first of which is read away,
// with one run of each kind of size behind it.
func producer(t *testing.T, dir string) (*shuffle.PartitionedWriter, *away, *follower) {
	t.Helper()
	o := shuffle.PartitionedOptions{Budget: 2000, Live: shuffle.NewLive(2, 1<<30)}
	a := newAway(t, o.Live, 2, 0, 1, 1<<30)
	src := &shuffle.Source{Local: []string{dir}, Metrics: new(shuffle.Metrics)}
	f := follow(t, a.live, src, 0)
	a.announce(t.Context())
	a.follow(t.Context(), src)
	w, err := shuffle.NewPartitionedWriter(filepath.Join(dir, "object"), pairSchema, partition.First{}, 2, o)
	if err != nil {
		t.Fatal(err)
	}
	manyRuns(t, w, 2)
	for _, rec := range []arrow.Record{large(), pairs("last")} {
		if err := w.Write(rec); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Wait()
	return w, a, f
}

// spillIn returns the path of the one spill file in dir, and fails without.
func spillIn(t *testing.T, dir string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, ".spill-*"))
	if err != nil || len(found) != 1 {
		t.Fatalf("spill files %v, %v; want one", found, err)
	}
	return found[0]
}

// TestFollowedProducerIsGone: one that aborts, one whose link ends, one that
// says what makes no sense. The reader is told in each case, and no spill file
// keeps its name.
func TestFollowedProducerIsGone(t *testing.T) {
	for name, end := range map[string]func(*shuffle.PartitionedWriter, *away){
		"aborts":   func(w *shuffle.PartitionedWriter, _ *away) { w.Abort() },
		"is lost":  func(_ *shuffle.PartitionedWriter, a *away) { close(a.pipe) },
		"babbles":  func(_ *shuffle.PartitionedWriter, a *away) { a.pipe <- []byte("hello") },
		"is empty": func(_ *shuffle.PartitionedWriter, a *away) { a.pipe <- nil },
		"repeats":  func(_ *shuffle.PartitionedWriter, a *away) { a.pipe <- []byte{1, 1} },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				w, a, f := producer(t, dir)
				if !f.step(t, true) {
					t.Fatal("nothing to read before the end")
				}
				spillIn(t, dir)
				end(w, a)
				synctest.Wait()
				if _, err := f.r.Next(t.Context()); !errors.Is(err, shuffle.ErrAborted) {
					t.Errorf("read %v, want that the producer ended", err)
				}
				if !errors.Is(a.followed, shuffle.ErrAborted) {
					t.Errorf("followed %v, want that the producer ended", a.followed)
				}
				if left := names(t, dir); len(left) > 0 {
					t.Errorf("left behind: %v", left)
				}
				f.close()
				if name != "is lost" { // else its announcer has nobody to tell
					w.Abort()
				}
			})
		})
	}
}

// TestFollowSpoiledRun: of four runs the second is damaged in the spill file, or
// the large third, or the file is cut short, or gone, while the consumer reads.
// It has the runs before, and the rest of the object (law L5).
func TestFollowSpoiledRun(t *testing.T) {
	for name, c := range map[string]struct {
		spoil   func(b []byte) []byte
		reads   int // before the commit
		corrupt int64
	}{
		"small": {func(b []byte) []byte { b[len(b)/500] ^= 1; return b }, 1, 1},
		"large": {func(b []byte) []byte { b[len(b)/2] ^= 1; return b }, 2, 1},
		"short": {func(b []byte) []byte { return b[:len(b)/2] }, 2, 1},
		"gone":  {func([]byte) []byte { return nil }, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				w, _, f := producer(t, dir)
				defer w.Abort()
				path := spillIn(t, dir)
				whole, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				away := path + "-kept"
				if err := os.Rename(path, away); err != nil {
					t.Fatal(err)
				}
				if b := c.spoil(bytes.Clone(whole)); b != nil {
					if err := os.WriteFile(path, b, 0o600); err != nil {
						t.Fatal(err)
					}
				}
				n := 0
				for f.step(t, false) {
					n++
				}
				if err := os.Rename(away, path); err != nil {
					t.Fatal(err)
				}
				idx, err := w.Commit(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				for f.wait = true; f.step(t, false); {
				}
				src := &shuffle.Source{Local: []string{dir}}
				want, err := rowsOf(src, idx, 0)
				if err != nil || !slices.Equal(f.rows, want) {
					t.Errorf("%d rows, want %d, %v", len(f.rows), len(want), err)
				}
				if n != c.reads {
					t.Errorf("%d runs were read before the commit, want %d", n, c.reads)
				}
				if got := f.src.Metrics.Corrupt.Load(); got != c.corrupt {
					t.Errorf("%d corrupt, want %d", got, c.corrupt)
				}
				f.close()
			})
		})
	}
}

// TestAnnouncerIsCut: a link that takes nothing holds no producer up, and no
// more than some runs wait to be announced. The consumer that comes late has
// these, and the rest of the object.
func TestAnnouncerIsCut(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		live := shuffle.NewLive(2, 1<<30)
		a := newAway(t, live, 2, 0, 2, 1<<30)
		a.announce(t.Context())
		w, err := shuffle.NewPartitionedWriter(filepath.Join(dir, "object"), pairSchema, partition.First{}, 2, shuffle.PartitionedOptions{Budget: 1, Live: live})
		if err != nil {
			t.Fatal(err)
		}
		defer w.Abort()
		const runs = 12_000
		for range runs {
			if err := w.Write(pairs("w")); err != nil {
				t.Fatal(err)
			}
		}
		src := &shuffle.Source{Local: []string{dir}}
		f := follow(t, a.live, src, 0)
		a.follow(t.Context(), src)
		synctest.Wait()
		for f.step(t, false) {
		}
		if n := len(f.rows); n == 0 || n > runs/2 { // an announcement has more than 43 bytes
			t.Errorf("%d rows of %d before the commit", n, runs)
		}
		if _, err := w.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		for f.wait = true; f.step(t, false); {
		}
		if len(f.rows) != runs {
			t.Errorf("%d rows, want %d", len(f.rows), runs)
		}
		f.close()
		synctest.Wait()
		if a.announced != nil || a.followed != nil {
			t.Errorf("ended with %v, %v", a.announced, a.followed)
		}
	})
}

// TestFollowRefuses a producer of something else, and a second one.
func TestFollowRefuses(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct {
		parts  int
		schema *arrow.Schema
	}{
		"partitions": {3, pairSchema},
		"schema":     {2, blocktest.SchemaOf(arrow.PrimitiveTypes.Int64)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				live := shuffle.NewLive(2, 1<<20)
				a := newAway(t, live, c.parts, 0, 2, 1<<20)
				a.announce(t.Context())
				w := newLiveWriter(t, dir, live)
				defer w.Abort()
				err := a.live.Follow(t.Context(), new(shuffle.Source), a.pipe, c.schema)
				if !errors.Is(err, shuffle.ErrAborted) || !strings.Contains(err.Error(), name) {
					t.Errorf("%v, want that there are other %s", err, name)
				}
				if err := a.live.Follow(t.Context(), new(shuffle.Source), a.pipe, c.schema); err == nil || errors.Is(err, shuffle.ErrAborted) {
					t.Errorf("%v, want that it follows one", err)
				}
			})
		})
	}
	live := shuffle.NewLive(2, 1)
	follow(t, live, new(shuffle.Source), 0)
	for _, x := range [][2]int{{0, 1}, {-1, 1}, {1, 3}, {2, 1}} {
		if _, err := live.Announcer(x[0], x[1]); err == nil {
			t.Errorf("partitions %d to %d have an announcer", x[0], x[1])
		}
	}
	if _, err := live.Announcer(1, 2); err != nil {
		t.Fatal(err)
	}
	if _, err := live.Reader(new(shuffle.Source), 1); err == nil {
		t.Error("an announced partition has a reader here")
	}
	w := newLiveWriter(t, dir, live)
	defer w.Abort()
	if _, err := live.Announcer(2, 2); err == nil {
		t.Error("an announcer after the writer began")
	}
}

// TestFollowEndsWithItsContext, and tells the readers.
func TestFollowEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		over := errors.New("the gang is over")
		ctx, cancel := context.WithCancelCause(t.Context())
		live := shuffle.NewLive(1, 1)
		f := follow(t, live, new(shuffle.Source), 0)
		go func() {
			synctest.Wait()
			cancel(over)
		}()
		if err := live.Follow(ctx, new(shuffle.Source), make(pipe), pairSchema); !errors.Is(err, over) {
			t.Errorf("%v, want that the gang is over", err)
		}
		if _, err := f.r.Next(t.Context()); !errors.Is(err, over) {
			t.Errorf("%v, want that the gang is over", err)
		}
		f.close()
	})
}
