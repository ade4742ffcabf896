package place

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/capstan-run/capstan/core"
)

// site reads "z1/r1/a:4 ...": zone, rack, name and free cpus of eight, each
// with 8Gi; a name that ends in ! is draining. What follows a comma is
// "label=value", "numa=2", "gpu=4" or "image=x".
func site(s string) *Fleet {
	f := NewFleet()
	busy, err := f.Shape(Rank{Each: core.Resources{CPU: 1000}})
	if err != nil {
		panic(err)
	}
	for word := range strings.FieldsSeq(s) {
		parts := strings.Split(word, ",")
		name, cpus, _ := strings.Cut(parts[0], ":")
		id, draining := strings.CutSuffix(name, "!")
		where := append([]string{"", ""}, strings.Split(id, "/")...)
		where = where[len(where)-3:]
		n := core.Node{
			Zone: where[0], Rack: where[1], ID: core.NodeID(where[2]),
			Capacity: core.Resources{CPU: 8000, Memory: 8 << 30}, Labels: map[string]string{},
		}
		for _, p := range parts[1:] {
			k, v, _ := strings.Cut(p, "=")
			switch k {
			case "numa":
				fmt.Sscan(v, &n.NUMA)
			case "gpu":
				n.Generic = map[string]int64{"gpu": number(v)}
			case "image":
				n.Images = append(n.Images, v)
			default:
				n.Labels[k] = v
			}
		}
		r := f.Up(n)
		f.Take(r, busy, 8-int(number(cpus)))
		if draining {
			f.Close(r, "draining")
		}
	}
	return f
}

func number(s string) (n int64) {
	fmt.Sscan(s, &n)
	return n
}

// refs is the handles of "a b".
func refs(f *Fleet, names string) []Ref {
	var out []Ref
	for name := range strings.FieldsSeq(names) {
		r, ok := f.Ref(core.NodeID(name))
		if !ok {
			panic(name)
		}
		out = append(out, r)
	}
	return out
}

// where is the node of each rank.
func where(f *Fleet, c Choice) string {
	var s []string
	for _, r := range c.Nodes {
		s = append(s, string(f.ID(r)))
	}
	return strings.Join(s, " ")
}

// constraints reads "rack UNIQUE, gpu LIKE v.*".
func constraints(s string) []core.Constraint {
	var out []core.Constraint
	for part := range strings.SplitSeq(s, ",") {
		if f := strings.Fields(part); len(f) > 1 {
			c := core.Constraint{Attribute: f[0], Operator: f[1]}
			if len(f) > 2 {
				c.Value = f[2]
			}
			out = append(out, c)
		}
	}
	return out
}

// asking reads "pack rack, perHost 2, slice 2 host, preferred".
func asking(s string) core.PlacementAsk {
	var p core.PlacementAsk
	for part := range strings.SplitSeq(s, ",") {
		f := strings.Fields(part)
		if len(f) == 0 {
			continue
		}
		switch f[0] {
		case "pack":
			p.Pack = f[1]
		case "spread":
			p.Spread = f[1]
		case "perHost":
			p.PerHost = int(number(f[1]))
		case "slice":
			p.Slice, p.SliceLevel = int(number(f[1])), f[2]
		case "preferred":
			p.Preferred = true
		}
	}
	return p
}

