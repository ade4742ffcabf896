package gang

import (
	"cmp"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestDues: whatever is set, moved and taken out, the first is the earliest, and
// each gang knows its place.
func TestDues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		gangs := make([]*member, rapid.IntRange(1, 40).Draw(t, "gangs"))
		for i := range gangs {
			gangs[i] = &member{number: uint64(i + 1)}
		}
		var d dues
		at := map[*member]int64{}
		for range rapid.IntRange(0, 100).Draw(t, "steps") {
			g := rapid.SampledFrom(gangs).Draw(t, "gang")
			if at[g] = rapid.Int64Range(0, 9).Draw(t, "at"); at[g] == 0 {
				delete(at, g)
			}
			d.set(g, at[g])
			for i, v := range d {
				if v.gang.duePlace != i+1 || at[v.gang] != v.at {
					t.Fatalf("place %d has %d of gang %d, whose place is %d, and due %d", i+1, v.at, v.gang.number, v.gang.duePlace, at[v.gang])
				}
			}
		}
		want := make([]due, 0, len(at))
		for g, at := range at {
			want = append(want, due{at, g})
		}
		slices.SortFunc(want, func(a, b due) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.gang.number, b.gang.number)) })
		for _, v := range want {
			if d[0] != v {
				t.Fatalf("first is %d of gang %d, want %d of %d", d[0].at, d[0].gang.number, v.at, v.gang.number)
			}
			d.set(v.gang, 0)
		}
		if len(d) > 0 {
			t.Fatalf("%d are left", len(d))
		}
	})
}
