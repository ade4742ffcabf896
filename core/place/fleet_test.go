package place

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/capstan-run/capstan/core"
)

// TestSortedByTopology: nodes that come in any order, and move, lie in
// topology order.
func TestSortedByTopology(t *testing.T) {
	f := NewFleet()
	up := func(zone, rack, id string) {
		f.Up(core.Node{Zone: zone, Rack: rack, ID: core.NodeID(id)})
	}
	up("z2", "r1", "e")
	up("z1", "r2", "d")
	up("z1", "r1", "c")
	order := func() (s string) {
		for _, r := range f.Order() {
			s += string(f.ID(r))
		}
		return s
	}
	if got := order(); got != "cde" {
		t.Fatal(got)
	}
	up("z1", "r1", "b")
	up("z1", "r2", "c") // moves
	if got := order(); got != "bcde" || f.Len() != 4 {
		t.Fatal(got)
	}
	if !slices.Equal(f.racks, []int32{0, 1, 3, 4}) || !slices.Equal(f.zones, []int32{0, 3, 4}) {
		t.Fatal(f.racks, f.zones)
	}
}

func TestShapes(t *testing.T) {
	f := NewFleet()
	a, _ := f.Shape(Rank{Each: core.Resources{CPU: 1}, Generic: map[string]int64{"gpu": 1, "fpga": 2}})
	b, _ := f.Shape(Rank{Each: core.Resources{CPU: 1}, Generic: map[string]int64{"fpga": 2, "gpu": 1}})
	c, _ := f.Shape(Rank{Each: core.Resources{CPU: 2}})
	if a != b || a == c {
		t.Fatal(a, b, c)
	}
	if f.Amount(a) != (core.Vector{1, 0, 2, 1}) {
		t.Fatal(f.Amount(a))
	}
	for _, bad := range []Rank{
		{Constraints: constraints("rack LIKE (")},
		{Constraints: constraints("rack UNIQUE")},
		{Constraints: constraints("rack CLUSTER")},
		{Constraints: constraints("app APART")},
		{Constraints: constraints("rack NEAR x")},
		{Constraints: []core.Constraint{{Operator: "LIKE", Value: "x"}}},
		{Generic: map[string]int64{"1": 1, "2": 1, "3": 1, "4": 1, "5": 1}},
	} {
		if _, err := f.Shape(bad); err == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
	for _, bad := range []string{"rack MAX_PER", "rack MAX_PER x", "rack GROUP_BY 0", "rack LIKE ("} {
		if _, _, err := Split(constraints(bad)); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
	rank, counting, err := Split(constraints("rack LIKE r, rack CLUSTER, host UNIQUE, app APART db, zone CLUSTER z"))
	if err != nil || len(rank) != 3 || len(counting) != 2 {
		t.Fatal(rank, counting, err)
	}
}

// TestApart: ranks that keep apart keep others away, too.
func TestApart(t *testing.T) {
	f := site("a:8 b:8 c:8")
	shape := func(r Rank) ShapeID {
		id, err := f.Shape(r)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	web := shape(Rank{Each: core.Resources{CPU: 1000}, Tags: []string{"app=web"}})
	quiet := shape(Rank{Each: core.Resources{CPU: 1000}, Tags: []string{"app=quiet"}, Constraints: constraints("app APART web, app APART quiet")})
	if n := f.Room(quiet, Present); n != 3 {
		t.Fatalf("room for %d, want one a host", n)
	}
	a := refs(f, "a")[0]
	f.Take(a, quiet, 1)
	if n := f.Room(web, Present); n != 16 {
		t.Fatalf("room for %d web, want none on a", n)
	}
	f.Take(refs(f, "b")[0], web, 2)
	if n := f.Room(quiet, Present); n != 1 {
		t.Fatalf("room for %d quiet, want one on c", n)
	}
	if n := f.Room(quiet, Empty); n != 3 {
		t.Fatalf("room for %d quiet if nothing were granted", n)
	}
	f.Give(a, quiet, 1)
	if n := f.Room(web, Present); n != 22 {
		t.Fatalf("room for %d web", n)
	}
	job := shape(Rank{Constraints: constraints("job APART x")})
	x := shape(Rank{Tags: []string{"job=x"}})
	f.Take(a, x, 1)
	if _, ok := f.Choose(&Claim{Roles: []RoleAsk{{Shape: job, Size: 1, Counting: constraints("host CLUSTER")}}, Job: []Ref{a}}); ok {
		t.Fatal("placed on the host of a job to keep apart from")
	}
}

// TestOvercommitted: more taken than there is leaves no room, not even for
// what needs nothing.
func TestOvercommitted(t *testing.T) {
	f := site("a:1")
	nothing, _ := f.Shape(Rank{})
	big, _ := f.Shape(Rank{Each: core.Resources{Memory: 16 << 30}})
	if n := f.Room(nothing, Present); n != unlimited {
		t.Fatal(n)
	}
	f.Take(0, big, 1)
	if n := f.Room(nothing, Present); n != 0 {
		t.Fatal(n)
	}
	f.Up(core.Node{ID: "a", Capacity: core.Resources{CPU: 8000, Memory: 32 << 30}})
	if n := f.Room(nothing, Present); n != unlimited || f.Free(0)[1] != 16<<30 {
		t.Fatal(n, f.Free(0))
	}
}

func TestQuotient(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		each := rapid.Int64Range(1, math.MaxInt64).Draw(t, "each")
		v := rapid.Int64Range(0, math.MaxInt64).Draw(t, "free")
		s := &shape{}
		s.size(core.Vector{each})
		if got := s.quotient(0, uint64(v)); got != uint64(v/each) {
			t.Fatalf("%d / %d = %d", v, each, got)
		}
	})
}

// model is what a fleet should know, kept the plain way.
type model struct {
	ids   []core.NodeID
	nodes map[core.NodeID]core.Node
	why   map[core.NodeID]string
	taken map[core.NodeID]map[ShapeID]int
	ranks []Rank
}

func (m *model) clone() *model {
	c := &model{slices.Clone(m.ids), map[core.NodeID]core.Node{}, map[core.NodeID]string{}, map[core.NodeID]map[ShapeID]int{}, slices.Clone(m.ranks)}
	for _, id := range m.ids {
		c.nodes[id], c.why[id], c.taken[id] = m.nodes[id], m.why[id], map[ShapeID]int{}
		for s, n := range m.taken[id] {
			c.taken[id][s] = n
		}
	}
	return c
}

// room is how many ranks fit, by trying.
func (m *model) room(id core.NodeID, shape ShapeID, v View) int32 {
	rank, n := m.ranks[shape], m.nodes[id]
	for _, c := range rank.Constraints {
		is := n.Labels[c.Attribute]
		if c.Operator == "CLUSTER" && is != c.Value || c.Operator == "UNLIKE" && is == c.Value {
			return 0
		}
	}
	if v != Ever && m.why[id] != "" {
		return 0
	}
	cpu, memory, gpu := int64(n.Capacity.CPU), int64(n.Capacity.Memory), n.Generic["gpu"]
	for s, k := range m.taken[id] {
		if v != Present || k == 0 {
			continue
		}
		other := m.ranks[s]
		cpu -= int64(k) * int64(other.Each.CPU)
		memory -= int64(k) * int64(other.Each.Memory)
		gpu -= int64(k) * other.Generic["gpu"]
		if apart(rank, other) {
			return 0
		}
	}
	fits := int32(0)
	enough := func() bool { return cpu >= 0 && memory >= 0 && gpu >= 0 }
	for most := int32(99); enough() && fits < most; fits++ {
		if apart(rank, rank) {
			most = 1
		}
		cpu -= int64(rank.Each.CPU)
		memory -= int64(rank.Each.Memory)
		gpu -= rank.Generic["gpu"]
		if !enough() {
			break
		}
	}
	return fits
}

// apart reports whether ranks a and b keep apart, read as text.
func apart(a, b Rank) bool {
	for _, p := range a.Ports {
		if slices.Contains(b.Ports, p) {
			return true
		}
	}
	for _, c := range a.Constraints {
		if c.Operator == "APART" && slices.Contains(b.Tags, c.Attribute+"="+c.Value) {
			return true
		}
	}
	for _, c := range b.Constraints {
		if c.Operator == "APART" && slices.Contains(a.Tags, c.Attribute+"="+c.Value) {
			return true
		}
	}
	return false
}

func (m *model) check(t *rapid.T, f *Fleet) {
	for shape := range m.ranks {
		for v := range views {
			total := int64(0)
			tally := f.tally(f.shapes[shape], v)
			racks, zones := make([]int64, f.domains(rack)), make([]int64, f.domains(zone))
			for i, r := range f.Order() {
				want := m.room(f.ID(r), ShapeID(shape), v)
				if tally.room[i] != want {
					t.Fatalf("room of %s for %+v in view %d is %d, want %d", f.ID(r), m.ranks[shape], v, tally.room[i], want)
				}
				total += int64(want)
				racks[f.rackOf[i]] += int64(want)
				zones[f.zoneOf[i]] += int64(want)
			}
			m.tightest(t, f, ShapeID(shape), v)
			if f.Room(ShapeID(shape), v) != total || !slices.Equal(racks, tally.racks) || !slices.Equal(zones, tally.zones) {
				t.Fatalf("view %d: total %d of %d, racks %v of %v, zones %v of %v", v, tally.total, total, tally.racks, racks, tally.zones, zones)
			}
		}
	}
}

// tightest checks that the index finds what looking at every node does.
func (m *model) tightest(t *rapid.T, f *Fleet, shape ShapeID, v View) {
	for n := int32(1); n < 5; n++ {
		best, least, bestHeld := -1, int32(0), false
		for i, r := range f.Order() {
			id := f.ID(r)
			held := m.ranks[shape].Image != "" && slices.Contains(m.nodes[id].Images, m.ranks[shape].Image)
			room := m.room(id, shape, v)
			if room >= n && (best < 0 || held && !bestHeld || held == bestHeld && room < least) {
				best, least, bestHeld = i, room, held
			}
		}
		if got := f.tally(f.shapes[shape], v).tightest(int64(n)); got != best {
			t.Fatalf("node %d is the tightest for %d of %+v in view %d, not %d", best, n, m.ranks[shape], v, got)
		}
	}
}

func anyRank(t *rapid.T) Rank {
	r := Rank{Each: core.Resources{
		CPU:    core.MilliCPU(rapid.IntRange(1, 3).Draw(t, "cpu")) * 1000,
		Memory: core.Bytes(rapid.IntRange(0, 2).Draw(t, "memory")),
	}}
	switch rapid.IntRange(0, 7).Draw(t, "kind") {
	case 0:
		r.Ports = []int{rapid.IntRange(1, 2).Draw(t, "port"), 3}
	case 1:
		r.Tags = []string{"app=web"}
	case 2:
		r.Constraints = constraints("app APART web")
		if rapid.Bool().Draw(t, "itself") {
			r.Tags = []string{"app=web"}
		}
	case 3:
		r.Constraints = constraints("disk UNLIKE ssd")
	case 4:
		r.Constraints = constraints("disk CLUSTER ssd")
	case 5:
		r.Generic = map[string]int64{"gpu": 1}
	case 6:
		r.Image = rapid.SampledFrom([]string{"app", "db"}).Draw(t, "image")
	}
	return r
}

func anyNode(t *rapid.T) core.Node {
	n := core.Node{
		ID:       core.NodeID(fmt.Sprintf("n%d", rapid.IntRange(0, 7).Draw(t, "node"))),
		Rack:     rapid.SampledFrom([]string{"", "r1", "r2"}).Draw(t, "rack"),
		Zone:     rapid.SampledFrom([]string{"z1", "z2"}).Draw(t, "zone"),
		Capacity: core.Resources{CPU: core.MilliCPU(rapid.IntRange(1, 6).Draw(t, "cpus")) * 1000, Memory: 6},
		Labels:   map[string]string{"disk": rapid.SampledFrom([]string{"ssd", "hdd"}).Draw(t, "disk")},
	}
	n.Images = rapid.SampledFrom([][]string{nil, {"app"}, {"app", "db"}}).Draw(t, "images")
	if rapid.IntRange(0, 2).Draw(t, "gpus") == 0 {
		n.Generic = map[string]int64{"gpu": 2}
	}
	return n
}

// step changes a fleet and its model alike.
func (m *model) step(t *rapid.T, f *Fleet) {
	kind := rapid.IntRange(0, 7).Draw(t, "step")
	if kind == 0 || len(m.ids) == 0 {
		n := anyNode(t)
		f.Up(n)
		if _, known := m.nodes[n.ID]; !known {
			m.ids, m.taken[n.ID] = append(m.ids, n.ID), map[ShapeID]int{}
		}
		m.nodes[n.ID] = n
		return
	}
	id := rapid.SampledFrom(m.ids).Draw(t, "id")
	r, _ := f.Ref(id)
	if kind == 1 {
		m.why[id] = rapid.SampledFrom([]string{"", "", "down", "draining"}).Draw(t, "why")
		f.Close(r, m.why[id])
		return
	}
	if kind == 2 || len(m.ranks) == 0 {
		rank := anyRank(t)
		shape, err := f.Shape(rank)
		if err != nil {
			t.Fatal(err)
		}
		if int(shape) == len(m.ranks) {
			m.ranks = append(m.ranks, rank)
		}
		return
	}
	shape := ShapeID(rapid.IntRange(0, len(m.ranks)-1).Draw(t, "shape"))
	n := rapid.IntRange(1, 2).Draw(t, "n")
	if kind == 3 {
		n = min(n, m.taken[id][shape])
		m.taken[id][shape] -= n
		f.Give(r, shape, n)
		return
	}
	m.taken[id][shape] += n
	f.Take(r, shape, n)
}

// TestFollows: what a fleet counted step by step is what counting anew gives
// (law F1), and clones share nothing (law F4).
func TestFollows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fleets, models := []*Fleet{NewFleet()}, []*model{(&model{}).clone()}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			k := rapid.IntRange(0, len(fleets)-1).Draw(t, "fleet")
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			case 0:
				if len(fleets) < 3 {
					fleets, models = append(fleets, fleets[k].Clone()), append(models, models[k].clone())
				}
			case 1, 2:
				models[k].check(t, fleets[k])
			default:
				models[k].step(t, fleets[k])
			}
		}
		for k := range fleets {
			models[k].check(t, fleets[k])
		}
	})
}

