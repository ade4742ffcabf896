package gang

import (
	"fmt"
	"slices"
	"strings"

	"github.com/capstan-run/capstan/core"
)

// Snapshot is the state for people and programs outside: see Scheduler.Snapshot.
type Snapshot struct {
	Now   int64      `json:"now"`
	Lease uint64     `json:"lease"` // last granted
	Nodes []NodeView `json:"nodes"` // in topology order
	Gangs []GangView `json:"gangs"` // by ID
}

// NodeView is a node and what is granted on it.
type NodeView struct {
	core.Node
	State     string         `json:"state"` // "up", "draining", "down"
	Free      core.Resources `json:"free"`  // negative if the capacity shrank below what is granted
	Executors int            `json:"executors"`
}

// GangView is a gang and where it is in its life.
type GangView struct {
	Request
	State    string        `json:"state"`           // "waiting", "starting", "running", "expired"
	Position int           `json:"position"`        // in the line, from 1; 0 unless it or one of its ranks waits
	Lease    uint64        `json:"lease,omitempty"` // of what it holds
	Nodes    []core.NodeID `json:"nodes,omitempty"` // by rank
	Lost     []int         `json:"lost,omitempty"`
	Since    int64         `json:"since,omitempty"` // when it started
	Due      int64         `json:"due,omitempty"`   // end of its start timeout or walltime
	Revokes  int           `json:"revokes,omitempty"`
}

// Snapshot returns the state as of the last event. The receiver owns it.
func (s *Scheduler) Snapshot() Snapshot {
	v := Snapshot{Now: s.now, Lease: s.lease}
	for _, n := range s.fleet.nodes() {
		m := s.fleet.machines[n.ID]
		state := m.closed()
		if state == "" {
			state = "up"
		}
		v.Nodes = append(v.Nodes, NodeView{Node: m.Node, State: state, Free: n.Free, Executors: m.executors})
	}
	position := make(map[string]int, s.line.Len())
	for i := range s.line.Len() {
		if id := s.line.At(i).Gang; position[id] == 0 {
			position[id] = i + 1
		}
	}
	for _, g := range s.ordered() {
		v.Gangs = append(v.Gangs, g.view(position[string(g.Gang)]))
	}
	return v
}

func (g *member) view(position int) GangView {
	v := GangView{
		Request: g.Request, State: string(g.phase), Position: position, Lease: g.lease,
		Nodes: slices.Clone(g.nodes), Since: g.since, Due: g.due, Revokes: g.revokes,
	}
	for rank, lost := range g.lost {
		if lost {
			v.Lost = append(v.Lost, rank)
		}
	}
	return v
}

// Gang returns one gang, or false if it is not known.
func (s *Scheduler) Gang(id ID) (GangView, bool) {
	g := s.gangs[id]
	if g == nil {
		return GangView{}, false
	}
	return g.view(s.position(g) + 1), true
}

// String is the state, one line for each node and gang: the same for the same
// events.
func (s *Scheduler) String() string { return s.Snapshot().String() }

func (v Snapshot) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "now %d, last lease %d\n", v.Now, v.Lease)
	for _, n := range v.Nodes {
		fmt.Fprintf(&b, "node %s %s: %d executors, free %s of %s\n", n.ID, n.State, n.Executors, n.Free, n.Capacity)
	}
	for _, g := range v.Gangs {
		b.WriteString(g.line())
	}
	return b.String()
}

func (g GangView) line() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s: %s, priority %d", g.Gang, g.State, g.Request, g.Priority)
	if g.Position > 0 {
		fmt.Fprintf(&b, ", line %d", g.Position)
	}
	if g.Lease != 0 {
		lost := make([]bool, len(g.Nodes))
		for _, rank := range g.Lost {
			lost[rank] = true
		}
		fmt.Fprintf(&b, ", lease %d: %s", g.Lease, ranks(g.Nodes, lost))
	}
	if g.Due != 0 {
		fmt.Fprintf(&b, ", due %d", g.Due)
	}
	if g.Revokes > 0 {
		fmt.Fprintf(&b, ", revokes %d", g.Revokes)
	}
	b.WriteByte('\n')
	return b.String()
}
