package shuffle_test

import (
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/capstan-run/capstan/shuffle"
)

// sized returns an index for each producer, whose partitions have so many
// bytes, and a row for each byte.
func sized(producers ...[]int64) []*shuffle.Index {
	var out []*shuffle.Index
	for _, sizes := range producers {
		x := &shuffle.Index{Total: len(sizes)}
		for _, n := range sizes {
			x.Partitions = append(x.Partitions, shuffle.Partition{Length: n, Rows: n})
		}
		out = append(out, x)
	}
	return out
}

func TestPlanReads(t *testing.T) {
	type share = shuffle.Share
	for name, c := range map[string]struct {
		indexes   []*shuffle.Index
		target    int64
		divisible bool
		want      []share
	}{
		"nobody wrote":    {nil, 10, true, nil},
		"all small":       {sized([]int64{1, 2, 3}, []int64{1, 1, 1}), 10, true, []share{{0, 3, 0, 2, 9, 9}}},
		"all empty":       {sized([]int64{0, 0}, []int64{0, 0}), 10, true, []share{{0, 2, 0, 2, 0, 0}}},
		"exactly enough":  {sized([]int64{4, 6, 1}), 10, true, []share{{0, 2, 0, 1, 10, 10}, {2, 3, 0, 1, 1, 1}}},
		"empty ones ride": {sized([]int64{25, 0, 0, 5}), 20, false, []share{{0, 1, 0, 1, 25, 25}, {1, 4, 0, 1, 5, 5}}},
		"large, whole":    {sized([]int64{30, 1}, []int64{30, 1}), 10, false, []share{{0, 1, 0, 2, 60, 60}, {1, 2, 0, 2, 2, 2}}},
		"large, divided": {sized([]int64{10, 1}, []int64{10, 1}, []int64{10, 1}, []int64{10, 1}), 20, true,
			[]share{{0, 1, 0, 2, 20, 20}, {0, 1, 2, 4, 20, 20}, {1, 2, 0, 4, 4, 4}}},
		"one producer is never divided": {sized([]int64{100}), 10, true, []share{{0, 1, 0, 1, 100, 100}}},
		"one has most of it": {sized([]int64{1}, []int64{60}, []int64{1}), 10, true,
			[]share{{0, 1, 0, 1, 1, 1}, {0, 1, 1, 2, 60, 60}, {0, 1, 2, 3, 1, 1}}},
	} {
		got, err := shuffle.PlanReads(c.indexes, c.target, c.divisible)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, %v; want %v", name, got, err, c.want)
		}
	}
}

func TestPlanReadsRefuses(t *testing.T) {
	if _, err := shuffle.PlanReads(sized([]int64{1}), 0, false); err == nil {
		t.Error("a target of nothing is accepted")
	}
	if _, err := shuffle.PlanReads(sized([]int64{1, 2}, []int64{1}), 10, false); err == nil {
		t.Error("objects of different partitions are planned together")
	}
}

// TestPlanReadsCoversAll: law X9, and the sizes that shares may have.
func TestPlanReadsCoversAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.IntRange(1, 12).Draw(t, "partitions")
		var sizes [][]int64
		for range rapid.IntRange(1, 8).Draw(t, "producers") {
			sizes = append(sizes, rapid.SliceOfN(rapid.Int64Range(0, 90), parts, parts).Draw(t, "sizes"))
		}
		lo := rapid.IntRange(0, parts-1).Draw(t, "lo")
		hi := rapid.IntRange(lo+1, parts).Draw(t, "hi")
		var indexes []*shuffle.Index
		for _, x := range sized(sizes...) {
			x, err := x.SliceRange(lo, hi)
			if err != nil {
				t.Fatal(err)
			}
			indexes = append(indexes, x)
		}
		target := rapid.Int64Range(1, 300).Draw(t, "target")
		divisible := rapid.Bool().Draw(t, "divisible")
		shares, err := shuffle.PlanReads(indexes, target, divisible)
		if err != nil {
			t.Fatal(err)
		}
		seen := make([][]int, len(sizes))
		for k := range seen {
			seen[k] = make([]int, parts)
		}
		for _, s := range shares {
			checkShare(t, s, sizes, target, divisible)
			for k := s.From; k < s.To; k++ {
				for p := s.Lo; p < s.Hi; p++ {
					seen[k][p]++
				}
			}
		}
		want := make([]int, parts)
		for p := lo; p < hi; p++ {
			want[p] = 1
		}
		for k := range seen {
			if !reflect.DeepEqual(seen[k], want) {
				t.Fatalf("producer %d: partitions are read %v times, want %v: %v", k, seen[k], want, shares)
			}
		}
	})
}

func checkShare(t *rapid.T, s shuffle.Share, sizes [][]int64, target int64, divisible bool) {
	n, largest := int64(0), int64(0)
	for k := s.From; k < s.To; k++ {
		for p := s.Lo; p < s.Hi; p++ {
			n += sizes[k][p]
			largest = max(largest, sizes[k][p])
		}
	}
	if n != s.Bytes || n != s.Rows {
		t.Fatalf("%v has %d bytes", s, n)
	}
	switch {
	case s.Hi-s.Lo > 1 && (n > target || s.Divided(len(sizes))):
		t.Fatalf("%v coalesces more than %d bytes, or parts of partitions", s, target)
	case s.Divided(len(sizes)) && !divisible:
		t.Fatalf("%v divides what cannot be merged", s)
	case s.Divided(len(sizes)) && n > target+target/2+largest:
		t.Fatalf("%v is larger than a part and a producer", s)
	}
}
