package coordinate

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/capstan-run/capstan/core"
)

func TestSetIsASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s Set
		want := map[int64]bool{}
		for _, i := range rapid.SliceOf(rapid.Int64Range(0, 40)).Draw(t, "indexes") {
			s.Add(i)
			want[i] = true
			if !s.valid() {
				t.Fatalf("%v is out of order", s)
			}
		}
		for i := range int64(42) {
			if s.Has(i) != want[i] {
				t.Fatalf("%v has %d: %t", s, i, s.Has(i))
			}
		}
		if s.Len() != len(want) {
			t.Fatalf("%v has %d indexes, want %d", s, s.Len(), len(want))
		}
		if len(want) == 0 {
			return
		}
		a, err := core.ParseArray(s.Short(0))
		if err != nil || a.Len() != len(want) || !a.Has(slices.Sorted(maps.Keys(want))[0]) {
			t.Fatalf("%q reads as %v, %v", s.Short(0), a, err)
		}
	})
}

// TestTallyIsSmall holds law B6: a long array costs nothing while it goes well.
func TestTallyIsSmall(t *testing.T) {
	var tally Tally
	for i := range int64(100_000) {
		tally.add((i*7919)%100_000, true)
	}
	b, err := tally.Encode()
	if err != nil || tally.Len() != 100_000 || len(b) > 100 {
		t.Fatalf("%d elements take %d bytes: %s, %v", tally.Len(), len(b), b, err)
	}
	back, err := DecodeTally(b)
	if err != nil || back.Len() != tally.Len() {
		t.Errorf("comes back as %v, %v", back, err)
	}
	for _, bad := range []string{"x", `{"ok":[[5,1]]}`, `{"failed":[[1,2],[2,3]]}`} {
		if _, err := DecodeTally([]byte(bad)); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}
