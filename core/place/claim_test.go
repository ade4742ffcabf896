package place

import (
	"fmt"
	"math/bits"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/capstan-run/capstan/core"
)

// scene is a small fleet and a claim on it, with what a plain check needs.
type scene struct {
	f     *Fleet
	claim Claim
	ranks []Rank // by role
}

// anyFleet is up to six nodes with something taken on each.
func anyFleet(t *rapid.T) *Fleet {
	f := NewFleet()
	filler, _ := f.Shape(Rank{Each: core.Resources{CPU: 1000}})
	porter, _ := f.Shape(Rank{Ports: []int{80}})
	for i := range rapid.IntRange(1, 6).Draw(t, "nodes") {
		r := f.Up(core.Node{
			ID:       core.NodeID(fmt.Sprintf("n%d", i)),
			Rack:     rapid.SampledFrom([]string{"", "r1", "r2"}).Draw(t, "rack"),
			Zone:     rapid.SampledFrom([]string{"z1", "z2"}).Draw(t, "zone"),
			Labels:   rapid.SampledFrom([]map[string]string{{"os": "x"}, {"os": "y"}, {}}).Draw(t, "labels"),
			Capacity: core.Resources{CPU: 6000, Memory: 4},
			NUMA:     rapid.IntRange(0, 2).Draw(t, "numa"),
			Images:   rapid.SampledFrom([][]string{nil, nil, {"app"}}).Draw(t, "images"),
		})
		f.Take(r, filler, rapid.IntRange(0, 6).Draw(t, "busy"))
		if rapid.IntRange(0, 5).Draw(t, "port") == 0 {
			f.Take(r, porter, 1)
		}
		if rapid.IntRange(0, 7).Draw(t, "open") == 0 {
			f.Close(r, "down")
		}
	}
	return f
}

func (s *scene) role(t *rapid.T, size int, counting []core.Constraint) {
	r := Rank{Each: core.Resources{
		CPU:    core.MilliCPU(rapid.IntRange(1, 4).Draw(t, "each")) * 500,
		Memory: core.Bytes(rapid.IntRange(0, 2).Draw(t, "memory")),
	}}
	switch rapid.IntRange(0, 5).Draw(t, "kind") {
	case 0:
		r.Ports = []int{80}
	case 1:
		r.Constraints = constraints("os LIKE x")
	case 2:
		r.Image = "app"
	}
	id, err := s.f.Shape(r)
	if err != nil {
		t.Fatal(err)
	}
	s.ranks = append(s.ranks, r)
	ask := RoleAsk{Shape: id, Size: size, Counting: counting}
	if rapid.IntRange(0, 2).Draw(t, "elastic") == 0 {
		ask.Min = rapid.IntRange(1, size).Draw(t, "min")
	}
	s.claim.Roles = append(s.claim.Roles, ask)
}

func (s *scene) some(t *rapid.T, name string) []Ref {
	if rapid.IntRange(0, 2).Draw(t, name) != 0 {
		return nil
	}
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Ref {
		return Ref(rapid.IntRange(0, s.f.Len()-1).Draw(t, "ref"))
	}), 0, 2).Draw(t, name)
}

// circumstances draws what is not a role: nodes of ranks in place and limits.
func (s *scene) circumstances(t *rapid.T) {
	s.claim.Beside, s.claim.Job, s.claim.Avoid = s.some(t, "beside"), s.some(t, "job"), s.some(t, "avoid")
	for _, r := range s.some(t, "limit") {
		s.claim.Limit = append(s.claim.Limit, Limit{r, core.Vector{int64(rapid.IntRange(0, 4).Draw(t, "cpus")) * 1000, 4}})
	}
}

