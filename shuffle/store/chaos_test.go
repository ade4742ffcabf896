package store_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/shuffle/store"
	"github.com/capstan-run/capstan/shuffle/store/storetest"
)

var (
	long = flag.Bool("long", os.Getenv("CAPSTAN_LONG") == "1", "10,000 operations under more than 10,000 faults, instead of 1,000")
	seed = flag.Uint64("seed", 1, "of the faults and operations")
)

// Mixed operations over a store that loses, delays, cuts, damages and refuses:
// every wrong byte is detected, every operation is healed or ends with one
// clear error, and no answer is wrong.
func TestChaos(t *testing.T) {
	s := storetest.Start(t, storetest.Options(t.TempDir()))
	const crews = 8
	operations, rate, least := 1000, 0.25, 250
	if *long {
		operations, rate, least = 10_000, 0.55, 10_000
	}
	var staled [crews]atomic.Bool
	chaos := &storetest.Chaos{Seed: *seed, Rate: rate, Met: func(name string, r *http.Request) {
		if name == "stale list" {
			for i := range staled {
				if strings.HasPrefix(storetest.ListedPrefix(r), crewPrefix(i)) {
					staled[i].Store(true)
				}
			}
		}
	}}
	c, err := store.Config{Part: 5 << 20, Budget: time.Minute}.Open(storetest.Proxy(t, s.Access(), chaos.Decorate))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var wg sync.WaitGroup
	var total tally
	var mu sync.Mutex
	for i := range crews {
		wg.Go(func() {
			w := &crew{t: t, c: c, prefix: crewPrefix(i), stale: &staled[i], rnd: rand.New(rand.NewPCG(*seed, uint64(i))), may: map[string][]content{}}
			for range operations / crews {
				if !w.operate() {
					return
				}
			}
			mu.Lock()
			defer mu.Unlock()
			total.add(w.tally)
		})
	}
	wg.Wait()
	t.Logf("seed %d: %+v; faults %v; requests %+v", *seed, total, chaos.Counts(), c.Stats())
	if total.done+total.refused != operations {
		t.Errorf("%d done and %d refused of %d operations", total.done, total.refused, operations)
	}
	fallen := 0
	for _, kind := range storetest.Kinds() {
		n := chaos.Counts()[kind]
		if n == 0 {
			t.Errorf("no %s fell", kind)
		}
		fallen += n
	}
	if fallen < least {
		t.Errorf("%d faults fell, of at least %d", fallen, least)
	}
	if total.detected == 0 || c.Stats().Retries == 0 {
		t.Error("nothing was damaged")
	}
	nothingLeft(t, storetest.Open(t, s.Access()))
}

// nothingLeft checks that the only parts left are of uploads whose very ID was
// lost on the way, and that those are found as garbage.
func nothingLeft(t *testing.T, c *store.Client) {
	search := store.Search{
		Jobs: "test/jobs/", Before: time.Now().Add(time.Hour), Uploads: []string{"test/"},
		Live: func(context.Context) (map[core.JobID]core.Epoch, error) { return nil, nil },
	}
	found, err := c.Garbage(t.Context(), search)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := c.Discard(t.Context(), found); err != nil || n != len(found) {
		t.Errorf("%d of %d discarded: %v", n, len(found), err)
	}
	for u, err := range c.Uploads(t.Context(), "test/") {
		t.Errorf("left: %+v, %v", u, err)
	}
}

func crewPrefix(i int) string { return fmt.Sprintf("test/crew-%d/", i) }

type tally struct{ done, refused, detected int }

func (t *tally) add(o tally) {
	t.done, t.refused, t.detected = t.done+o.done, t.refused+o.refused, t.detected+o.detected
}

// content is what an object may hold: size bytes made of seed. absent is none.
type content struct {
	size int
	seed uint64
}

var absent = content{-1, 0}

func (c content) bytes() []byte { return storetest.Bytes(c.size, c.seed) }