// TestGrown: whenever room grew since it was asked, Grown says so (law F3).
func TestGrown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f, m := NewFleet(), (&model{}).clone()
		grown := map[ShapeID]uint64{}
		rooms := map[ShapeID]map[core.NodeID]int32{}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			freed := f.Freed()
			m.step(t, f)
			for shape := range ShapeID(len(m.ranks)) {
				now := f.Grown(shape)
				room := map[core.NodeID]int32{}
				for i, r := range f.Order() {
					room[f.ID(r)] = f.tally(f.shapes[shape], Present).room[i]
				}
				was, known := rooms[shape]
				for id := range room {
					if known && room[id] > was[id] && (now == grown[shape] || freed == f.Freed()) {
						t.Fatalf("room for %+v grew from %v to %v: Grown %d to %d, Freed %d to %d",
							m.ranks[shape], was, room, grown[shape], now, freed, f.Freed())
					}
				}
				grown[shape], rooms[shape] = now, room
			}
		}
	})
}

// TestTogetherOrOneByOne: nodes that come together and nodes that come one by
// one end in the same order.
func TestTogetherOrOneByOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		one, all := NewFleet(), NewFleet()
		ids := rapid.Permutation([]int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19}).Draw(t, "ids")
		for _, i := range ids {
			n := core.Node{
				ID: core.NodeID(fmt.Sprintf("n%02d", i)), Labels: map[string]string{"k": fmt.Sprint(i % 3)},
				Rack: rapid.SampledFrom([]string{"", "r1", "r2"}).Draw(t, "rack"),
				Zone: rapid.SampledFrom([]string{"z1", "z2", "z3"}).Draw(t, "zone"),
			}
			one.Up(n)
			one.settle()
			all.Up(n)
		}
		all.settle()
		for _, c := range [][2]any{
			{one.order, all.order}, {one.pos, all.pos}, {one.racks, all.racks}, {one.zones, all.zones},
			{one.rackOf, all.rackOf}, {one.zoneOf, all.zoneOf}, {one.classOf, all.classOf},
		} {
			if diff := cmp.Diff(c[0], c[1]); diff != "" {
				t.Fatal(diff)
			}
		}
	})
}

// TestEviction: tallies that are let go are counted again.
func TestEviction(t *testing.T) {
	f := site("a:8 b:3")
	f.most = 4
	var shapes []ShapeID
	for i := range 20 {
		id, err := f.Shape(Rank{Each: core.Resources{CPU: core.MilliCPU(i+1) * 500}})
		if err != nil {
			t.Fatal(err)
		}
		shapes = append(shapes, id)
	}
	for round := range 3 {
		for i, id := range shapes {
			want := int64(16/(i+1) + (6-round*2)/(i+1))
			if got := f.Room(id, Present); got != want {
				t.Fatalf("room for %d, want %d", got, want)
			}
		}
		f.Take(1, shapes[1], 1)
	}
	held := 0
	for _, slot := range f.tallies[Present] {
		if slot.tally != nil {
			held++
		}
	}
	if held > 4 {
		t.Fatalf("%d tallies are kept", held)
	}
	if diff := cmp.Diff(int64(16/1+0), f.Room(shapes[0], Present)); diff != "" {
		t.Fatal(diff)
	}
}
