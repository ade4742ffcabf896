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

// Explain says why ask has no placement on nodes: what the policy wants and
// lacks, and then every node in exactly one group (law P6). It returns nil if
// there is a placement.
func Explain(nodes []Node, ask Ask) []Blocker {
	f := survey(nodes, ask)
	if _, ok := f.choose(); ok {
		return nil
	}
	if len(nodes) == 0 {
		return []Blocker{{Reason: "no node is known"}}
	}
	out := []Blocker{{Reason: f.lack()}}
	return append(out, f.groups()...)
}

// lack says what the policy wants and what there is.
func (f *field) lack() string {
	want := fmt.Sprintf("%d are needed", f.ask.Size)
	if f.ask.Size == 1 {
		want = "1 is needed"
	}
	if l, ok := levelOf(f.ask.Policy.Spread); ok {
		return fmt.Sprintf("spread %s: %d %ss have room for a rank, %s", l, f.largest(), l, want)
	}
	if l, ok := levelOf(f.ask.Policy.Pack); ok {
		return fmt.Sprintf("pack %s: no %s has room for more than %d ranks, %s", l, l, f.largest(), want)
	}
	return fmt.Sprintf("there is room for %d ranks, %s", f.largest(), want)
}

// groups sorts every node into one blocker.
func (f *field) groups() []Blocker {
	var reasons []string
	members := map[string][]core.NodeID{}
	closest := map[string]int{}
	for i := range f.nodes {
		key := f.reason(i)
		if members[key] == nil {
			reasons = append(reasons, key)
			closest[key] = i
		}
		members[key] = append(members[key], f.nodes[i].ID)
		if less(f.nodes[i].lack(f.ask.Each, 1), f.nodes[closest[key]].lack(f.ask.Each, 1)) {
			closest[key] = i
		}
	}
	out := make([]Blocker, len(reasons))
	for k, key := range reasons {
		out[k] = Blocker{Nodes: members[key], Reason: key}
		n := &f.nodes[closest[key]]
		if lack := n.lack(f.ask.Each, 1); lack != (core.Resources{}) && n.Closed == "" {
			out[k].Reason += fmt.Sprintf(" (node %s lacks %s)", n.ID, Amount(lack))
		}
	}
	return out
}

// reason is the group of node i.
func (f *field) reason(i int) string {
	n := &f.nodes[i]
	lack := n.lack(f.ask.Each, 1)
	switch {
	case n.Closed != "":
		return n.Closed
	case f.excluded(i) && f.ask.Policy.Spread != "":
		return "holds or neighbours another rank of the gang"
	case f.excluded(i):
		return fmt.Sprintf("not in the %s of the gang's other ranks", f.ask.Policy.Pack)
	case f.room[i] > 0:
		return fmt.Sprintf("room for %d", f.room[i])
	case !f.ask.Each.Fits(n.Capacity):
		return "too small for one rank even when empty"
	case lack.CPU > 0 && lack.Memory > 0:
		return "short of cpu and memory"
	case lack.CPU > 0:
		return "short of cpu"
	default:
		return "short of memory"
	}
}

// lack is what n has to get free for count ranks.
func (n *Node) lack(each core.Resources, count int) core.Resources {
	return core.Resources{
		CPU:    max(0, each.CPU*core.MilliCPU(count)-n.Free.CPU),
		Memory: max(0, each.Memory*core.Bytes(count)-n.Free.Memory),
	}
}

func less(a, b core.Resources) bool {
	if a.CPU != b.CPU {
		return a.CPU < b.CPU
	}
	return a.Memory < b.Memory
}

// Amount writes the parts of r that are not zero: "500m cpu and 1Gi memory".
func Amount(r core.Resources) string {
	switch {
	case r.Memory == 0:
		return r.CPU.String() + " cpu"
	case r.CPU == 0:
		return r.Memory.String() + " memory"
	}
	return r.CPU.String() + " cpu and " + r.Memory.String() + " memory"
}
