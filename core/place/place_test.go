package place

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/capstan-run/capstan/core"
)

// nodes reads "z1/r1/a:4 ...": zone, rack, name and free cpus of eight; a name
// that ends in ! is draining.
func nodes(s string) []Node {
	var out []Node
	for f := range strings.FieldsSeq(s) {
		name, cpus, _ := strings.Cut(f, ":")
		parts := append([]string{"", ""}, strings.Split(name, "/")...)
		parts = parts[len(parts)-3:]
		var free int64
		fmt.Sscan(cpus, &free)
		n := Node{
			Zone: parts[0], Rack: parts[1], Capacity: core.Resources{CPU: 8000, Memory: 8 << 30},
			Free: core.Resources{CPU: core.MilliCPU(free) * 1000, Memory: 8 << 30},
		}
		id, draining := strings.CutSuffix(parts[2], "!")
		if n.ID = core.NodeID(id); draining {
			n.Closed = "draining"
		}
		out = append(out, n)
	}
	Sort(out)
	return out
}

func policy(s string) core.PlacementAsk {
	verb, level, _ := strings.Cut(s, " ")
	if verb == "spread" {
		return core.PlacementAsk{Spread: level}
	}
	return core.PlacementAsk{Pack: level}
}

// placement is the node of each rank, "" for none.
func placement(nodes []Node, chosen []int) string {
	var s []string
	for _, i := range chosen {
		s = append(s, string(nodes[i].ID))
	}
	return strings.Join(s, " ")
}

func TestChoose(t *testing.T) {
	for _, c := range []struct {
		nodes, policy string
		size          int
		beside, avoid string
		want          string // by rank; "" for no placement
	}{
		{nodes: "a:1", size: 1, want: "a"},
		{nodes: "a:1", size: 2},
		{nodes: "", size: 1},
		{nodes: "a:8 b:2 c:3", size: 2, want: "b b"},                     // the tightest host
		{nodes: "a:3 b:2 c:3", size: 8, want: "a a a b b c c c"},         // along the topology
		{nodes: "a:4 b:4 c:1 d:1 e:1", size: 5, want: "a a a a c"},       // the tightest for the rest
		{nodes: "a:2 b:3 c:2", size: 4, want: "a b b b"},                 // fewest hosts
		{nodes: "r1/a:3 r1/b:3 r2/c:2 r2/d:2", size: 4, want: "c c d d"}, // the tightest rack
		{nodes: "r1/a:3 r2/b:3", size: 4, want: "a a a b"},               // no rack has room
		{nodes: "z1/r/a:3 z2/r/b:3", policy: "pack rack", size: 4},       // a rack's name counts within its zone
		{nodes: "z1/r1/a:2 z1/r2/b:2 z2/r/c:3", policy: "pack zone", size: 4, want: "a a b b"},
		{nodes: "a:3 b:3", policy: "pack host", size: 4},
		{nodes: "a:3 b:4", policy: "pack host", size: 4, want: "b b b b"},
		{nodes: "a!:8 b:1", size: 2},
		{nodes: "a:1 b:5 c:3", policy: "spread host", size: 2, want: "b c"},
		{nodes: "a:1 b:5 c:3", policy: "spread host", size: 4},
		{nodes: "r1/a:1 r1/b:5 r2/c:3", policy: "spread rack", size: 2, want: "b c"},
		{nodes: "a:5 b:5", policy: "spread rack", size: 2}, // one unnamed rack
		{nodes: "z1/r/a:5 z2/r/b:5", policy: "spread zone", size: 2, want: "a b"},
		{nodes: "a:5 b:2", size: 2, avoid: "b", want: "a a"},
		{nodes: "a:1 b:2", size: 2, avoid: "b", want: "b b"}, // better there than nowhere
		{nodes: "r1/a:0 r1/b:5 r2/c:1", size: 1, beside: "a", want: "b"},
		{nodes: "r1/a:0 r1/b:0 r2/c:1", size: 1, beside: "a", want: "c"},
		{nodes: "r1/a:0 r1/b:0 r2/c:1", policy: "pack rack", size: 1, beside: "a"},
		{nodes: "r1/a:0 r1/b:1 r2/c:9", policy: "pack rack", size: 1, beside: "a", want: "b"},
		{nodes: "r1/a:5 r1/b:1 r2/c:1", policy: "spread rack", size: 1, beside: "a", want: "c"},
		{nodes: "a:5 b:1", policy: "spread host", size: 1, beside: "a gone", want: "b"},
		{nodes: "a:5", policy: "pack host", size: 1, beside: "gone", want: "a"},
	} {
		ns := nodes(c.nodes)
		ask := Ask{Size: c.size, Each: core.Resources{CPU: 1000}, Policy: policy(c.policy), Beside: ids(c.beside), Avoid: ids(c.avoid)}
		chosen, ok := Choose(ns, ask)
		if got := placement(ns, chosen); got != c.want || ok != (c.want != "") {
			t.Errorf("%s of %d on %q: %q, want %q", c.policy, c.size, c.nodes, got, c.want)
		}
		if Fits(ns, ask) != ok || (Explain(ns, ask) == nil) != ok {
			t.Errorf("%s of %d on %q: chosen %v, fits %v, explained %v", c.policy, c.size, c.nodes, ok, Fits(ns, ask), Explain(ns, ask))
		}
	}
}

