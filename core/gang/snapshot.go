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
	State     string           `json:"state"`          // "up", "draining", "quarantined", "down"
	Free      core.Resources   `json:"free"`           // negative if the capacity shrank below what is granted
	Left      map[string]int64 `json:"left,omitempty"` // of the generic resources
	Executors int              `json:"executors"`
	Until     int64            `json:"until,omitempty"` // end of its quarantine, or deadline of its drain
}

// GangView is a gang and where it is in its life.
type GangView struct {
	Request
	State    string        `json:"state"`           // "held", "waiting", "starting", "running", "leaving", "expired"
	Position int           `json:"position"`        // in the line, from 1; 0 unless it or one of its ranks waits
	Lease    uint64        `json:"lease,omitempty"` // of what it holds
	Nodes    []core.NodeID `json:"nodes,omitempty"` // by rank
	Ranks    []int         `json:"ranks,omitempty"` // the role of each rank
	Lost     []int         `json:"lost,omitempty"`
	Since    int64         `json:"since,omitempty"`   // when it started
	Due      int64         `json:"due,omitempty"`     // end of its start timeout, its notice or its walltime
	Promise  int64         `json:"promise,omitempty"` // the start that was quoted first
	Revokes  int           `json:"revokes,omitempty"`
	Evicted  int           `json:"evicted,omitempty"` // times it had to give way
	Elements *Elements     `json:"elements,omitempty"`
}

// Elements is how far an array is: intervals of its elements, from 0.
type Elements struct {
	Waiting string `json:"waiting"` // "5-9,12"
	OK      string `json:"ok"`
	Failed  string `json:"failed"`
	Running int    `json:"running"`
}

// Snapshot returns the state as of the last event. The receiver owns it.
func (s *Scheduler) Snapshot() Snapshot {
	v := Snapshot{Now: s.now, Lease: s.lease, Nodes: s.NodeViews()}
	position := s.positions()
	for _, g := range s.ordered() {
		v.Gangs = append(v.Gangs, s.view(g, position[g]))
	}
	return v
}

// NodeViews returns the nodes in topology order. The receiver owns it.
func (s *Scheduler) NodeViews() []NodeView {
	executors := make([]int, s.fleet.Len())
	for _, g := range s.granted.list {
		for rank, n := range g.nodes {
			if !g.lost[rank] {
				executors[n]++
			}
		}
	}
	var out []NodeView
	for _, n := range s.fleet.Order() {
		k, free := s.nodes[n], s.fleet.Free(n)
		v := NodeView{Node: s.fleet.Node(n), State: orElse(k.closed(), "up"), Free: free.Resources(), Executors: executors[n],
			Until: earlier(k.until, k.quarantine)}
		kinds := s.fleet.Kinds()
		for i := 2; i < kinds.Len(); i++ {
			if name := kinds.Name(i); v.Generic[name] > 0 {
				if v.Left == nil {
					v.Left = map[string]int64{}
				}
				v.Left[name] = free[i]
			}
		}
		out = append(out, v)
	}
	return out
}

// positions is the place in line of every gang that waits, from 1.
func (s *Scheduler) positions() map[*member]int {
	out := map[*member]int{}
	n := 0
	for _, v := range s.repairs {
		n++
		if out[v.gang] == 0 {
			out[v.gang] = n
		}
	}
	s.tree.Each(s.now, func(id uint64) bool {
		n++
		out[s.byNumber[id]] = n
		return true
	})
	return out
}

func (s *Scheduler) view(g *member, position int) GangView {
	v := GangView{
		Request: *g.Request, State: string(g.phase), Position: position, Lease: g.lease, Nodes: s.ids(g.nodes),
		Ranks: slices.Clone(g.roles), Since: g.since, Due: g.due, Promise: g.promise, Revokes: g.revokes, Evicted: g.evicted,
	}
	v.Gang = g.Gang
	if g.nodes == nil {
		v.Nodes = nil
	}
	for rank, lost := range g.lost {
		if lost {
			v.Lost = append(v.Lost, rank)
		}
	}
	if a := g.array; a != nil {
		v.Elements = &Elements{a.waits.String(), a.ok.String(), a.failed.String(), a.granted}
	}
	return v
}

// Gang returns one gang, or false if it is not known.
func (s *Scheduler) Gang(id ID) (GangView, bool) {
	g := s.gangs[id]
	if g == nil {
		return GangView{}, false
	}
	return s.view(g, s.position(g)+1), true
}

// String is the state, one line for each node and gang: the same for the same
// events.
func (s *Scheduler) String() string { return s.Snapshot().String() }

func (v Snapshot) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "now %d, last lease %d\n", v.Now, v.Lease)
	for _, n := range v.Nodes {
		fmt.Fprintf(&b, "node %s %s: %d executors, free %s of %s", n.ID, n.State, n.Executors, n.Free, n.Capacity)
		if n.Until != 0 {
			fmt.Fprintf(&b, ", until %d", n.Until)
		}
		b.WriteByte('\n')
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
	if g.Promise != 0 && g.Lease == 0 {
		fmt.Fprintf(&b, ", promised %d", g.Promise)
	}
	if g.Revokes > 0 {
		fmt.Fprintf(&b, ", revokes %d", g.Revokes)
	}
	if e := g.Elements; e != nil {
		fmt.Fprintf(&b, ", elements waiting [%s] running %d ok [%s] failed [%s]", e.Waiting, e.Running, e.OK, e.Failed)
	}
	b.WriteByte('\n')
	return b.String()
}
