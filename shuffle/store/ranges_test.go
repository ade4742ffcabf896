package store

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

func TestCoalesce(t *testing.T) {
	for _, c := range []struct {
		ranges []Range
		want   string
	}{
		{nil, "[]"},
		{[]Range{{5, 0}}, "[]"},
		{[]Range{{0, 10}, {10, 10}}, "[{{0 20} [0 1]}]"},
		{[]Range{{10, 10}, {0, 10}}, "[{{0 20} [1 0]}]"},
		{[]Range{{0, 1}, {1 + gapMax, 1}}, fmt.Sprintf("[{{0 %d} [0 1]}]", gapMax+2)},
		{[]Range{{0, 1}, {2 + gapMax, 1}}, fmt.Sprintf("[{{0 1} [0]} {{%d 1} [1]}]", gapMax+2)},
		{[]Range{{0, coalesced}, {coalesced, 1}}, fmt.Sprintf("[{{0 %d} [0]} {{%d 1} [1]}]", coalesced, coalesced)},
		{[]Range{{0, 3 * coalesced}, {7, 5}}, fmt.Sprintf("[{{0 %d} [0 1]}]", 3*coalesced)},
	} {
		if got := fmt.Sprint(coalesce(c.ranges)); got != c.want {
			t.Errorf("%v: %s, want %s", c.ranges, got, c.want)
		}
	}
}

func TestCoalesceCoversEveryRangeOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ranges := rapid.SliceOf(rapid.Custom(func(t *rapid.T) Range {
			return Range{rapid.Int64Range(0, 64<<20).Draw(t, "off"), rapid.Int64Range(0, 20<<20).Draw(t, "len")}
		})).Draw(t, "ranges")
		seen := map[int]bool{}
		for _, run := range coalesce(ranges) {
			alone := len(run.parts) == 1
			if run.Len > coalesced && !alone && run.Len != ranges[run.parts[0]].Len {
				t.Fatalf("run of %d bytes", run.Len)
			}
			for _, i := range run.parts {
				r := ranges[i]
				if seen[i] || r.Off < run.Off || r.Off+r.Len > run.Off+run.Len {
					t.Fatalf("range %d %v in run %v", i, r, run)
				}
				seen[i] = true
			}
		}
		for i, r := range ranges {
			if seen[i] != (r.Len > 0) {
				t.Fatalf("range %d %v seen %v", i, r, seen[i])
			}
		}
	})
}
