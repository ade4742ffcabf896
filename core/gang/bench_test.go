package gang

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/capstan-run/capstan/core"
)

// loaded is a cluster of so many nodes, 50 to a rack and 50 racks to a zone,
// of which sixty in a hundred are busy.
func loaded(nodes int) *Scheduler {
	s := New(Config{Explain: true})
	for i := range nodes {
		s.Step(NodeUp{1, core.Node{
			ID: core.NodeID(fmt.Sprintf("n%05d", i)), Rack: fmt.Sprintf("r%03d", i/50), Zone: fmt.Sprintf("z%d", i/2500),
			Capacity: core.Resources{CPU: 32000, Memory: 128 << 30},
		}})
	}
	for i := 0; i < nodes; i += 100 {
		s.Step(Submit{Now: 1, Request: Request{Gang: ID(fmt.Sprintf("busy%d/m", i)), Size: 60 * 32, Each: core.Resources{CPU: 1000, Memory: 1 << 30}}})
	}
	return s
}

// BenchmarkGrant is a gang of 1,000 on 10,000 nodes: submit, grant, release.
func BenchmarkGrant(b *testing.B) {
	s := loaded(10_000)
	q := Request{Gang: "big/m", Size: 1000, Each: core.Resources{CPU: 2000, Memory: 4 << 30}}
	for b.Loop() {
		if r := s.Step(Submit{Now: 2, Request: q}); len(r.Actions) != 1 {
			b.Fatal(r)
		}
		s.Step(Release{Now: 3, Gang: "big/m"})
	}
}

// BenchmarkWait is the same where there is no room: the gang queues, with its
// reasons, and is cancelled.
func BenchmarkWait(b *testing.B) {
	s := loaded(10_000)
	q := Request{Gang: "big/m", Size: 8000, Each: core.Resources{CPU: 32000, Memory: 4 << 30}}
	for b.Loop() {
		if r := s.Step(Submit{Now: 2, Request: q}); len(r.Explanations) != 1 {
			b.Fatal(r)
		}
		s.Step(Cancel{3, "big/m", ""})
	}
}

// TestSnapshotAsJSON: what the API answers reads back as it was.
func TestSnapshotAsJSON(t *testing.T) {
	s := loaded(100)
	s.Step(Submit{Now: 2, Request: Request{Gang: "j/m", Job: "j", Size: 64, Each: core.Resources{CPU: 32000}, Walltime: 5}})
	want := s.Snapshot()
	b, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got Snapshot
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
	// Nothing returned aliases the state.
	want.Gangs[0].Nodes[0] = "elsewhere"
	if again, _ := s.Gang(want.Gangs[0].Gang); again.Nodes[0] == "elsewhere" {
		t.Fatal("the snapshot aliases the state")
	}
}
