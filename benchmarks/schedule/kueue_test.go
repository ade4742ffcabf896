package schedule

import "testing"

// TestBaselineWastesLittle plays one cohort of Kueue's baseline in simulated time.
// The large workloads leave room for shorter than a medium one runs, again and
// again: who was displaced has to let the small ones have it.
func TestBaselineWastesLittle(t *testing.T) {
	l := baseline()
	l.cohorts = 1
	s := newStage(l)
	now := int64(0)
	s.clock = func() int64 { return now }
	for len(s.coming) > 0 || len(s.begun) > 0 {
		s.round(t.Context())
		now = max(now, s.next())
		if now > 1000*int64(l.kueue) {
			t.Fatalf("%d workloads wait or run after %d ms", len(s.begun), now)
		}
	}
	t.Logf("%d ms, %d gave way", now, s.evicted)
	if ideal := l.ideal(); now > ideal+ideal/10 {
		t.Errorf("it took %d ms; with every CPU always busy it would take %d ms", now, ideal)
	}
	for i, c := range l.classes {
		if mean := s.waits[i].sum().Seconds() / float64(len(s.waits[i])); mean > c.kueue {
			t.Errorf("%s workloads wait for %.1f s, and with Kueue for %v s", c.name, mean, c.kueue)
		}
	}
}

// ideal is how long the CPUs of a queue have work, in milliseconds.
func (l load) ideal() int64 {
	sum := int64(0)
	for _, c := range l.classes {
		sum += int64(c.count) * c.runs * int64(c.cpu)
	}
	return sum / 20_000
}
