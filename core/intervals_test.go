package core

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestIntervalsAreASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s Intervals
		want := map[int64]bool{}
		for _, n := range rapid.SliceOf(rapid.Int64Range(0, 40)).Draw(t, "numbers") {
			s.Add(n)
			want[n] = true
			if !s.Valid() {
				t.Fatalf("%v is out of order", s)
			}
		}
		for n := range int64(42) {
			if s.Has(n) != want[n] {
				t.Fatalf("%v has %d: %t", s, n, s.Has(n))
			}
		}
		if s.Len() != len(want) {
			t.Fatalf("%v has %d numbers, want %d", s, s.Len(), len(want))
		}
		// As places of an array they are indexes, and back.
		a, err := ParseArray("3,10-30:2,100-200:3")
		if err != nil {
			t.Fatal(err)
		}
		var indexes []int64
		for _, r := range a.Indexes(s) {
			for i := r.First; i <= r.Last; i += r.Step {
				indexes = append(indexes, i)
			}
		}
		places := slices.Sorted(maps.Keys(want))
		for i, n := range places {
			if indexes[i] != a.Index(int(n)) {
				t.Fatalf("place %d of %s is index %d, want %d", n, a, indexes[i], a.Index(int(n)))
			}
		}
		if back := a.Places(a.Indexes(s)); !slices.Equal(back, s) {
			t.Fatalf("%v comes back as %v", s, back)
		}
	})
	if (Intervals{{5, 1}}).Valid() || (Intervals{{1, 2}, {3, 4}}).Valid() {
		t.Error("runs that are out of order are taken")
	}
}
