package core

import "testing"

func TestArray(t *testing.T) {
	for in, want := range map[string]struct {
		text        string
		len         int
		first, last int64
	}{
		"7":            {"7", 1, 7, 7},
		"0-999%50":     {"0-999%50", 1000, 0, 999},
		"9-20:3,1,5-6": {"1,5-6,9-18:3", 7, 1, 18},
		"3-4:5":        {"3", 1, 3, 3},
	} {
		a, err := ParseArray(in)
		if err != nil {
			t.Errorf("%q: %v", in, err)
			continue
		}
		if a.String() != want.text || a.Len() != want.len || a.Index(0) != want.first || a.Index(a.Len()-1) != want.last {
			t.Errorf("%q: %v, %d elements, %d to %d", in, a, a.Len(), a.Index(0), a.Index(a.Len()-1))
		}
		seen := 0
		for i := int64(0); i <= want.last+1; i++ {
			if a.Has(i) {
				if n, ok := a.Place(i); a.Index(seen) != i || n != seen || !ok {
					t.Errorf("%q: element %d is %d, want %d", in, seen, a.Index(seen), i)
				}
				seen++
			}
		}
		if seen != a.Len() {
			t.Errorf("%q has %d of %d", in, seen, a.Len())
		}
	}
	for _, in := range []string{"", "a", "-1", "5-3", "1-9:0", "1-5,4-6", "1%0", "1%x", "1-99999999999", "1,,2", "0-9%"} {
		if a, err := ParseArray(in); err == nil {
			t.Errorf("%q was read as %v", in, a)
		}
	}
}
