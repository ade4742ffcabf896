package place

import (
	"fmt"

	"github.com/capstan-run/capstan/core"
)

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
	want := count(f.ask.Size, "is", "are") + " needed"
	if l, ok := levelOf(f.ask.Policy.Spread); ok {
		has := count(f.largest(), l.String()+" has", l.String()+"s have")
		return fmt.Sprintf("spread %s: %s room for a rank, %s", l, has, want)
	}
	if f.largest() == 0 {
		return "there is no room for a single rank, " + want
	}
	has := count(f.largest(), "rank", "ranks")
	if l, ok := levelOf(f.ask.Policy.Pack); ok {
		return fmt.Sprintf("pack %s: no %s has room for more than %s, %s", l, l, has, want)
	}
	return fmt.Sprintf("there is room for %s, %s", has, want)
}

// cause is why a node is no (or not enough) help. It is comparable, so that
// nodes group by it.
type cause struct {
	kind   causeKind
	closed string
	room   int
}

type causeKind int

const (
	closed causeKind = iota
	ruledOut
	roomy
	small
	shortOfBoth
	shortOfCPU
	shortOfMemory
)

// cause is that of node i.
func (f *field) cause(i int) cause {
	lack := f.shortfall(i, 1)
	switch {
	case f.closed(i) != "":
		return cause{kind: closed, closed: f.closed(i)}
	case f.excluded(i):
		return cause{kind: ruledOut}
	case f.room[i] > 0:
		return cause{kind: roomy, room: f.room[i]}
	case !f.ask.Each.Fits(f.nodes[i].Capacity):
		return cause{kind: small}
	case lack.CPU > 0 && lack.Memory > 0:
		return cause{kind: shortOfBoth}
	case lack.CPU > 0:
		return cause{kind: shortOfCPU}
	default:
		return cause{kind: shortOfMemory}
	}
}

// groups sorts every node into one blocker, in the order of their first nodes.
func (f *field) groups() []Blocker {
	type group struct {
		cause
		ids     []core.NodeID
		closest int // lacks the least
	}
	var groups []*group
	byCause := map[cause]*group{}
	for i := range f.nodes {
		c := f.cause(i)
		g := byCause[c]
		if g == nil {
			g = &group{cause: c, closest: i}
			byCause[c], groups = g, append(groups, g)
		}
		g.ids = append(g.ids, f.nodes[i].ID)
		if less(f.shortfall(i, 1), f.shortfall(g.closest, 1)) {
			g.closest = i
		}
	}
	out := make([]Blocker, len(groups))
	for k, g := range groups {
		out[k] = Blocker{Nodes: g.ids, Reason: f.reason(g.cause, g.closest)}
		if g.kind == roomy && len(g.ids) > 1 {
			out[k].Reason += " each"
		}
	}
	return out
}

// reason is c in words; closest is the node of the group that lacks the least.
func (f *field) reason(c cause, closest int) string {
	lacks := fmt.Sprintf(" (node %s lacks %s)", f.nodes[closest].ID, Amount(f.shortfall(closest, 1)))
	switch c.kind {
	case closed:
		return c.closed
	case ruledOut:
		if f.ask.Policy.Spread != "" {
			return fmt.Sprintf("in a %s that holds another rank of the gang", f.ask.Policy.Spread)
		}
		return fmt.Sprintf("not in the %s of the gang's other ranks", f.ask.Policy.Pack)
	case roomy:
		return fmt.Sprintf("room for %d", c.room)
	case small:
		return "too small for one rank even when empty" + lacks
	case shortOfBoth:
		return "short of cpu and memory" + lacks
	case shortOfCPU:
		return "short of cpu" + lacks
	default:
		return "short of memory" + lacks
	}
}

// shortfall is what has to get free on node i for so many ranks.
func (f *field) shortfall(i, ranks int) core.Resources {
	free, each := f.free(i), f.ask.Each
	return core.Resources{
		CPU:    max(0, each.CPU*core.MilliCPU(ranks)-free.CPU),
		Memory: max(0, each.Memory*core.Bytes(ranks)-free.Memory),
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