// crew does one operation after the other under a prefix of its own, and keeps
// for each path what it may hold: one thing, or after a refused write two.
type crew struct {
	t      *testing.T
	c      *store.Client
	prefix string
	stale  *atomic.Bool
	rnd    *rand.Rand
	may    map[string][]content
	tally  tally
	wrote  uint64
}

func (w *crew) operate() (ok bool) {
	path := fmt.Sprintf("%s%c/object-%d", w.prefix, 'a'+rune(w.rnd.IntN(3)), w.rnd.IntN(6))
	if w.may[path] == nil {
		w.may[path] = []content{absent}
	}
	var err error
	switch n := w.rnd.IntN(100); {
	case n < 25:
		err = w.put(path, 1+w.rnd.IntN(100_000), false, store.PutOptions{})
	case n < 28:
		err = w.put(path, 5<<20+1+w.rnd.IntN(6<<20), false, store.PutOptions{})
	case n < 30:
		err = w.put(path, 5<<20+1+w.rnd.IntN(6<<20), true, store.PutOptions{})
	case n < 40:
		err = w.put(path, 1+w.rnd.IntN(1<<20), false, store.PutOptions{IfNoneMatch: true})
	case n < 42:
		err = w.put(path, 5<<20+1+w.rnd.IntN(1<<20), false, store.PutOptions{IfNoneMatch: true})
	case n < 60:
		err = w.heal(path, w.get)
	case n < 75:
		err = w.heal(path, w.readRanges)
	case n < 82:
		err = w.stat(path)
	case n < 90:
		err = w.list()
	case n < 98:
		err = w.delete(path)
	default:
		err = w.deleteFolder(path[:strings.LastIndexByte(path, '/')+1])
	}
	return w.judge(path, err)
}

var errWrong = errors.New("wrong answer")

// judge counts an operation. The one error there may be says that the disk is
// full: everything else heals.
func (w *crew) judge(path string, err error) bool {
	var told *core.Error
	switch {
	case err == nil:
		w.tally.done++
	case errors.Is(err, store.ErrFull) && errors.As(err, &told) && told.Where != "" && told.Remedy != "":
		w.tally.refused++
	default:
		w.t.Errorf("%s: %v", path, err)
		return false
	}
	return true
}

func (w *crew) put(path string, size int, stream bool, o store.PutOptions) error {
	w.wrote++
	next := content{size, uint64(crc32.ChecksumIEEE([]byte(path))) + w.wrote}
	var body io.Reader = bytes.NewReader(next.bytes())
	announced := int64(size)
	if stream {
		body, announced = io.MultiReader(body), -1
	}
	info, err := w.c.Put(w.t.Context(), path, body, announced, o)
	before := w.may[path]
	switch {
	case err == nil && o.IfNoneMatch && !contains(before, absent):
		return fmt.Errorf("%w: a conditional put over %v", errWrong, before)
	case err == nil:
		w.may[path] = []content{next}
		if info.Size != int64(size) {
			return fmt.Errorf("%w: put %d bytes, told %d", errWrong, size, info.Size)
		}
	case o.IfNoneMatch && errors.Is(err, store.ErrExists):
		if len(before) == 1 && before[0] == absent {
			return fmt.Errorf("%w: nothing is there, yet %v", errWrong, err)
		}
		w.keep(path, func(c content) bool { return c != absent })
		return nil
	default:
		w.may[path] = append([]content{next}, before...)
	}
	return err
}

func contains(list []content, c content) bool {
	for _, l := range list {
		if l == c {
			return true
		}
	}
	return false
}

// keep drops what path is now known not to hold.
func (w *crew) keep(path string, f func(content) bool) {
	var left []content
	for _, c := range w.may[path] {
		if f(c) {
			left = append(left, c)
		}
	}
	w.may[path] = left
}

// heal reads again while what came has a wrong checksum, as every caller of the
// store does.
func (w *crew) heal(path string, read func(string) (intact bool, err error)) error {
	for range 20 {
		intact, err := read(path)
		if errors.Is(err, store.ErrNotFound) && contains(w.may[path], absent) {
			w.may[path] = []content{absent}
			return nil
		}
		if intact || err != nil {
			return err
		}
		w.tally.detected++
	}
	return fmt.Errorf("%w: never intact", errWrong)
}

