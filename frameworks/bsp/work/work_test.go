package work

import (
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/bsp/spec"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestHostToken: executors that start at once agree on one token, and another
// folder has another.
func TestHostToken(t *testing.T) {
	dir := t.TempDir()
	tokens := make([]string, 16)
	var wg sync.WaitGroup
	for i := range tokens {
		wg.Go(func() {
			var err error
			if tokens[i], err = hostToken(dir); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if slices.ContainsFunc(tokens, func(s string) bool { return s == "" || s != tokens[0] }) {
		t.Errorf("tokens: %q", tokens)
	}
	if other, err := hostToken(t.TempDir()); err != nil || other == tokens[0] {
		t.Errorf("another folder: %q, %v", other, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("files left: %v, %v", entries, err)
	}
}

// TestDivide: the parts of memory never exceed the whole.
func TestDivide(t *testing.T) {
	for _, all := range []core.Bytes{64 << 20, 512 << 20, 1 << 30, 64 << 30} {
		s := divide(all)
		if int64(s.arena)+s.heap > int64(all) || s.peer > s.heap || s.peer < int64(all)/2 {
			t.Errorf("%v: %+v", all, s)
		}
	}
}

// TestPreview holds the heap to sorting all rows, by value and by key, both ways.
func TestPreview(t *testing.T) {
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema([]arrow.Field{
		{Name: "id", Type: arrow.PrimitiveTypes.Int64}, {Name: "value", Type: arrow.PrimitiveTypes.Float64}}, nil))
	defer b.Release()
	for i := range 500 {
		b.Field(0).(*array.Int64Builder).Append(int64(i))
		b.Field(1).(*array.Float64Builder).Append(float64(i * 37 % 101))
	}
	rec := b.NewRecord()
	defer rec.Release()
	for _, p := range []spec.Preview{
		{Limit: 7, By: "value", Order: "descending"}, {Limit: 7, By: "value", Order: "ascending"},
		{Limit: 7, By: "key", Order: "descending"}, {Limit: 7, By: "key", Order: "ascending"},
	} {
		few, all := newPreview(&p), newPreview(&p)
		all.limit = 1000
		for at := int64(0); at < rec.NumRows(); at += 100 {
			slice := rec.NewSlice(at, at+100)
			few.record(slice)
			all.record(slice)
			slice.Release()
		}
		slices.SortFunc(all.rows, all.compare)
		slices.SortFunc(few.rows, few.compare)
		if got, want := fmt.Sprint(few.rows), fmt.Sprint(all.rows[:7]); got != want {
			t.Errorf("%+v:\n%s\nwant\n%s", p, got, want)
		}
	}
}

// A limit that is told as the least is enough, and less is not.
func TestLimitFor(t *testing.T) {
	for _, peer := range []int64{1, 4 << 20, 40 << 20, 48 << 20, 300 << 20, 5 << 30, 6 << 30, 40 << 30} {
		limit := limitFor(peer)
		if got := divide(core.Bytes(limit)).peer; got < peer || got > peer+peer/100+1000 {
			t.Errorf("a limit of %d gives %d bytes, not %d", limit, got, peer)
		}
	}
}
