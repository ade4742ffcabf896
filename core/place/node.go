package place

import (
	"cmp"
	"slices"

	"github.com/capstan-run/capstan/core"
)

// Node is a machine as a placement sees it.
type Node struct {
	ID         core.NodeID
	Zone, Rack string
	Capacity   core.Resources
	Free       core.Resources // may be negative if capacity shrank
	// Closed says why the node takes no new ranks: "down", "draining"; "" if
	// it takes some.
	Closed string
}

// Sort puts nodes in topology order: zone, rack, id. All functions of this
// package want their nodes so.
func Sort(nodes []Node) {
	slices.SortFunc(nodes, func(a, b Node) int {
		return cmp.Or(cmp.Compare(a.Zone, b.Zone), cmp.Compare(a.Rack, b.Rack), cmp.Compare(a.ID, b.ID))
	})
}

// room is how many ranks of each fit on n, whether it is closed or not.
func (n *Node) room(each core.Resources) int {
	room := int64(unlimited)
	if each.CPU > 0 {
		room = min(room, int64(n.Free.CPU/each.CPU))
	}
	if each.Memory > 0 {
		room = min(room, int64(n.Free.Memory/each.Memory))
	}
	return int(max(room, 0))
}

// unlimited is the room of a node for ranks that need nothing. A million
// million of them still fit an int64.
const unlimited = 1 << 20

// level is a height in the topology.
type level int

const (
	host level = iota
	rack
	zone
	cluster
)

func (l level) String() string { return [...]string{"host", "rack", "zone", "cluster"}[l] }

// levelOf reads a policy's level; ok is false for an unknown one.
func levelOf(s string) (level, bool) {
	for l := host; l < cluster; l++ {
		if l.String() == s {
			return l, true
		}
	}
	return cluster, false
}

// same reports whether a and b are in one domain of level l.
func same(l level, a, b *Node) bool {
	switch l {
	case host:
		return a.ID == b.ID
	case rack:
		return a.Zone == b.Zone && a.Rack == b.Rack
	case zone:
		return a.Zone == b.Zone
	default:
		return true
	}
}

// domainEnd is the end of the domain of level l that begins at node lo.
func domainEnd(nodes []Node, l level, lo int) int {
	if l == cluster {
		return len(nodes)
	}
	hi := lo + 1
	for hi < len(nodes) && same(l, &nodes[lo], &nodes[hi]) {
		hi++
	}
	return hi
}
