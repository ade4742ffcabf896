package place

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/capstan-run/capstan/core"
)

// plantOf is so many nodes, 50 to a rack and 20 racks to a zone, of four
// resources, with labels, images and ports in use, loaded to so many in a
// hundred, unevenly.
func plantOf(b testing.TB, nodes, load int) *Fleet {
	f := NewFleet()
	busy := shapeOf(b, f, Rank{Each: core.Resources{CPU: 1000, Memory: 2 << 30}, Tags: []string{"app=batch"}})
	port := shapeOf(b, f, Rank{Ports: []int{8080}, Tags: []string{"app=web"}})
	for i := range nodes {
		r := f.Up(core.Node{
			ID: core.NodeID(fmt.Sprintf("n%06d", i)), Rack: fmt.Sprintf("r%04d", i/50), Zone: fmt.Sprintf("z%03d", i/1000),
			Capacity: core.Resources{CPU: 64000, Memory: 256 << 30},
			Generic:  map[string]int64{"gpu": 8, "nvme": 4},
			Labels:   map[string]string{"arch": []string{"amd64", "amd64", "amd64", "arm64"}[i/7%4], "disk": []string{"ssd", "hdd"}[i/3%2]},
			Images:   [][]string{{"app"}, nil, nil}[i%3],
			NUMA:     2,
		})
		f.Take(r, busy, min(64, 64*load/100+i*37%41-20))
		if i%5 == 0 {
			f.Take(r, port, 1)
		}
	}
	return f
}

func shapeOf(b testing.TB, f *Fleet, r Rank) ShapeID {
	id, err := f.Shape(r)
	if err != nil {
		b.Fatal(err)
	}
	return id
}

// full is a rank with every predicate on.
func full(cpu core.MilliCPU) Rank {
	return Rank{
		Each: core.Resources{CPU: cpu, Memory: 1 << 28}, Generic: map[string]int64{"nvme": 0},
		Constraints: constraints("arch LIKE amd.*, disk UNLIKE tape, app APART database"),
		Image:       "app", Tags: []string{"app=train"},
	}
}

// run takes and gives the claim in turn, and reports the time of choose, take
// and give at the 99th percentile.
func run(b *testing.B, f *Fleet, c *Claim) {
	b.Helper()
	if _, ok := f.Choose(c); !ok {
		b.Fatal(f.Explain(c)[0])
	}
	b.ReportAllocs()
	measure(b, func() {
		choice, _ := f.Choose(c)
		move(f, c, choice, f.Take)
		move(f, c, choice, f.Give)
	})
}

// measure reports what the 99th percentile of calls takes, by the clock and in
// CPU time: the second is not disturbed by what else the machine does.
func measure(b *testing.B, do func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var took, spent []time.Duration
	for b.Loop() {
		start, cpu := time.Now(), threadTime()
		do()
		spent = append(spent, threadTime()-cpu)
		took = append(took, time.Since(start))
	}
	b.ReportMetric(percentile(took, 99), "p99-µs")
	b.ReportMetric(percentile(spent, 99), "p99-cpu-µs")
	b.ReportMetric(percentile(spent, 50), "p50-cpu-µs")
}

func percentile(took []time.Duration, p int) float64 {
	slices.Sort(took)
	return float64(took[len(took)*p/100].Nanoseconds()) / 1e3
}

// threadTime is the CPU time of this thread.
func threadTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

// move takes or gives a placement.
func move(f *Fleet, c *Claim, choice Choice, do func(Ref, ShapeID, int)) {
	from := 0
	for k, n := range choice.Counts {
		ranks := choice.Nodes[from : from+n]
		for i := 0; i < len(ranks); {
			j := i + 1
			for j < len(ranks) && ranks[j] == ranks[i] {
				j++
			}
			do(ranks[i], c.Roles[k].Shape, j-i)
			i = j
		}
		from += n
	}
}

