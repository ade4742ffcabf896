package coordinate

import (
	"slices"
)

const (
	// A try younger than this is never called slow: starting a script or a
	// reader takes its time.
	settle = 2000 // milliseconds
	// A try is slow if it took slowBy/slowOf times what the median would take.
	slowBy, slowOf = 3, 2
)

// speculate starts copies of slow tries where slots are idle, once three
// quarters of the stage are done.
func (m *Machine) speculate(s *stage) {
	if !m.cfg.Speculation || len(s.queue) > 0 || 4*s.done < 3*len(s.items) || s.complete() || len(s.paces) == 0 {
		return
	}
	typical := median(s.paces)
	for _, i := range s.items {
		if i.done != nil || len(i.tries) != 1 || !m.slow(i.tries[0], typical) {
			continue
		}
		first := i.tries[0]
		for _, r := range m.byFree() {
			if r != first.rank && !slices.Contains(i.failedOn, r) {
				m.start(i, r)
				break
			}
		}
	}
}

// slow reports whether t lags behind what is typical.
func (m *Machine) slow(t *try, typical pace) bool {
	took := m.now - t.began
	if t.leaving || took < settle {
		return false
	}
	expected := typical.millis
	if typical.bytes > 0 && t.bytes > 0 {
		expected = typical.millis * t.bytes / typical.bytes
	}
	return took*slowOf > expected*slowBy
}

// median is the try of median rate, by bytes per millisecond.
func median(paces []pace) pace {
	sorted := slices.Clone(paces)
	slices.SortFunc(sorted, func(a, b pace) int {
		// a.bytes/a.millis against b.bytes/b.millis, without division.
		l, r := a.bytes*b.millis, b.bytes*a.millis
		switch {
		case l < r:
			return -1
		case l > r:
			return 1
		}
		return int(a.millis - b.millis)
	})
	return sorted[len(sorted)/2]
}
