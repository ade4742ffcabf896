package schedule

import (
	"fmt"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/gang"
)

// layout is a cluster of equal nodes.
type layout struct {
	nodes   int
	rack    int // nodes of each rack
	zone    int // nodes of each zone
	each    core.Resources
	generic map[string]int64
}

// plain is so many nodes of 64 CPUs, 50 to a rack and 2,500 to a zone.
func plain(nodes int) layout {
	return layout{nodes: nodes, rack: 50, zone: 2500, each: core.Resources{CPU: 64_000, Memory: 256 << 30}}
}

// events brings up the nodes. One in two is of disk class ssd.
func (l layout) events() []gang.Event {
	var out []gang.Event
	for i := range l.nodes {
		n := core.Node{
			ID: core.NodeID(fmt.Sprintf("n%06d", i)), Rack: fmt.Sprintf("r%05d", i/l.rack), Zone: fmt.Sprintf("z%03d", i/l.zone),
			Capacity: l.each, Generic: l.generic, Labels: map[string]string{"disk": "ssd", "os": "linux"},
		}
		if i%2 == 1 {
			n.Labels["disk"] = "nvme"
		}
		out = append(out, gang.NodeUp{Now: 1, Node: n})
	}
	return out
}

// kernel is a scheduler with what the benchmarks do to it.
type kernel struct {
	*gang.Scheduler
	now int64
}

func newKernel(c gang.Config, l layout) *kernel {
	k := &kernel{gang.New(c), 1}
	for _, e := range l.events() {
		k.Step(e)
	}
	return k
}

// submit asks for a gang and returns its grant, if there was one at once.
func (k *kernel) submit(q gang.Request) (gang.Grant, bool) {
	return granted(k.Step(gang.Submit{Now: k.now, Request: q}), q.Gang)
}

func granted(r gang.Result, id gang.ID) (gang.Grant, bool) {
	for _, a := range r.Actions {
		if g, ok := a.(gang.Grant); ok && g.Gang == id {
			return g, true
		}
	}
	return gang.Grant{}, false
}

// run asks for a gang that has to find room at once, and starts it.
func (k *kernel) run(q gang.Request) error {
	g, ok := k.submit(q)
	if !ok {
		return fmt.Errorf("gang %s found no room: %v", q.Gang, k.Why(q.Gang))
	}
	k.Step(gang.Started{Now: k.now, Gang: g.Gang, Lease: g.Lease})
	return nil
}

// rested lets the pass happen that is due from what went before, and time
// enough after it that the next step has a pass of its own (law G13 of package
// gang).
func (k *kernel) rested() {
	k.now++
	if next := k.Next(); next > 0 {
		k.now = max(k.now, next)
		k.Step(gang.Tick{Now: k.now})
		k.now += 10_000
	}
}

func (k *kernel) release(id gang.ID) gang.Result {
	return k.Step(gang.Release{Now: k.now, Gang: id})
}

// job is the ID of the only gang of job i of a sort.
func job(sort string, i int) (gang.ID, core.JobID) {
	j := core.JobID(fmt.Sprintf("%s%07d", sort, i))
	return gang.IDOf(j, "m"), j
}
