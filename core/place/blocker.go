package place

import (
	"fmt"
	"strings"

	"github.com/capstan-run/capstan/core"
)

// Blocker is a group of nodes and why they do not (or not alone) make the
// placement possible.
type Blocker struct {
	Nodes  []core.NodeID // in topology order; empty for what concerns them all
	Reason string        // "draining", "short of cpu: ..."
}

// String is "nodes a, b, c and 4 more: draining".
func (b Blocker) String() string {
	if len(b.Nodes) == 0 {
		return b.Reason
	}
	return names(b.Nodes) + ": " + b.Reason
}

// shown is how many node names a message spells out.
const shown = 3

func names(ids []core.NodeID) string {
	if len(ids) == 1 {
		return "node " + string(ids[0])
	}
	var b strings.Builder
	b.WriteString("nodes ")
	for i, id := range ids[:min(len(ids), shown)] {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(string(id))
	}
	if more := len(ids) - shown; more > 0 {
		fmt.Fprintf(&b, " and %d more", more)
	}
	return b.String()
}

// count is "no hosts", "1 host" or "3 hosts".
func count(n int, one, many string) string {
	switch n {
	case 0:
		return "no " + many
	case 1:
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
