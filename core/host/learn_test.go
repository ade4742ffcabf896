package host

import (
	"testing"
	"time"

	"github.com/capstan-run/capstan/core"
)

// TestPredictsWhatTookSoLong: the next job of a user's name is expected to take
// what the last ones took; what failed says nothing.
func TestPredictsWhatTookSoLong(t *testing.T) {
	h, began := new(Host), time.Unix(1000, 0)
	spec := core.Spec{Metadata: core.Metadata{Name: "sort", User: "ann", Walltime: core.Duration(time.Hour)}}
	for took, state := range map[time.Duration]core.State{40 * time.Second: core.Succeeded, 7 * time.Second: core.FailedJob} {
		h.learn(&core.Job{Spec: spec, State: state, Started: began, Ended: began.Add(took)})
	}
	h.learn(&core.Job{Spec: spec, State: core.Succeeded, Started: began, Ended: began.Add(20 * time.Second)})
	h.learn(&core.Job{Spec: spec, State: core.Succeeded, Ended: began}) // it never ran
	g := &gangRun{attempt: &attempt{h: h, job: &job{rec: record{Job: core.Job{Spec: spec}}}}, state: &gangState{}}
	if got := g.request().Predicted; got != 30_000 {
		t.Fatalf("%d ms are expected, want 30000", got)
	}
}
