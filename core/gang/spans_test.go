package gang

import (
	"testing"

	"pgregory.net/rapid"
)

// TestSpans holds spans against a plain set.
func TestSpans(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s, other spans
		model, within := map[int]bool{}, map[int]bool{}
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			n := rapid.IntRange(0, 20).Draw(t, "n")
			switch rapid.IntRange(0, 2).Draw(t, "op") {
			case 0:
				s.add(n)
				model[n] = true
			case 1:
				s.remove(n)
				delete(model, n)
			case 2:
				other.add(n)
				within[n] = true
			}
			if s.len() != len(model) {
				t.Fatalf("%v has %d, want %d", s, s.len(), len(model))
			}
			least := -1
			for i := 20; i >= 0; i-- {
				if s.has(i) != model[i] {
					t.Fatalf("%v has %d: %v", s, i, s.has(i))
				}
				if model[i] && within[i] {
					least = i
				}
			}
			for i := 1; i < len(s); i++ {
				if s[i].First <= s[i-1].Last+1 {
					t.Fatalf("%v is not normal", s)
				}
			}
			if n, ok := s.first(other, false); ok != (least >= 0) || ok && n != least {
				t.Fatalf("first of %v in %v is %d %v, want %d", s, other, n, ok, least)
			}
		}
	})
}
