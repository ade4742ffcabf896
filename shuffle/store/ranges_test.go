package store

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

func TestPlan(t *testing.T) {
	const m = coalesced
	for _, c := range []struct {
		ranges []Range
		want   string // the GETs
		echoes int
	}{
		{nil, "[]", 0},
		{[]Range{{5, 0}}, "[]", 0},
		{[]Range{{0, 10}, {10, 10}}, "[{0 20}]", 0},
		{[]Range{{10, 10}, {0, 10}}, "[{0 20}]", 0},
		{[]Range{{0, 10}, {3, 4}, {0, 10}, {8, 4}}, "[{0 12}]", 3},
		{[]Range{{0, 1}, {1 + gapMax, 1}}, fmt.Sprintf("[{0 %d}]", gapMax+2), 0},
		{[]Range{{0, 1}, {2 + gapMax, 1}}, fmt.Sprintf("[{0 1} {%d 1}]", gapMax+2), 0},
		{[]Range{{0, m}, {m, 2}}, fmt.Sprintf("[{0 %d} {%d %d}]", m/2+1, m/2+1, m/2+1), 0},
		{[]Range{{0, 3 * m}, {7, 5}}, fmt.Sprintf("[{0 %d} {%d %d} {%d %d}]", m, m, m, 2*m, m), 1},
	} {
		into := make([][]byte, len(c.ranges))
		for i, r := range c.ranges {
			into[i] = make([]byte, r.Len)
		}
		pieces, echoes := plan(c.ranges, into)
		gets := []Range{}
		for _, p := range pieces {
			gets = append(gets, p.Range)
		}
		if got := fmt.Sprint(gets); got != c.want || len(echoes) != c.echoes {
			t.Errorf("%v: %s and %d echoes, want %s and %d", c.ranges, got, len(echoes), c.want, c.echoes)
		}
	}
}

// Whatever is asked for, the pieces and echoes fill every buffer right, no GET
// is longer than it may be, and no wanted byte is fetched twice.
func TestPlanFetchesEveryByteOnce(t *testing.T) {
	object := make([]byte, 70<<20)
	rand.NewChaCha8([32]byte{1}).Read(object)
	fetched := make([]bool, len(object))
	rapid.Check(t, func(t *rapid.T) {
		clear(fetched)
		ranges := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Range {
			off := rapid.Int64Range(0, int64(len(object))).Draw(t, "off")
			long := rapid.SampledFrom([]int64{100, 1 << 20, 40 << 20}).Draw(t, "scale")
			return Range{off, rapid.Int64Range(0, min(long, int64(len(object))-off)).Draw(t, "len")}
		}), 0, 6).Draw(t, "ranges")
		into := make([][]byte, len(ranges))
		for i, r := range ranges {
			into[i] = make([]byte, r.Len)
		}
		pieces, echoes := plan(ranges, into)
		var reach int64
		for _, p := range pieces {
			if p.Len > coalesced || p.Off < reach || p.fills[0].off != p.Off || p.fills[len(p.fills)-1].end() != p.end() {
				t.Fatalf("piece %v after %d", p.Range, reach)
			}
			reach = p.end()
			for _, f := range p.fills {
				copy(f.buf, object[f.off:])
				for i := f.off; i < f.end(); i++ {
					if fetched[i] {
						t.Fatalf("byte %d is fetched twice", i)
					}
					fetched[i] = true
				}
			}
		}
		answer(echoes, pieces)
		for i, r := range ranges {
			if !bytes.Equal(into[i], object[r.Off:r.end()]) {
				t.Fatalf("range %d of %v is wrong", i, ranges)
			}
		}
	})
}

// A long stretch is cut into GETs of 8 to 16 MiB, as few as can be.
func TestPlanCutsEvenly(t *testing.T) {
	for _, length := range []int64{8 << 20, 16 << 20, 16<<20 + 1, 40 << 20, 100<<20 + 3} {
		pieces := cut([]fill{{5, make([]byte, length)}})
		if want := (length + coalesced - 1) / coalesced; int64(len(pieces)) != want {
			t.Errorf("%d bytes in %d GETs, not %d", length, len(pieces), want)
		}
		for _, p := range pieces {
			if p.Len > coalesced || p.Len < coalesced/2-16 {
				t.Errorf("%d bytes: a GET of %d", length, p.Len)
			}
		}
	}
}

func FuzzContentRange(f *testing.F) {
	for _, s := range []string{"bytes 0-9/123", "bytes 5-5/6", "bytes */10", "bytes 9-0/10", "bytes 0-9/*", "", "bytes 0-9223372036854775807/9223372036854775807", "bytes 9-9223372036854775807/10"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, size, ok := parseContentRange(s)
		if ok && (r.Off < 0 || r.Len <= 0 || r.end() > size || r.end() < r.Off) {
			t.Errorf("%q: %v of %d", s, r, size)
		}
	})
}