// gangs is the claims of the benchmarks, of so many ranks.
func gangs(b testing.TB, f *Fleet, size int) []struct {
	name  string
	claim *Claim
} {
	one := func(cpu core.MilliCPU, policy, counting string) *Claim {
		return &Claim{
			Roles:  []RoleAsk{{Shape: shapeOf(b, f, full(cpu)), Size: size, Counting: constraints(counting)}},
			Policy: asking(policy),
		}
	}
	ported := full(500)
	ported.Ports = []int{8080}
	roles := one(500, "", "")
	roles.Roles[0].Size = size * 7 / 10
	roles.Roles = append(roles.Roles,
		RoleAsk{Shape: shapeOf(b, f, full(2000)), Size: size * 2 / 10},
		RoleAsk{Shape: shapeOf(b, f, Rank{Each: core.Resources{CPU: 1000, Memory: 4 << 30}, Generic: map[string]int64{"gpu": 1}}), Size: size / 10})
	ports := &Claim{Roles: []RoleAsk{{Shape: shapeOf(b, f, ported), Size: size}}}
	return []struct {
		name  string
		claim *Claim
	}{
		{"nearest", one(2000, "", "")},
		{"rack", one(core.MilliCPU(50_000/size), "pack rack", "")},
		{"zone", one(core.MilliCPU(max(1, 1_000_000/size)), "pack zone", "")},
		{"spread", one(500, "spread host", "")},
		{"perHost", one(500, "perHost 2", "")},
		{"ports", ports},
		{"slices", one(500, "slice 8 rack", "")},
		{"evenly", one(500, "", "zone GROUP_BY, host MAX_PER 4")},
		{"cluster", one(500, "", "disk CLUSTER")},
		{"roles", roles},
	}
}

func benchmarkGangs(b *testing.B, nodes, size int) {
	for _, load := range []int{60, 85} {
		f := plantOf(b, nodes, load)
		for _, g := range gangs(b, f, size) {
			b.Run(fmt.Sprintf("load=%d/%s", load, g.name), func(b *testing.B) { run(b, f, g.claim) })
		}
	}
}

// BenchmarkGang is a gang of 1,000 on 10,000 nodes: choose, take, give.
func BenchmarkGang(b *testing.B) { benchmarkGangs(b, 10_000, 1000) }

// BenchmarkLargeGang is a gang of 10,000 on 100,000 nodes.
func BenchmarkLargeGang(b *testing.B) { benchmarkGangs(b, 100_000, 10_000) }

// BenchmarkSingle is one rank after the other, until the fleet is full and
// begins anew: choose and take.
func BenchmarkSingle(b *testing.B) {
	for _, nodes := range []int{1000, 5000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("nodes=%d", nodes), func(b *testing.B) {
			f := plantOf(b, nodes, 60)
			c := &Claim{Roles: []RoleAsk{{Shape: shapeOf(b, f, full(1000)), Size: 1}}}
			start := f.Clone()
			f.Choose(c)
			b.ReportAllocs()
			for b.Loop() {
				choice, ok := f.Choose(c)
				if !ok {
					f = start.Clone()
					continue
				}
				f.Take(choice.Nodes[0], c.Roles[0].Shape, 1)
			}
		})
	}
}

// BenchmarkHeldBack is one rank while room on a tenth of the nodes is held for
// others, and one to be put beside another.
func BenchmarkHeldBack(b *testing.B) {
	for _, nodes := range []int{1000, 5000, 10_000, 100_000} {
		f := plantOf(b, nodes, 60)
		limited := &Claim{Roles: []RoleAsk{{Shape: shapeOf(b, f, full(1000)), Size: 1}}}
		for r := range Ref(nodes / 10) {
			limited.Limit = append(limited.Limit, Limit{r * 10, core.Vector{3000, 1 << 30}})
		}
		beside := &Claim{Roles: limited.Roles, Beside: []Ref{Ref(nodes / 2)}}
		b.Run(fmt.Sprintf("limits/nodes=%d", nodes), func(b *testing.B) { run(b, f, limited) })
		b.Run(fmt.Sprintf("beside/nodes=%d", nodes), func(b *testing.B) { run(b, f, beside) })
	}
}

