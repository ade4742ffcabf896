package simulate

import (
	"fmt"
	"testing"

	"github.com/capstan-run/capstan/core"
)

// inParts makes ranks of one to five CPUs and odd amounts of memory of the jobs
// of a model, on nodes of eight, in racks of eight: some gangs have to lie in one.
// What such ranks leave over of a node fits few.
func inParts(t *testing.T, m Model) *Workload {
	t.Helper()
	w, err := m.Workload()
	if err != nil {
		t.Fatal(err)
	}
	w.Machine = Machine{}
	nodes := m.CPUs / 8
	for i := range nodes {
		w.Machine.Nodes = append(w.Machine.Nodes, core.Node{ID: core.NodeID(fmt.Sprintf("n%03d", i)), Rack: fmt.Sprintf("r%d", i/8), Capacity: core.Resources{CPU: 8000, Memory: 32 << 30}})
	}
	cpus := []int{1, 5, 2, 3, 5, 1, 3}
	for i := range w.Jobs {
		q, c := &w.Jobs[i].Request, cpus[i%len(cpus)]
		q.Size = max(1, min(q.Size/c, nodes*(8/c)))
		q.Each = core.Resources{CPU: core.MilliCPU(1000 * c), Memory: core.Bytes(1+i%5) << 29}
		if i%3 == 0 && q.Size <= 8*(8/c) {
			q.Placement.Pack = "rack"
		}
	}
	return w
}

// TestPromisesInParts: of a hundred quoted starts the kernel keeps 99 where ranks
// leave parts of nodes over.
func TestPromisesInParts(t *testing.T) {
	for _, m := range []Model{
		{Seed: 11, Jobs: 1500, CPUs: 256, Load: 0.7},
		{Seed: 12, Jobs: 1500, CPUs: 256, Load: 0.85},
		{Seed: 13, Jobs: 1500, CPUs: 256, Load: 0.85},
	} {
		w := inParts(t, m)
		o := run(t, w, Kernel)
		check(t, w, o)
		s := o.Summary()
		t.Logf("%s: wait %.0f s, %d of %d promises kept", w.Name, s.Wait.Mean, s.Promises.Kept, s.Promises.Made)
		if s.Promises.Made < 200 || s.Promises.Share() < 0.99 {
			t.Errorf("%s: %d of %d promises were kept", w.Name, s.Promises.Kept, s.Promises.Made)
		}
	}
}
