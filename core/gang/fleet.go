package gang

import (
	"maps"
	"slices"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/place"
)

// fleet is the nodes and what is granted on them.
type fleet struct {
	machines map[core.NodeID]*machine
	// view is the machines as package place wants them, with at as its index.
	// stale says that it has to be made anew before use: a topology changes
	// rarely, and a thousand nodes that come up together sort once.
	view  []place.Node
	at    map[core.NodeID]int
	stale bool
}

// machine is what is known of a node.
type machine struct {
	core.Node
	used           core.Resources
	executors      int
	down, draining bool
}

func newFleet() fleet { return fleet{machines: map[core.NodeID]*machine{}} }

func (f *fleet) clone() fleet {
	c := fleet{machines: make(map[core.NodeID]*machine, len(f.machines)), stale: true}
	for id, m := range f.machines {
		v := *m
		c.machines[id] = &v
	}
	return c
}

// closed says why m takes no executors; "" if it does.
func (m *machine) closed() string {
	switch {
	case m.down:
		return "down"
	case m.draining:
		return "draining"
	}
	return ""
}

func (f *fleet) up(n core.Node) {
	n.Labels = maps.Clone(n.Labels)
	m := f.machine(n.ID)
	m.Node, m.down = n, false
	f.stale = true
}

// machine is the machine called id; one that is not known is made, down and
// without capacity.
func (f *fleet) machine(id core.NodeID) *machine {
	m := f.machines[id]
	if m == nil {
		m = &machine{Node: core.Node{ID: id}, down: true}
		f.machines[id] = m
		f.stale = true
	}
	return m
}

func (f *fleet) drain(id core.NodeID, drain bool) {
	if m := f.machines[id]; m != nil {
		m.draining = drain
		f.stale = true
	}
}

// take grants one executor's share of a node.
func (f *fleet) take(id core.NodeID, each core.Resources) {
	m := f.machine(id)
	m.used = m.used.Add(each)
	m.executors++
	f.settle(m)
}

// give returns one executor's share.
func (f *fleet) give(id core.NodeID, each core.Resources) {
	m := f.machine(id)
	m.used = m.used.Sub(each)
	m.executors--
	f.settle(m)
}

func (f *fleet) settle(m *machine) {
	if !f.stale {
		f.view[f.at[m.ID]].Free = m.Capacity.Sub(m.used)
	}
}

// nodes is the fleet in topology order. It is the fleet's own: read it only,
// and not after the next change.
func (f *fleet) nodes() []place.Node {
	if !f.stale {
		return f.view
	}
	f.view = f.view[:0:0]
	for _, m := range f.machines {
		f.view = append(f.view, place.Node{
			ID: m.ID, Zone: m.Zone, Rack: m.Rack, Capacity: m.Capacity,
			Free: m.Capacity.Sub(m.used), Closed: m.closed(),
		})
	}
	place.Sort(f.view) // ids are unique: the map's order leaves no trace
	f.at = make(map[core.NodeID]int, len(f.view))
	for i := range f.view {
		f.at[f.view[i].ID] = i
	}
	f.stale = false
	return f.view
}

// sketch is a copy of the fleet's nodes on which a future can be drawn.
type sketch struct {
	nodes []place.Node
	at    map[core.NodeID]int // shared with the fleet, read only
}

func (f *fleet) sketch() sketch { return sketch{slices.Clone(f.nodes()), f.at} }

func (s sketch) take(ids []core.NodeID, each core.Resources) {
	for _, id := range ids {
		n := &s.nodes[s.at[id]]
		n.Free = n.Free.Sub(each)
	}
}

func (s sketch) give(ids []core.NodeID, each core.Resources) {
	for _, id := range ids {
		n := &s.nodes[s.at[id]]
		n.Free = n.Free.Add(each)
	}
}

// described reports whether any node ever said what it can hold.
func (f *fleet) described() bool {
	for _, m := range f.machines {
		if m.Capacity != (core.Resources{}) {
			return true
		}
	}
	return false
}