func ids(s string) []core.NodeID {
	var out []core.NodeID
	for f := range strings.FieldsSeq(s) {
		out = append(out, core.NodeID(f))
	}
	return out
}

func TestViews(t *testing.T) {
	ns := nodes("a:1 b!:8")
	ask := Ask{Size: 9, Each: core.Resources{CPU: 1000}}
	for _, c := range []struct {
		view View
		want int
	}{{Present, 1}, {Empty, 8}, {Ever, 9}} {
		ask.View = c.view
		if got := Largest(ns, ask); got != c.want {
			t.Errorf("view %d has room for %d, want %d", c.view, got, c.want)
		}
	}
}

func TestOvercommittedNodeTakesNothing(t *testing.T) {
	ns := nodes("a:1")
	ns[0].Free.Memory = -1
	if _, ok := Choose(ns, Ask{Size: 1}); ok {
		t.Fatal("a rank that needs nothing was put on a node that has less than nothing")
	}
	ns[0].Free.Memory = 0
	if _, ok := Choose(ns, Ask{Size: 1}); !ok {
		t.Fatal("a rank that needs nothing fits on a full node")
	}
}

func TestCheck(t *testing.T) {
	for ask, want := range map[core.PlacementAsk]string{
		{}:                             "",
		{Pack: "rack"}:                 "",
		{Spread: "zone"}:               "",
		{Pack: "cluster"}:              `placement level "cluster" is not host, rack or zone`,
		{Spread: "Host"}:               `placement level "Host" is not host, rack or zone`,
		{Pack: "rack", Spread: "host"}: "placement cannot both pack and spread",
	} {
		got := ""
		if err := Check(ask); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%+v: %q, want %q", ask, got, want)
		}
	}
}