// anyScene is a claim of one role whose limits nest, so that Choose is exact.
func anyScene(t *rapid.T) *scene {
	s := &scene{f: anyFleet(t)}
	policies := []string{
		"", "pack numa", "pack host", "pack rack", "pack zone", "spread host", "spread rack", "spread zone",
		"perHost 2", "pack rack, perHost 1", "slice 2 host", "slice 2 rack", "slice 2 host, pack rack", "slice 3 zone, perHost 2",
	}
	counting := []string{"", "", "host UNIQUE", "rack MAX_PER 2", "zone UNIQUE", "zone MAX_PER 3", "rack GROUP_BY 2", "zone GROUP_BY 2"}
	s.claim.Policy = asking(rapid.SampledFrom(policies).Draw(t, "policy"))
	if s.claim.Policy.Slice > 0 {
		counting = []string{"", "host UNIQUE"}
	}
	if s.claim.Policy == (core.PlacementAsk{}) || s.claim.Policy == asking("perHost 2") {
		counting = append(counting, "os CLUSTER", "os UNIQUE", "os MAX_PER 2", "os GROUP_BY 2")
	}
	s.role(t, rapid.IntRange(1, 5).Draw(t, "size"), constraints(rapid.SampledFrom(counting).Draw(t, "counting")))
	s.circumstances(t)
	return s
}

// domain is the name of what a node is in, independent of the fleet's numbers.
func (s *scene) domain(level string, r Ref) string {
	n := s.f.Node(r)
	switch level {
	case "rack":
		return n.Zone + "/" + n.Rack
	case "zone":
		return n.Zone
	case "cluster":
		return ""
	case "host", "numa":
		return string(n.ID)
	}
	return n.Labels[level]
}

// violation says what is wrong with a placement; "" for nothing.
func (s *scene) violation(nodes []Ref, counts []int) string {
	roleOf := []int{}
	for k, n := range counts {
		for range n {
			roleOf = append(roleOf, k)
		}
	}
	if why := s.overfull(nodes, roleOf); why != "" {
		return why
	}
	if why := s.misplaced(nodes); why != "" {
		return why
	}
	from := 0
	for k, n := range counts {
		if why := s.miscounted(k, nodes[from:from+n]); why != "" {
			return why
		}
		from += n
	}
	return ""
}

func (s *scene) overfull(nodes []Ref, roleOf []int) string {
	for _, r := range nodes {
		free := s.f.Free(r)
		for _, l := range s.claim.Limit {
			if l.Node == r {
				free = free.Min(l.Free)
			}
		}
		share := s.f.Capacity(r)
		if n := s.f.Node(r).NUMA; n > 1 {
			share[0], share[1] = share[0]/int64(n), share[1]/int64(n)
		} else if n == 0 {
			share = core.Vector{-1}
		}
		for _, b := range s.claim.Beside {
			if b == r {
				share = share.Sub(s.f.Amount(s.claim.Roles[0].Shape))
			}
		}
		ports := 0
		for i, other := range nodes {
			if other == r {
				each := s.f.Amount(s.claim.Roles[roleOf[i]].Shape)
				free, share = free.Sub(each), share.Sub(each)
				ports += len(s.ranks[roleOf[i]].Ports)
			}
		}
		switch {
		case !(core.Vector{}).Fits(free):
			return "over capacity"
		case s.claim.Policy.Pack == "numa" && !(core.Vector{}).Fits(share):
			return "over the share of a NUMA domain"
		case s.f.Closed(r) != "":
			return "closed"
		case ports > 1 || ports == 1 && s.f.page(r).tenants.head[r&63] >= 0:
			return "port taken twice"
		}
	}
	for i, r := range nodes {
		if len(s.ranks[roleOf[i]].Constraints) > 0 && s.f.Node(r).Labels["os"] != "x" {
			return "filter"
		}
	}
	return ""
}

func (s *scene) misplaced(nodes []Ref) string {
	p := s.claim.Policy
	anchor := append(slices.Clone(s.claim.Beside), nodes...)
	if len(s.claim.Beside) > 0 {
		slices.SortFunc(anchor[:len(s.claim.Beside)], func(a, b Ref) int { return int(s.f.pos[a] - s.f.pos[b]) })
	}
	for i, r := range nodes {
		if p.Pack != "" && s.domain(p.Pack, r) != s.domain(p.Pack, anchor[0]) {
			return "not packed"
		}
		others := append(append([]Ref{}, s.claim.Beside...), nodes[:i]...)
		same := 1
		for _, o := range others {
			if p.Spread != "" && s.domain(p.Spread, r) == s.domain(p.Spread, o) {
				return "not spread"
			}
			if o == r {
				same++
			}
		}
		if p.PerHost > 0 && same > p.PerHost {
			return "too many on a host"
		}
	}
	return ""
}