func (w *crew) get(path string) (intact bool, err error) {
	r, info, err := w.c.Get(w.t.Context(), path, 0, -1)
	if err != nil {
		return false, err
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	if err != nil {
		return false, err
	}
	if int64(len(got)) != info.Size {
		return false, fmt.Errorf("%w: %d of %d bytes and no error", errWrong, len(got), info.Size)
	}
	return w.recognize(path, func(c content) bool {
		return c.size == len(got) && bytes.Equal(c.bytes(), got)
	}), nil
}

// recognize reports whether path may hold what f accepts, and remembers it.
func (w *crew) recognize(path string, f func(content) bool) bool {
	for _, c := range w.may[path] {
		if c != absent && f(c) {
			w.may[path] = []content{c}
			return true
		}
	}
	return false
}

func (w *crew) readRanges(path string) (intact bool, err error) {
	size := 1 << 30
	for _, c := range w.may[path] {
		size = min(size, c.size)
	}
	var ranges []store.Range
	var into [][]byte
	for range 1 + w.rnd.IntN(5) {
		if size < 1 {
			size = 1
		}
		off := w.rnd.IntN(size)
		r := store.Range{Off: int64(off), Len: int64(1 + w.rnd.IntN(size-off))}
		ranges, into = append(ranges, r), append(into, make([]byte, r.Len))
	}
	if err := w.c.ReadRanges(w.t.Context(), path, ranges, into); err != nil {
		return false, err
	}
	return w.recognize(path, func(c content) bool {
		b := c.bytes()
		for i, r := range ranges {
			if r.Off+r.Len > int64(len(b)) || !bytes.Equal(b[r.Off:r.Off+r.Len], into[i]) {
				return false
			}
		}
		return true
	}), nil
}

func (w *crew) stat(path string) error {
	info, err := w.c.Stat(w.t.Context(), path)
	is := func(c content) bool { return c != absent && int64(c.size) == info.Size }
	if errors.Is(err, store.ErrNotFound) {
		is, err = func(c content) bool { return c == absent }, nil
	}
	before := w.may[path]
	if err == nil {
		w.keep(path, is)
	}
	if len(w.may[path]) == 0 {
		return fmt.Errorf("%w: %d bytes, may be %v", errWrong, info.Size, before)
	}
	return err
}

// list holds a listing against what is known, unless it was out of date: that
// nobody can see, so nothing but a person's eyes relies on one.
func (w *crew) list() error {
	w.stale.Store(false)
	listed := map[string]int64{}
	for o, err := range w.c.List(w.t.Context(), w.prefix, "") {
		if err != nil {
			return err
		}
		listed[o.Path] = o.Size
	}
	if w.stale.Load() {
		return nil
	}
	for path, may := range w.may {
		size, there := listed[path]
		if !there {
			size = -1
		}
		delete(listed, path)
		w.keep(path, func(c content) bool { return int64(c.size) == size })
		if len(w.may[path]) == 0 {
			return fmt.Errorf("%w: %s is listed with %d bytes, may be %v", errWrong, path, size, may)
		}
	}
	if len(listed) > 0 {
		return fmt.Errorf("%w: listed, yet never written: %v", errWrong, listed)
	}
	return nil
}

func (w *crew) delete(path string) error {
	err := w.c.Delete(w.t.Context(), path)
	w.gone(path, err == nil)
	return err
}

func (w *crew) gone(path string, sure bool) {
	if sure {
		w.may[path] = nil
	}
	if !contains(w.may[path], absent) {
		w.may[path] = append(w.may[path], absent)
	}
}

func (w *crew) deleteFolder(folder string) error {
	w.stale.Store(false)
	_, err := w.c.DeletePrefix(w.t.Context(), folder)
	for path := range w.may {
		if strings.HasPrefix(path, folder) {
			w.gone(path, err == nil && !w.stale.Load())
		}
	}
	return err
}