func TestFleetChoose(t *testing.T) {
	for _, c := range []struct {
		nodes, policy    string
		size, min, relax int
		beside, avoid    string
		constraints, job string
		image            string
		want             string // by rank; "" for no placement
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
		{nodes: "a:5 b:1", policy: "spread host", size: 1, beside: "a", want: "b"},

		// Preferred levels are given up one by one.
		{nodes: "r1/a:3 r1/b:3", policy: "pack host, preferred", size: 4},
		{nodes: "r1/a:3 r1/b:3", policy: "pack host, preferred", size: 4, relax: 1, want: "a a a b"},
		{nodes: "r1/a:3 r2/b:3", policy: "pack host, preferred", size: 4, relax: 1},
		{nodes: "r1/a:3 r2/b:3", policy: "pack host, preferred", size: 4, relax: 9, want: "a a a b"},
		{nodes: "r1/a:3 r1/b:3", policy: "spread rack, preferred", size: 2},
		{nodes: "r1/a:3 r1/b:3", policy: "spread rack, preferred", size: 2, relax: 1, want: "a b"},
		{nodes: "r1/a:3", policy: "spread rack, preferred", size: 2, relax: 2, want: "a a"},
		{nodes: "r1/a:3 r1/b:3", policy: "pack host", size: 4, relax: 1}, // required stays required

		// One NUMA domain of two holds four cpus.
		{nodes: "a:8,numa=2", policy: "pack numa", size: 4, want: "a a a a"},
		{nodes: "a:8,numa=2", policy: "pack numa", size: 5},
		{nodes: "a:8", policy: "pack numa", size: 1}, // nothing is known of its domains
		{nodes: "a:8,numa=2", policy: "pack numa", size: 2, beside: "a a a"},
		{nodes: "a:5,numa=2 b:8,numa=2", policy: "pack numa", size: 1, beside: "a a a", want: "a"},
		{nodes: "a:8,numa=2", policy: "pack numa, preferred", size: 5, relax: 1, want: "a a a a a"},

		{nodes: "a:5 b:5", policy: "perHost 2", size: 4, want: "a a b b"},
		{nodes: "a:5 b:5", policy: "perHost 2", size: 5},
		{nodes: "a:5 b:5", policy: "perHost 2", size: 2, beside: "a", want: "b b"},

		// Runs of ranks stay together.
		{nodes: "a:3 b:3", policy: "slice 2 host", size: 4, want: "a a b b"},
		{nodes: "a:3 b:3", policy: "slice 2 host", size: 5, want: "a a b b a"},
		{nodes: "a:3 b:3", policy: "slice 2 host", size: 6},
		{nodes: "r1/a:1 r1/b:1 r2/c:1 r2/d:2", policy: "slice 2 rack", size: 4, want: "a b d d"},
		{nodes: "r1/a:1 r2/b:1 r2/c:2", policy: "slice 2 rack", size: 4},
		{nodes: "z1/r1/a:3 z1/r2/b:4 z2/r1/c:4", policy: "slice 4 rack, pack zone", size: 8},

		// As many as fit.
		{nodes: "a:3 b:2", size: 9, min: 1, want: "a a a b b"},
		{nodes: "a:3 b:2", size: 9, min: 6},
		{nodes: "r1/a:3 r2/b:5", policy: "pack rack", size: 9, min: 2, want: "b b b b b"},
		{nodes: "a:3 b:2", policy: "spread host", size: 3, min: 1, want: "a b"},

		// Filters.
		{nodes: "a:3,disk=ssd b:2,disk=hdd c:8", size: 1, constraints: "disk LIKE s.*", want: "a"},
		{nodes: "a:3,disk=ssd b:2,disk=hdd c:8", size: 1, constraints: "disk LIKE s"},
		{nodes: "a:3,disk=ssd b:2,disk=hdd", size: 1, constraints: "disk UNLIKE h.*", want: "a"},
		{nodes: "a:3,disk=ssd b:4", size: 1, constraints: "disk UNLIKE .*", want: "b"},
		{nodes: "r1/a:3 r2/b:4", size: 1, constraints: "rack CLUSTER r2", want: "b"},
		{nodes: "r1/a:3 r2/b:4", size: 1, constraints: "host LIKE [b-z]", want: "b"},
		{nodes: "z1/r1/a:3 z2/r1/b:4", size: 1, constraints: "zone UNLIKE z1, rack LIKE r1", want: "b"},

		// Constraints that count.
		{nodes: "a:3 b:4", size: 2, constraints: "host UNIQUE", want: "a b"},
		{nodes: "a:3 b:4", size: 3, constraints: "host UNIQUE"},
		{nodes: "a:3 b:4", size: 1, constraints: "host UNIQUE", job: "a", want: "b"},
		{nodes: "r1/a:3 r1/b:3 r2/c:1", size: 2, constraints: "rack UNIQUE", want: "a c"},
		{nodes: "r1/a:3 r1/b:3 r2/c:3", size: 4, constraints: "rack MAX_PER 2", want: "a a c c"},
		{nodes: "a:3,os=x b:3,os=x c:3,os=y d:8", size: 5, constraints: "os MAX_PER 3", want: "a a a c c"},
		{nodes: "a:3,os=x b:3,os=y c:8", size: 4, constraints: "os GROUP_BY", want: "a a b b"},
		{nodes: "a:3,os=x b:3,os=y", size: 4, constraints: "os GROUP_BY", job: "a a", want: "a b b b"},
		{nodes: "a:3,os=x b:1,os=y", size: 4, constraints: "os GROUP_BY", want: "a a a b"},
		{nodes: "a:3,os=x b:3,os=y", size: 3, constraints: "os GROUP_BY 3"},
		{nodes: "a:3,os=x b:3,os=y", size: 2, constraints: "os GROUP_BY 3", want: "a b"},
		{nodes: "a:3,os=x b:3,os=y c:1,os=z", size: 3, constraints: "os GROUP_BY 3", want: "a b c"},
		{nodes: "a:3,os=x b:3,os=x c:5,os=y d:9", size: 5, constraints: "os CLUSTER", want: "c c c c c"},
		{nodes: "a:3,os=x b:3,os=x c:7,os=y", size: 5, constraints: "os CLUSTER", want: "a a a b b"},
		{nodes: "a:3,os=x b:3,os=x c:7,os=y", size: 5, constraints: "os CLUSTER", job: "c", want: "c c c c c"},
		{nodes: "a:3,os=x b:3,os=x c:4,os=y", size: 5, constraints: "os CLUSTER", job: "c"},

		// A node that holds the image goes before the tightest.
		{nodes: "a:2 b:5,image=app", size: 2, image: "app", want: "b b"},
		{nodes: "a:2 b:5,image=other", size: 2, image: "app", want: "a a"},
		{nodes: "a:2 b:1,image=app", size: 2, image: "app", want: "a a"},
		{nodes: "a:3 b:3,image=app c:3,image=app d:1", size: 7, image: "app", want: "b b b c c c d"},
	} {
		f := site(c.nodes)
		all, counting, err := Split(constraints(c.constraints))
		if err != nil {
			t.Fatal(err)
		}
		id, err := f.Shape(Rank{Each: core.Resources{CPU: 1000}, Constraints: all, Image: c.image})
		if err != nil {
			t.Fatal(err)
		}
		claim := Claim{
			Roles: []RoleAsk{{Shape: id, Min: c.min, Size: c.size, Counting: counting}}, Policy: asking(c.policy), Relax: c.relax,
			Beside: refs(f, c.beside), Avoid: refs(f, c.avoid), Job: refs(f, c.job),
		}
		if err := Check(claim.Policy); err != nil {
			t.Fatal(err)
		}
		chosen, ok := f.Choose(&claim)
		name := strings.Join(strings.Fields(fmt.Sprintf("%s %s of %d-%d on %q", c.policy, c.constraints, c.min, c.size, c.nodes)), " ")
		if got := where(f, chosen); got != c.want || ok != (c.want != "") {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		if ok && !slices.Equal(chosen.Counts, []int{len(chosen.Nodes)}) {
			t.Errorf("%s: counts %v", name, chosen.Counts)
		}
		if f.Fits(&claim) != ok || (f.Explain(&claim) == nil) != ok {
			t.Errorf("%s: chosen %v, fits %v, explained %v", name, ok, f.Fits(&claim), f.Explain(&claim))
		}
	}
}

func TestFleetExplain(t *testing.T) {
	f := site("a:0 b!:8 c:1 d:1 e:8,disk=hdd g:3")
	heavy, _ := f.Shape(Rank{Each: core.Resources{Memory: 7 << 30}})
	d, _ := f.Ref("d")
	f.Take(d, heavy, 1)
	f.Up(core.Node{ID: "t", Capacity: core.Resources{CPU: 500, Memory: 1 << 30}})
	ports, _ := f.Shape(Rank{Ports: []int{80, 443}})
	g, _ := f.Ref("g")
	f.Take(g, ports, 1)
	id, err := f.Shape(Rank{
		Each: core.Resources{CPU: 1000, Memory: 2 << 30}, Ports: []int{443},
		Constraints: constraints("disk UNLIKE hdd"),
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, b := range f.Explain(&Claim{Roles: []RoleAsk{{Shape: id, Size: 3}}}) {
		got = append(got, b.String())
	}
	want := []string{
		"there is room for 1 rank, 3 are needed",
		"node a: short of cpu (node a lacks 1 cpu)",
		"node b: draining",
		"node c: room for 1",
		"node d: short of memory (node d lacks 1Gi memory)",
		"node e: constraint disk UNLIKE hdd",
		"node g: port 443 is taken",
		"node t: too small for one rank even when empty (node t lacks 500m cpu and 1Gi memory)",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
}

// A node that GROUP_BY keeps the next rank from says so, though it has room.
func TestExplainNarrow(t *testing.T) {
	f := site("a:3,os=x b:3,os=x c:0,os=y")
	id, err := f.Shape(Rank{Each: core.Resources{CPU: 1000}})
	if err != nil {
		t.Fatal(err)
	}
	claim := Claim{Roles: []RoleAsk{{Shape: id, Size: 1, Counting: constraints("os GROUP_BY 2")}}, Job: refs(f, "a")}
	var got []string
	for _, b := range f.Explain(&claim) {
		got = append(got, b.String())
	}
	want := []string{
		"there is no room for a single rank, 1 is needed",
		"nodes a, b: constraint os GROUP_BY 2: the next of the job's ranks has to lie elsewhere",
		"node c: short of cpu (node c lacks 1 cpu)",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
}