// miscounted looks at the ranks of one role.
func (s *scene) miscounted(k int, nodes []Ref) string {
	p := s.claim.Policy
	for i, r := range nodes {
		if p.Slice > 1 && s.domain(p.SliceLevel, r) != s.domain(p.SliceLevel, nodes[i/p.Slice*p.Slice]) {
			return "slice torn"
		}
	}
	for _, c := range s.claim.Roles[k].Counting {
		all := append(slices.Clone(s.claim.Job), nodes...)
		held := map[string]int{}
		for i, r := range all {
			value := s.domain(c.Attribute, r)
			if i >= len(s.claim.Job) && value == "" && c.Attribute == "os" {
				return "no value"
			}
			if value != "" || c.Attribute != "os" {
				held[value]++
			}
		}
		for i, r := range all {
			n := held[s.domain(c.Attribute, r)]
			limit, _ := limit(c)
			if i >= len(s.claim.Job) && (c.Operator == "UNIQUE" || c.Operator == "MAX_PER") && n > limit {
				return text(c)
			}
			if c.Operator == "GROUP_BY" && len(nodes) > 0 && len(held) < min(limit, sum(held)) {
				return text(c)
			}
			if c.Operator == "CLUSTER" && i >= len(s.claim.Job) && s.domain(c.Attribute, r) != s.domain(c.Attribute, s.anchor(nodes)) {
				return text(c)
			}
		}
	}
	return ""
}

// anchor is the job's first node in topology order, else the first of nodes.
func (s *scene) anchor(nodes []Ref) Ref {
	if len(s.claim.Job) == 0 {
		return nodes[0]
	}
	return slices.MinFunc(s.claim.Job, func(a, b Ref) int { return int(s.f.pos[a] - s.f.pos[b]) })
}

func sum(m map[string]int) (n int) {
	for _, k := range m {
		n += k
	}
	return n
}

// possible tries every sequence of n nodes; where no slices are asked for,
// every multiset.
func (s *scene) possible(n int) bool {
	var try func(chosen []Ref, from int) bool
	try = func(chosen []Ref, from int) bool {
		if len(chosen) == n {
			return s.violation(chosen, []int{n}) == ""
		}
		for r := from; r < s.f.Len(); r++ {
			next := append(slices.Clone(chosen), Ref(r))
			if s.overfull(next, make([]int, len(next))) != "" {
				continue
			}
			lowest := r
			if s.claim.Policy.Slice > 1 {
				lowest = 0
			}
			if try(next, lowest) {
				return true
			}
		}
		return false
	}
	return try(nil, 0)
}

// TestExact holds Choose against everything that could be chosen: it places as
// many ranks as anybody could, and refuses only what nobody can place.
func TestExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anyScene(t)
		ask := s.claim.Roles[0]
		least := ask.Min
		if least == 0 {
			least = ask.Size
		}
		choice, ok := s.f.Choose(&s.claim)
		if ok != (s.f.Explain(&s.claim) == nil) {
			t.Fatalf("chosen %v, explained %v", choice, s.f.Explain(&s.claim))
		}
		if !ok {
			if s.possible(least) {
				t.Fatalf("refused, but %d ranks have a place", least)
			}
			s.accounted(t)
			return
		}
		n := choice.Counts[0]
		if n < least || n > ask.Size || len(choice.Nodes) != n {
			t.Fatalf("%d ranks on %v of %d to %d", n, choice.Nodes, least, ask.Size)
		}
		if why := s.violation(choice.Nodes, choice.Counts); why != "" {
			t.Fatalf("%v: %s", choice.Nodes, why)
		}
		if n < ask.Size && len(s.claim.Avoid) == 0 && s.possible(n+1) {
			t.Fatalf("%d ranks placed, %d fit", n, n+1)
		}
	})
}

// accounted checks law P6: each node is in one group.
func (s *scene) accounted(t *rapid.T) {
	seen := map[core.NodeID]int{}
	for _, b := range s.f.Explain(&s.claim) {
		if b.Reason == "" {
			t.Fatalf("%v gives no reason", b)
		}
		for _, id := range b.Nodes {
			seen[id]++
		}
	}
	for r := range s.f.Len() {
		if id := s.f.ID(Ref(r)); seen[id] != 1 {
			t.Fatalf("node %s is in %d groups of %v", id, seen[id], s.f.Explain(&s.claim))
		}
	}
}