func TestExplain(t *testing.T) {
	ns := nodes("a:0 b!:8 c:1 d:1")
	ns[3].Free.Memory = 0
	tiny := nodes("e:1")[0]
	tiny.Capacity = core.Resources{CPU: 500, Memory: 1 << 30}
	tiny.Free = tiny.Capacity
	ns = append(ns, tiny)
	Sort(ns)
	ask := Ask{Size: 3, Each: core.Resources{CPU: 1000, Memory: 2 << 30}}
	var got []string
	for _, b := range Explain(ns, ask) {
		got = append(got, b.String())
	}
	want := []string{
		"there is room for 1 rank, 3 are needed",
		"node a: short of cpu (node a lacks 1 cpu)",
		"node b: draining",
		"node c: room for 1",
		"node d: short of memory (node d lacks 2Gi memory)",
		"node e: too small for one rank even when empty (node e lacks 500m cpu and 1Gi memory)",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
}

func TestShrinkAndRelief(t *testing.T) {
	for _, c := range []struct {
		nodes, policy string
		size          int
		shrink        string
		relief        string
	}{
		{"a:2 b:1", "", 4, "size 3, size 4 with cpu 665m", "a 1 cpu"},
		{"a:0", "", 1, "", "a 1 cpu"},
		{"a:7 b:8", "", 17, "size 15, size 17 with cpu 875m", ""}, // no node holds that much
		{"a:3 b:3", "pack host", 4, "size 3, size 4 with cpu 750m, no pack host", "a 1 cpu"},
		{"a:3 b:0", "spread host", 2, "size 1, no spread host", "b 1 cpu"},
		{"a:3 b:0 c:0", "spread host", 3, "size 1, no spread host", ""}, // two nodes are short
		{"r1/a:3 r1/b:0 r2/c:0", "spread rack", 2, "size 1, no spread rack", "c 1 cpu"},
	} {
		ns := nodes(c.nodes)
		ask := Ask{Size: c.size, Each: core.Resources{CPU: 1000, Memory: 1 << 20}, Policy: policy(c.policy)}
		if got := strings.Join(Shrink(ns, ask), ", "); got != c.shrink {
			t.Errorf("%s of %d on %q: shrink %q, want %q", c.policy, c.size, c.nodes, got, c.shrink)
		}
		got := ""
		if id, need, ok := Relief(ns, ask); ok {
			got = fmt.Sprintf("%s %s", id, Amount(need))
		}
		if got != c.relief {
			t.Errorf("%s of %d on %q: relief %q, want %q", c.policy, c.size, c.nodes, got, c.relief)
		}
	}
}

func anyNodes(t *rapid.T) []Node {
	var ns []Node
	for i := range rapid.IntRange(0, 8).Draw(t, "nodes") {
		n := Node{
			ID:       core.NodeID(fmt.Sprintf("n%d", i)),
			Rack:     rapid.SampledFrom([]string{"", "r1", "r2"}).Draw(t, "rack"),
			Zone:     rapid.SampledFrom([]string{"z1", "z2"}).Draw(t, "zone"),
			Capacity: core.Resources{CPU: 4000, Memory: 4 << 30},
		}
		n.Free.CPU = core.MilliCPU(rapid.IntRange(0, 4000).Draw(t, "cpu"))
		n.Free.Memory = core.Bytes(rapid.IntRange(0, 4).Draw(t, "memory")) << 30
		if rapid.IntRange(0, 5).Draw(t, "open") == 0 {
			n.Closed = "down"
		}
		ns = append(ns, n)
	}
	Sort(ns)
	return ns
}

func anyAsk(t *rapid.T) Ask {
	ask := Ask{
		Size:   rapid.IntRange(1, 6).Draw(t, "size"),
		Each:   core.Resources{CPU: core.MilliCPU(rapid.IntRange(1, 2000).Draw(t, "each")), Memory: core.Bytes(rapid.IntRange(1, 2).Draw(t, "eachMemory")) << 30},
		Policy: policy(rapid.SampledFrom([]string{"", "pack host", "pack rack", "pack zone", "spread host", "spread rack", "spread zone"}).Draw(t, "policy")),
	}
	ask.Beside = ids(rapid.SampledFrom([]string{"", "", "n0", "n1 n2"}).Draw(t, "beside"))
	return ask
}

// TestLaws checks a placement against the policy, and a refusal against all
// others there are.
func TestLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ns, ask := anyNodes(t), anyAsk(t)
		before := slices.Clone(ns)
		chosen, ok := Choose(ns, ask)
		if diff := cmp.Diff(before, ns, cmp.AllowUnexported(Node{})); diff != "" {
			t.Fatalf("the nodes were changed: %s", diff)
		}
		if ok != Fits(ns, ask) || ok != possible(ns, ask) {
			t.Fatalf("chosen %v, fits %v, possible %v", ok, Fits(ns, ask), possible(ns, ask))
		}
		if !ok {
			accounted(t, ns, Explain(ns, ask))
			return
		}
		if len(chosen) != ask.Size || !slices.IsSorted(chosen) {
			t.Fatalf("%d ranks on %v", ask.Size, chosen)
		}
		if why := violation(ns, ask, chosen); why != "" {
			t.Fatalf("%v: %s", chosen, why)
		}
	})
}

// violation says which part of ask a placement breaks; "" for none.
func violation(ns []Node, ask Ask, chosen []int) string {
	used := map[int]core.Resources{}
	for _, i := range chosen {
		used[i] = used[i].Add(ask.Each)
		if !used[i].Fits(ns[i].Free) || ns[i].Closed != "" {
			return "over capacity, or closed"
		}
	}
	all := slices.Clone(chosen)
	spreadFrom := len(all)
	for i := range ns {
		if slices.Contains(ask.Beside, ns[i].ID) {
			all = append(all, i)
		}
	}
	for a := range all {
		for b := range a {
			if b >= spreadFrom {
				continue // two members in place lie where they lie
			}
			if ask.Policy.Spread != "" && together(ns, ask.Policy.Spread, all[a], all[b]) {
				return "not spread"
			}
		}
	}
	for _, i := range chosen {
		// Pack keeps to the first member in place, else to the first rank.
		anchor := chosen[0]
		if len(all) > spreadFrom {
			anchor = all[spreadFrom]
		}
		if ask.Policy.Pack != "" && !together(ns, ask.Policy.Pack, i, anchor) {
			return "not packed"
		}
	}
	return ""
}

