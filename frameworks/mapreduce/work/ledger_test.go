package work

import "testing"

func TestLedgerBooksCPUTimeOnce(t *testing.T) {
	var l ledger
	before := processCPU()
	first, second := l.begin(), l.begin()
	for processCPU()-before < 4e6 {
	}
	a := l.end(first)
	b := l.end(second)
	if spent := processCPU() - before; a+b > spent {
		t.Errorf("two tries were charged %d and %d ns of %d", a, b, spent)
	}
	if a < 1e6 || b < 1e6 {
		t.Errorf("tries that ran for 4 ms side by side were charged %d and %d ns", a, b)
	}
}
