package gang

import (
	"slices"
	"testing"

	"github.com/capstan-run/capstan/core"
)

// waitingForOne is a scheduler of one node that r/m holds for a minute, and on which
// w/m waits for it.
func waitingForOne(t *testing.T) *Scheduler {
	t.Helper()
	s := New(Config{})
	ask := func(name core.JobID) Request {
		return Request{Gang: IDOf(name, "m"), Job: name, Size: 1, Each: core.Resources{CPU: 1000}, Walltime: 60_000}
	}
	s.Step(NodeUp{1000, core.Node{ID: "a", Capacity: core.Resources{CPU: 1000}}})
	s.Step(Submit{Now: 1000, Request: ask("r")})
	s.Step(Submit{Now: 1000, Request: ask("w")})
	if g := s.gangs["w/m"]; g == nil || !g.inLine {
		t.Fatalf("w/m should wait: %v", s)
	}
	return s
}

// TestRefusedWhileResting: who is given up while the next pass has to rest is
// told of at once, as its gang is gone at once.
func TestRefusedWhileResting(t *testing.T) {
	s := waitingForOne(t)
	after := Request{Gang: "d/m", Job: "d", Size: 1, Each: core.Resources{CPU: 1000}}
	after.When.After = []core.Dependency{{Job: "x", Ended: "ok"}}
	s.Step(Submit{Now: 1000, Request: after})
	s.moved, s.rest.until = true, 5000
	r := s.Step(JobEnded{2000, "x", Failed})
	if !slices.ContainsFunc(r.Actions, func(a Action) bool { v, ok := a.(Refuse); return ok && v.Gang == "d/m" }) {
		t.Errorf("d/m was given up without a word: %v", r.Actions)
	}
	if s.gangs["d/m"] != nil || s.now >= s.rest.until {
		t.Errorf("d/m should be gone, and the pass rest: %v", s)
	}
}

// TestAnswersDelayNoPass: what an answer looks at is not counted as effort of a
// pass, or who asks would change what is decided (law G3).
func TestAnswersDelayNoPass(t *testing.T) {
	s := waitingForOne(t)
	before := s.tired()
	if x := s.Why("w/m"); x.Estimate == 0 {
		t.Fatalf("an estimate was to be worked out: %v", x)
	}
	if n := s.tired(); n != before {
		t.Errorf("an answer counts as %d looks of a pass", n-before)
	}
}
