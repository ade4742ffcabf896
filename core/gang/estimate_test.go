package gang

import (
	"testing"

	"github.com/capstan-run/capstan/core"
)

// TestNoEstimateWithoutLicence: room that is known to come is no start for a
// gang that lacks a licence.
func TestNoEstimateWithoutLicence(t *testing.T) {
	s := New(Config{})
	s.Step(NodeUp{1, core.Node{ID: "a", Capacity: core.Resources{CPU: 1000, Memory: 1 << 30}}})
	one := core.Resources{CPU: 1000}
	s.Step(Submit{Now: 2, Request: Request{Gang: "runs/m", Job: "runs", Size: 1, Each: one, Walltime: 1000}})
	for licences, known := range map[int64]bool{0: true, 2: false} {
		q := Request{Gang: "waits/m", Job: "waits", Size: 1, Each: one, Walltime: 1000}
		if licences > 0 {
			q.Licences = map[string]int64{"matlab": licences}
		}
		s.Step(Submit{Now: 3, Request: q})
		if x := s.Why(q.Gang); (x.Estimate != 0) != known {
			t.Errorf("with %d licences that are not there: %v", licences, x)
		}
		s.Step(Cancel{Now: 4, Gang: q.Gang})
	}
}
