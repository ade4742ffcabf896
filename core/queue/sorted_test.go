package queue

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestSorted compares a set with a plain slice, under enough elements that
// blocks split and vanish.
func TestSorted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s sorted[item]
		var model []item
		upwards := rapid.Bool().Draw(t, "upwards")
		for i := range rapid.IntRange(0, 1000).Draw(t, "steps") {
			x := item{arrival: rapid.Uint64Range(0, 600).Draw(t, "arrival")}
			if upwards {
				x.arrival = uint64(i)
			}
			at, found := slices.BinarySearchFunc(model, x, compareItems)
			if found || rapid.IntRange(0, 3).Draw(t, "remove") == 0 && len(model) > 0 {
				if !found {
					at = rapid.SampledFrom([]int{0, len(model) - 1, len(model) / 2}).Draw(t, "which")
				}
				if !s.remove(model[at]) || s.remove(model[at]) {
					t.Fatalf("%v is not there once", model[at])
				}
				model = slices.Delete(model, at, at+1)
				continue
			}
			s.add(x)
			model = slices.Insert(model, at, x)
		}
		checkSorted(t, &s, model)
		c := s.clone()
		for _, x := range model {
			s.remove(x)
		}
		checkSorted(t, &s, nil)
		checkSorted(t, &c, model)
	})
}

func compareItems(a, b item) int {
	switch {
	case a.before(b):
		return -1
	case b.before(a):
		return 1
	}
	return 0
}

func checkSorted(t *rapid.T, s *sorted[item], model []item) {
	var got []item
	s.each(func(x item) bool { got = append(got, x); return true })
	if !slices.Equal(got, model) || s.n != len(model) {
		t.Fatalf("%d elements %v, want %v", s.n, got, model)
	}
	got = nil
	var f finger
	for x, ok := s.begin(&f); ok; x, ok = s.step(&f) {
		got = append(got, x)
	}
	if !slices.Equal(got, model) {
		t.Fatalf("a scan gives %v, want %v", got, model)
	}
	for a := range uint64(601) {
		x := item{arrival: a}
		at, found := slices.BinarySearchFunc(model, x, compareItems)
		if found {
			at++
		}
		if y, ok := s.after(x, &f); ok != (at < len(model)) || ok && y != model[at] {
			t.Fatalf("after %d comes %v %v", a, y, ok)
		}
	}
}
