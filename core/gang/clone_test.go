package gang

import (
	"fmt"
	"testing"

	"github.com/capstan-run/capstan/core"
	"pgregory.net/rapid"
)

// TestCloneFirst takes part of the line along: the copy keeps every law through
// whatever comes, and the original does not notice.
func TestCloneFirst(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, now, last := New(Config{}), int64(0), uint64(0)
		for range rapid.IntRange(1, 60).Draw(t, "events") {
			s.Step(anyEvent(t, s, &now))
		}
		before := fmt.Sprint(s)
		n := rapid.IntRange(0, 8).Draw(t, "kept")
		c := s.CloneFirst(n)
		if err := audit(c); err != nil {
			t.Fatalf("the copy of %d: %v", n, err)
		}
		for id, g := range s.gangs {
			if _, ok := c.Gang(id); !ok && !g.inLine {
				t.Fatalf("%s is %s, and not in the copy", id, g.phase)
			}
		}
		same := s.Snapshot()
		for i, g := range c.Snapshot().Gangs {
			if was, ok := s.Gang(g.Gang); !ok || was.State != g.State || was.Lease != g.Lease {
				t.Fatalf("gang %d of the copy is %v, and was %v of %d", i, g, was, len(same.Gangs))
			}
		}
		for range rapid.IntRange(1, 30).Draw(t, "more") {
			e := anyEvent(t, c, &now)
			r := c.Step(e)
			checkGrants(t, c, r, &last)
			if err := audit(c); err != nil {
				t.Fatalf("the copy of %d after %#v: %v", n, e, err)
			}
		}
		if after := fmt.Sprint(s); after != before {
			t.Fatalf("the original has changed:\n%s\n---\n%s", before, after)
		}
	})
}

// TestCloneFirstAnswers: what starts when room comes is the same as if all were
// there, as far as those that were taken along.
func TestCloneFirstAnswers(t *testing.T) {
	s := New(Config{})
	one := core.Resources{CPU: 1000, Memory: 1 << 30}
	node := func(id core.NodeID, cores int) NodeUp {
		return NodeUp{1, core.Node{ID: id, Capacity: core.Resources{CPU: core.MilliCPU(cores) * 1000, Memory: 64 << 30}}}
	}
	s.Step(node("a", 1))
	for i := range 50 {
		s.Step(Submit{Now: int64(i + 1), Request: Request{Gang: ID(fmt.Sprintf("j%02d/m", i)), Job: core.JobID(fmt.Sprintf("j%02d", i)), Size: 1, Each: one}})
	}
	c := s.CloneFirst(10, "j45/m")
	if n := len(c.Snapshot().Gangs); n != 12 { // one runs, ten wait, one was named
		t.Errorf("%d gangs in the copy, not 12", n)
	}
	var got, want []string
	for _, a := range c.Step(node("b", 8)).Actions {
		got = append(got, fmt.Sprint(a.(Grant).Gang))
	}
	for _, a := range s.Step(node("b", 8)).Actions {
		want = append(want, fmt.Sprint(a.(Grant).Gang))
	}
	if len(got) != 8 || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("granted %v, not %v", got, want)
	}
	if x := c.Why("j45/m"); !x.Waits() || x.Ahead == nil {
		t.Errorf("the gang that was named: %v", x)
	}
}

// TestCloneFirstJobs: of a job that runs several gangs the copy has all, whichever
// of them it came to first.
func TestCloneFirstJobs(t *testing.T) {
	s := New(Config{})
	one := core.Resources{CPU: 1000, Memory: 1 << 30}
	s.Step(NodeUp{1, core.Node{ID: "a", Capacity: core.Resources{CPU: 4000, Memory: 64 << 30}}})
	for i := range 20 {
		id := IDOf("several", fmt.Sprint(i))
		s.Step(Submit{Now: 1, Request: Request{Gang: id, Job: "several", Size: 1, Each: one}})
	}
	c := s.CloneFirst(2)
	if n := len(c.jobs["several"].gangs); n != 4 {
		t.Errorf("%d gangs of the job run in the copy, not 4", n)
	}
	for i := range 4 {
		c.Step(Release{Now: 2, Gang: IDOf("several", fmt.Sprint(i))})
		if err := audit(c); err != nil {
			t.Fatal(err)
		}
	}
}
