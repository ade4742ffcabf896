package work

import "testing"

// A store of refs is tight by what it keeps in this process's memory, and by that
// and mapped files together, of which it may have half a budget more.
func TestRefsCountMappedFiles(t *testing.T) {
	const budget = 100 << 10
	for _, c := range []struct {
		heap, file int
		want       bool
	}{
		{0, 0, false},
		{budget, 0, false},
		{budget + 1, 0, true},
		{0, budget + budget/2, false},
		{0, budget + budget/2 + 1, true},
		{budget / 2, budget, false},
		{budget / 2, budget + 1, true},
	} {
		s := &refStore{heap: c.heap, file: c.file}
		if got := s.tight(budget); got != c.want {
			t.Errorf("%d bytes of memory and %d of files, budget %d: tight %v", c.heap, c.file, budget, got)
		}
	}
}