// together is the topology by name, independent of Sort's numbers.
func together(ns []Node, level string, a, b int) bool {
	switch level {
	case "host":
		return a == b
	case "rack":
		return ns[a].Zone == ns[b].Zone && ns[a].Rack == ns[b].Rack
	}
	return ns[a].Zone == ns[b].Zone
}

// possible tries every multiset of nodes.
func possible(ns []Node, ask Ask) bool {
	var try func(chosen []int, from int) bool
	try = func(chosen []int, from int) bool {
		if len(chosen) == ask.Size {
			return true
		}
		for i := from; i < len(ns); i++ {
			if next := append(slices.Clone(chosen), i); violation(ns, ask, next) == "" && try(next, i) {
				return true
			}
		}
		return false
	}
	return try(nil, 0)
}

// accounted checks law P6: each node is in one group.
func accounted(t *rapid.T, ns []Node, blockers []Blocker) {
	seen := map[core.NodeID]int{}
	for _, b := range blockers {
		if b.Reason == "" {
			t.Fatalf("%v gives no reason", b)
		}
		for _, id := range b.Nodes {
			seen[id]++
		}
	}
	for _, n := range ns {
		if seen[n.ID] != 1 {
			t.Fatalf("node %s is in %d groups of %v", n.ID, seen[n.ID], blockers)
		}
	}
}

// TestFewestHosts compares the number of hosts with the fewest there can be.
func TestFewestHosts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ns := anyNodes(t)
		for i := range ns {
			ns[i].Zone, ns[i].Rack = "", ""
		}
		Sort(ns)
		ask := Ask{Size: rapid.IntRange(1, 12).Draw(t, "size"), Each: core.Resources{CPU: 700}}
		chosen, ok := Choose(ns, ask)
		if !ok {
			return
		}
		fewest := len(ns)
		for set := range 1 << len(ns) {
			sum := 0
			for i := range ns {
				if set&(1<<i) != 0 && ns[i].Closed == "" {
					sum += room(ns[i].Free, ask.Each)
				}
			}
			if sum >= ask.Size {
				fewest = min(fewest, bits.OnesCount(uint(set)))
			}
		}
		if got := len(slices.Compact(chosen)); got != fewest {
			t.Fatalf("%d hosts, %d would do", got, fewest)
		}
	})
}

// TestChangesWork: whatever Shrink and Relief propose makes a placement
// possible.
func TestChangesWork(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ns, ask := anyNodes(t), anyAsk(t)
		if Fits(ns, ask) {
			return
		}
		for _, change := range Shrink(ns, ask) {
			smaller := ask
			if verb, level, _ := strings.Cut(change, " "); verb == "no" {
				if !strings.HasSuffix(level, ask.Policy.Pack+ask.Policy.Spread) {
					t.Fatalf("%q of %+v", change, ask.Policy)
				}
				smaller.Policy = core.PlacementAsk{}
			}
			apply(t, change, &smaller)
			if !Fits(ns, smaller) {
				t.Fatalf("%q does not help", change)
			}
		}
		if id, need, ok := Relief(ns, ask); ok {
			i := slices.IndexFunc(ns, func(n Node) bool { return n.ID == id })
			ns[i].Free = ns[i].Free.Add(need)
			if !Fits(ns, ask) || !ns[i].Free.Fits(ns[i].Capacity) {
				t.Fatalf("%v freed on %s does not help", need, id)
			}
		}
	})
}

// apply reads a change back as a user would.
func apply(t *rapid.T, change string, ask *Ask) {
	f := strings.Fields(change)
	for i := 0; i+1 < len(f); i++ {
		var err error
		switch f[i] {
		case "size":
			_, err = fmt.Sscan(f[i+1], &ask.Size)
		case "cpu":
			ask.Each.CPU, err = core.ParseCPU(f[i+1])
		case "memory":
			ask.Each.Memory, err = core.ParseBytes(f[i+1])
		}
		if err != nil {
			t.Fatalf("%q: %v", change, err)
		}
	}
}
