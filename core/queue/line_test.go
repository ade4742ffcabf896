package queue

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestOrder(t *testing.T) {
	// In the order in which they are to be served.
	want := []Entry{
		{Gang: "hole", Rank: 0, Priority: 90, Arrival: 9},
		{Gang: "hole", Rank: 3, Priority: 90, Arrival: 9},
		{Gang: "old-hole", Rank: 1, Priority: 10, Arrival: 1},
		{Gang: "urgent", Rank: Whole, Priority: 100, Arrival: 8},
		{Gang: "first", Rank: Whole, Priority: 50, Arrival: 2},
		{Gang: "second", Rank: Whole, Priority: 50, Arrival: 5},
		{Gang: "low", Rank: Whole, Priority: 0, Arrival: 0},
	}
	rapid.Check(t, func(t *rapid.T) {
		var l Line
		for _, e := range rapid.Permutation(want).Draw(t, "arrival") {
			l.Add(e)
			l.Add(e)
		}
		var got []Entry
		for i := range l.Len() {
			got = append(got, l.At(i))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

func anyEntry(t *rapid.T) Entry {
	return Entry{
		Gang: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "gang"), Rank: rapid.IntRange(-1, 1).Draw(t, "rank"),
		Priority: rapid.IntRange(0, 1).Draw(t, "priority"), Arrival: rapid.Uint64Range(0, 1).Draw(t, "arrival"),
	}
}

// TestLine compares a line with a plain set of entries.
func TestLine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var l Line
		model := map[Entry]bool{}
		for range rapid.IntRange(0, 40).Draw(t, "steps") {
			e := anyEntry(t)
			if rapid.Bool().Draw(t, "add") {
				l.Add(e)
				model[e] = true
			} else {
				if had := l.Remove(e); had != model[e] {
					t.Fatalf("removed %v: %v, want %v", e, had, model[e])
				}
				delete(model, e)
			}
			checkLine(t, &l, model)
		}
	})
}

func checkLine(t *rapid.T, l *Line, model map[Entry]bool) {
	if l.Len() != len(model) {
		t.Fatalf("%d entries, want %d", l.Len(), len(model))
	}
	for i := range l.Len() {
		if e := l.At(i); !model[e] || l.Position(e) != i {
			t.Fatalf("%v at %d: known %v, position %d", e, i, model[e], l.Position(e))
		}
		if i > 0 && Compare(l.At(i-1), l.At(i)) >= 0 {
			t.Fatalf("%v is before %v", l.At(i-1), l.At(i))
		}
	}
	if e := (Entry{Gang: "nobody"}); l.Position(e) != -1 {
		t.Fatalf("a stranger is in line at %d", l.Position(e))
	}
}

// TestCompareIsTotal: law Q4.
func TestCompareIsTotal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		es := []Entry{anyEntry(t), anyEntry(t), anyEntry(t)}
		slices.SortFunc(es, Compare)
		if Compare(es[0], es[2]) > 0 {
			t.Fatalf("not transitive: %v", es)
		}
		if (Compare(es[0], es[1]) == 0) != (es[0] == es[1]) || Compare(es[0], es[1]) != -Compare(es[1], es[0]) {
			t.Fatalf("%v and %v: %d and %d", es[0], es[1], Compare(es[0], es[1]), Compare(es[1], es[0]))
		}
	})
}

func TestCloneSharesNothing(t *testing.T) {
	var l Line
	l.Add(Entry{Gang: "b", Rank: Whole, Arrival: 2})
	c := l.Clone()
	c.Add(Entry{Gang: "a", Rank: Whole, Arrival: 1})
	if l.Len() != 1 || l.At(0).Gang != "b" || c.Len() != 2 {
		t.Fatalf("line %v, clone %v", l, c)
	}
}
