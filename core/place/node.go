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

	zone, rack int // numbers of its domains, given by Sort
}

// Sort puts nodes in topology order: zone, rack, id. All functions of this
// package want their nodes sorted by it.
func Sort(nodes []Node) {
	slices.SortFunc(nodes, func(a, b Node) int {
		return cmp.Or(cmp.Compare(a.Zone, b.Zone), cmp.Compare(a.Rack, b.Rack), cmp.Compare(a.ID, b.ID))
	})
	for i := range nodes {
		n := &nodes[i]
		n.zone, n.rack = 0, 0
		if i == 0 {
			continue
		}
		before := &nodes[i-1]
		n.zone, n.rack = before.zone, before.rack
		if n.Zone != before.Zone {
			n.zone, n.rack = n.zone+1, n.rack+1
		} else if n.Rack != before.Rack {
			n.rack++
		}
	}
}

// room is how many ranks of each fit into free. Where more is granted than
// there is, none does, not even one that needs nothing.
func room(free, each core.Resources) int {
	if free.CPU < 0 || free.Memory < 0 {
		return 0
	}
	room := int64(unlimited)
	if each.CPU > 0 {
		room = min(room, int64(free.CPU/each.CPU))
	}
	if each.Memory > 0 {
		room = min(room, int64(free.Memory/each.Memory))
	}
	return int(room)
}

// same reports whether nodes a and b are in one domain of level l.
func same(nodes []Node, l level, a, b int) bool {
	switch l {
	case host:
		return a == b
	case rack:
		return nodes[a].rack == nodes[b].rack
	case zone:
		return nodes[a].zone == nodes[b].zone
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
	for hi < len(nodes) && same(nodes, l, lo, hi) {
		hi++
	}
	return hi
}