// TestRoles: whatever is placed of several roles breaks nothing, and nothing
// is refused of which every part has a domain of its own to lie in.
func TestRoles(t *testing.T) {
	placed := 0
	rapid.Check(t, func(t *rapid.T) {
		s := &scene{f: anyFleet(t)}
		s.claim.Policy = asking(rapid.SampledFrom([]string{"", "pack host", "pack rack", "pack numa", "spread host", "spread rack", "perHost 2", "slice 2 rack"}).Draw(t, "policy"))
		counting := constraints(rapid.SampledFrom([]string{"", "", "host UNIQUE", "zone MAX_PER 2", "rack GROUP_BY", "os CLUSTER"}).Draw(t, "counting"))
		for range rapid.IntRange(2, 3).Draw(t, "roles") {
			s.role(t, rapid.IntRange(1, 3).Draw(t, "size"), counting)
		}
		s.circumstances(t)
		choice, ok := s.f.Choose(&s.claim)
		if ok != (s.f.Explain(&s.claim) == nil) {
			t.Fatalf("chosen %v, explained %v", choice, s.f.Explain(&s.claim))
		}
		if !ok {
			s.accounted(t)
			return
		}
		placed++
		for k, n := range choice.Counts {
			if ask := s.claim.Roles[k]; n > ask.Size || n < ask.Min || ask.Min == 0 && n != ask.Size {
				t.Fatalf("%d ranks of %+v", n, ask)
			}
		}
		if why := s.violation(choice.Nodes, choice.Counts); why != "" {
			t.Fatalf("%v %v: %s", choice.Nodes, choice.Counts, why)
		}
	})
	if placed == 0 {
		t.Fatal("nothing was ever placed")
	}
}

// TestNearest checks law P2 for claims without a policy: no lower level has a
// domain that would do, no domain of the same level has less room, and no
// fewer hosts of it would do.
func TestNearest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &scene{f: anyFleet(t)}
		s.role(t, rapid.IntRange(1, 9).Draw(t, "size"), nil)
		s.claim.Roles[0].Min = 0
		choice, ok := s.f.Choose(&s.claim)
		if !ok {
			return
		}
		if !slices.IsSortedFunc(choice.Nodes, func(a, b Ref) int { return int(s.f.pos[a] - s.f.pos[b]) }) {
			t.Fatalf("%v is not along the topology", choice.Nodes)
		}
		size := int64(s.claim.Roles[0].Size)
		room := s.f.tally(s.f.shapes[s.claim.Roles[0].Shape], Present).room
		for _, level := range []string{"host", "rack", "zone", "cluster"} {
			sums := map[string]int64{}
			for i, r := range s.f.Order() {
				sums[s.domain(level, r)] += int64(room[i])
			}
			var chosen string
			together := true
			for i, r := range choice.Nodes {
				together = together && (i == 0 || s.domain(level, r) == chosen)
				chosen = s.domain(level, r)
			}
			for name, sum := range sums {
				switch {
				case sum >= size && !together:
					t.Fatalf("%s %s has room for %d", level, name, sum)
				case sum >= size && sum < sums[chosen] && !(level == "host" && s.ranks[0].Image != ""):
					t.Fatalf("%s %s has room for %d, and %s for %d", level, name, sum, chosen, sums[chosen])
				}
			}
			if together {
				s.fewest(t, level, chosen, choice.Nodes, room)
				return
			}
		}
	})
}

// fewest checks that no fewer hosts of a domain would hold the ranks.
func (s *scene) fewest(t *rapid.T, level, domain string, nodes []Ref, room []int32) {
	fewest := len(room)
	for set := range 1 << len(room) {
		sum := 0
		for i, r := range s.f.Order() {
			if set&(1<<i) != 0 && s.domain(level, r) == domain {
				sum += int(room[i])
			}
		}
		if sum >= len(nodes) {
			fewest = min(fewest, bits.OnesCount(uint(set)))
		}
	}
	if got := len(slices.Compact(slices.Clone(nodes))); got != fewest {
		t.Fatalf("%d hosts, %d would do", got, fewest)
	}
}