// BenchmarkRefuse is a gang that has no place: with a shape that was never
// counted before, with one that was, and by memory of its shape.
func BenchmarkRefuse(b *testing.B) {
	f := plantOf(b, 10_000, 85)
	c := &Claim{Roles: []RoleAsk{{Shape: shapeOf(b, f, full(2000)), Size: 1000}}, Policy: asking("pack rack")}
	if _, ok := f.Choose(c); ok {
		b.Fatal("it has a place")
	}
	plain := &Claim{Roles: []RoleAsk{{Shape: shapeOf(b, f, Rank{Each: core.Resources{CPU: 2000, Memory: 1 << 28}}), Size: 1000}}, Policy: c.Policy}
	for name, c := range map[string]*Claim{"first": c, "firstPlain": plain} {
		b.Run(name, func(b *testing.B) {
			measure(b, func() {
				f.tallies[Present], f.sieves, f.kept = nil, nil, 0
				if _, ok := f.Choose(c); ok {
					b.Fatal("it has a place")
				}
			})
		})
	}
	b.Run("again", func(b *testing.B) {
		for b.Loop() {
			f.Choose(c)
		}
	})
	b.Run("remembered", func(b *testing.B) {
		was, same := f.Grown(c.Roles[0].Shape), 0
		for b.Loop() {
			same += bit(f.Grown(c.Roles[0].Shape) == was)
		}
		if same == 0 {
			b.Fatal("forgotten")
		}
	})
}

// BenchmarkWhy is what is said about a gang of 1,000 that has no place.
func BenchmarkWhy(b *testing.B) {
	f := plantOf(b, 10_000, 85)
	for name, c := range map[string]*Claim{
		"rack":    {Roles: []RoleAsk{{Shape: shapeOf(b, f, full(2000)), Size: 1000}}, Policy: asking("pack rack")},
		"cluster": {Roles: []RoleAsk{{Shape: shapeOf(b, f, full(30_000)), Size: 1000}}},
		"evenly":  {Roles: []RoleAsk{{Shape: shapeOf(b, f, full(30_000)), Size: 1000, Counting: constraints("zone GROUP_BY, host MAX_PER 4")}}},
	} {
		b.Run(name+"/explain", func(b *testing.B) {
			for b.Loop() {
				if f.Explain(c) == nil {
					b.Fatal("it has a place")
				}
			}
		})
		b.Run(name+"/relief", func(b *testing.B) {
			for b.Loop() {
				f.Relief(c)
			}
		})
		b.Run(name+"/shrink", func(b *testing.B) {
			for b.Loop() {
				f.Shrink(c)
			}
		})
	}
}

// BenchmarkUp is a node more, and one rank chosen with it.
func BenchmarkUp(b *testing.B) {
	for _, nodes := range []int{1000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("nodes=%d", nodes), func(b *testing.B) {
			f := plantOf(b, nodes, 60)
			c := &Claim{Roles: []RoleAsk{{Shape: shapeOf(b, f, Rank{Each: core.Resources{CPU: 1000}}), Size: 1}}}
			i := 0
			for b.Loop() {
				i++
				f.Up(core.Node{
					ID: core.NodeID(fmt.Sprintf("m%07d", i)), Rack: fmt.Sprintf("r%04d", i*7919%(nodes/50)), Zone: fmt.Sprintf("z%03d", i*7919%(nodes/50)/20),
					Capacity: core.Resources{CPU: 64000, Memory: 256 << 30},
				})
				if _, ok := f.Choose(c); !ok {
					b.Fatal("no room")
				}
			}
		})
	}
}

// BenchmarkClone is a fleet with a few shapes in use, copied.
func BenchmarkClone(b *testing.B) {
	for _, nodes := range []int{1000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("nodes=%d", nodes), func(b *testing.B) {
			f := plantOf(b, nodes, 60)
			for _, g := range gangs(b, f, 100) {
				f.Choose(g.claim)
			}
			b.ReportAllocs()
			for b.Loop() {
				if f.Clone().Len() != nodes {
					b.Fatal("nodes were lost")
				}
			}
		})
	}
}

// BenchmarkNodes is the scaling curve against nodes: a gang of a tenth as many
// ranks.
func BenchmarkNodes(b *testing.B) {
	for _, nodes := range []int{1000, 3000, 10_000, 30_000, 100_000} {
		f := plantOf(b, nodes, 60)
		for _, g := range gangs(b, f, nodes/10) {
			if g.name == "nearest" || g.name == "spread" || g.name == "roles" {
				b.Run(fmt.Sprintf("%s/nodes=%d", g.name, nodes), func(b *testing.B) { run(b, f, g.claim) })
			}
		}
	}
}
