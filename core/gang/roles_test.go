package gang

import (
	"testing"

	"github.com/capstan-run/capstan/core"
)

// TestRolesTogether: a gang of two roles that compete for a node starts once
// both fit, though no more ranks of either one fit than before.
func TestRolesTogether(t *testing.T) {
	s := New(Config{})
	s.Step(NodeUp{1, core.Node{ID: "a", Capacity: core.Resources{CPU: 4000}, Generic: map[string]int64{"gpu": 1}}})
	for _, id := range []ID{"x/m", "y/m"} {
		if r := s.Step(Submit{Now: 1, Request: Request{Gang: id, Size: 1, Each: core.Resources{CPU: 1000}}}); len(r.Actions) != 1 {
			t.Fatal(r)
		}
	}
	// Two cpus are free: enough for either role, and three for both.
	s.Step(Submit{Now: 2, Request: Request{Gang: "z/m", Size: 2, Each: core.Resources{CPU: 1000}, Roles: []core.Role{
		{Name: "master", Size: 1, CPU: 2000},
		{Name: "worker", Size: 1, CPU: 1000, Generic: map[string]int64{"gpu": 1}},
	}}})
	if r := s.Step(Release{Now: 3, Gang: "x/m"}); len(r.Actions) != 1 {
		t.Fatalf("%+v, want the grant of z/m", r)
	}
}
