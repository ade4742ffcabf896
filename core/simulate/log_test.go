package simulate

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/gang"
)

// written is the log of a scheduler that was told these events.
func written(t *testing.T, events ...gang.Event) string {
	t.Helper()
	b, err := gang.AppendConfig(nil, gang.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if b, err = gang.AppendEvent(b, e); err != nil {
			t.Fatal(err)
		}
	}
	return string(b)
}

func TestLog(t *testing.T) {
	node := func(id core.NodeID, cpu core.MilliCPU) core.Node {
		return core.Node{ID: id, Rack: "r", Capacity: core.Resources{CPU: cpu}}
	}
	each := core.Resources{CPU: 1000}
	array, err := core.ParseArray("0-1")
	if err != nil {
		t.Fatal(err)
	}
	w, err := Log{"events", strings.NewReader(written(t,
		gang.NodeUp{Now: 1000, Node: node("a", 2000)},
		gang.NodeUp{Now: 1000, Node: node("b", 1000)},
		gang.NodeUp{Now: 1001, Node: node("b", 4000)},
		gang.Submit{Now: 2000, Request: gang.Request{Gang: "j1/main", Job: "j1", Size: 2, Each: each, Walltime: 90_000}},
		gang.Submit{Now: 2500, Request: gang.Request{Gang: "j2/main", Job: "j2", Size: 1, Each: each, Array: array, When: gang.When{Begin: 2600}}},
		gang.Submit{Now: 2600, Request: gang.Request{Gang: "j3/main", Job: "j3", Size: 1, Each: each, Walltime: 90_000}},
		gang.Submit{Now: 2700, Request: gang.Request{Gang: "j4/main", Job: "j4", Size: 1, Each: each, Walltime: 90_000}},
		gang.Started{Now: 3000, Gang: "j1/main", Lease: 1},
		gang.Started{Now: 3000, Gang: "j2/main[0]", Lease: 2},
		gang.Release{Now: 5000, Gang: "j1/main"},
		gang.Submit{Now: 5100, Request: gang.Request{Gang: "j1/main", Job: "j1", Size: 2, Each: each, Walltime: 90_000}},
		gang.Started{Now: 5200, Gang: "j1/main", Lease: 3},
		gang.Release{Now: 5300, Gang: "j2/main[0]"},
		gang.Cancel{Now: 5400, Gang: "j1/main"},
		gang.Cancel{Now: 5500, Gang: "j3/main"},
		gang.NodeDown{Now: 5600, ID: "a"},
		gang.Submit{Now: 5700, Request: gang.Request{Gang: "j5/main", Job: "j5", Size: 7, Each: each, Walltime: 90_000}},
		gang.Started{Now: 5800, Gang: "j5/main", Lease: 4},
		gang.Release{Now: 5900, Gang: "j5/main"},
	))}.Workload()
	if err != nil {
		t.Fatal(err)
	}
	want := []Job{
		{Request: gang.Request{Gang: "j1/main", Job: "j1", Size: 2, Each: each, Walltime: 90_000}, Arrive: 2000, Run: 2000},
		{Request: gang.Request{Gang: "j2/main[0]", Job: "j2", Size: 1, Each: each, Walltime: 2300}, Arrive: 2500, Run: 2300},
		{Request: gang.Request{Gang: "j1/main#2", Job: "j1", Size: 2, Each: each, Walltime: 90_000}, Arrive: 5100, Run: 200},
	}
	if diff := cmp.Diff(want, w.Jobs); diff != "" {
		t.Errorf("jobs (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]core.Node{node("a", 2000), node("b", 4000)}, w.Machine.Nodes); diff != "" {
		t.Errorf("nodes (-want +got):\n%s", diff)
	}
	notes := []Note{
		{"was held back by more than room: arrives when it was submitted", 1, []int{6}},
		{"no walltime is known: what it used stands for it", 1, []int{6}},
		{"cancelled before it ran: left out", 1, []int{7}},
		{"a node went down: it stays up", 1, []int{17}},
		{"had not ended when the log did: left out", 1, []int{8}},
		{"larger than the machine: left out", 1, []int{20}},
	}
	if diff := cmp.Diff(notes, w.Notes); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
	for _, p := range Policies() {
		check(t, w, run(t, w, p.Name))
	}
	if got := w.Machine.String(); got != "2 nodes with 6 cpu in all" {
		t.Errorf("the machine is %q", got)
	}
}

func TestLogFaults(t *testing.T) {
	up := written(t, gang.NodeUp{Now: 1, Node: core.Node{ID: "a"}})
	for _, c := range []struct{ text, what string }{
		{up + "{\"Nothing\":{}}\n", `line 3 is no event of a scheduler: read event: no event is called "Nothing"`},
		{up, "the log has no gang that ended"},
	} {
		_, err := Log{"events", strings.NewReader(c.text)}.Workload()
		var e *core.Error
		if !errors.As(err, &e) || e.Kind != core.Invalid || !strings.Contains(e.What, c.what) || e.Where != "events" || e.Remedy == "" {
			t.Errorf("%#v, want %q", err, c.what)
		}
	}
}
