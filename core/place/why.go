package place

import (
	"fmt"
	"slices"
	"strings"

	"github.com/capstan-run/capstan/core"
)

// Explain says why a claim has no place: what its policy wants and lacks, and
// then every node in exactly one group (law P6). It returns nil if there is a
// placement.
func (f *Fleet) Explain(c *Claim) []Blocker {
	if f.Fits(c) {
		return nil
	}
	f.settle()
	if len(f.order) == 0 {
		return []Blocker{{Reason: "no node is known"}}
	}
	out, short := f.lacks(c)
	s := f.look(c)
	defer f.done(s)
	return append(out, s.groups(&s.roles[short])...)
}

// lacks says what each role wants and lacks by itself, and which is the first
// that does.
func (f *Fleet) lacks(c *Claim) (out []Blocker, short int) {
	if len(c.Roles) == 1 {
		return []Blocker{{Reason: f.lack(c)}}, 0
	}
	for k := range c.Roles {
		alone := c.alone(k)
		if f.Fits(&alone) {
			continue
		}
		if out == nil {
			short = k
		}
		out = append(out, Blocker{Reason: fmt.Sprintf("role %d: %s", k+1, f.lack(&alone))})
	}
	if out == nil {
		out = []Blocker{{Reason: "each role has room by itself, but not all of them together"}}
	}
	return out, short
}

// alone is c with only its k-th role.
func (c *Claim) alone(k int) Claim {
	one := *c
	one.Roles = c.Roles[k : k+1]
	return one
}

// lack says what the policy of a claim of one role wants and what there is.
func (f *Fleet) lack(c *Claim) string {
	s := f.look(c)
	defer f.done(s)
	want := count(s.roles[0].min, "is", "are") + " needed"
	largest := s.largest()
	if s.spread {
		l := s.caps[0].level(s.f)
		has := count(largest, l+" has", l+"s have")
		return fmt.Sprintf("spread %s: %s room for a rank, %s", l, has, want)
	}
	if largest == 0 {
		return "there is no room for a single rank, " + want
	}
	has := count(largest, "rank", "ranks")
	if s.top < cluster {
		l := s.top.String()
		if s.numa {
			l = numa.String()
		}
		return fmt.Sprintf("pack %s: no %s has room for more than %s, %s", l, l, has, want)
	}
	return fmt.Sprintf("there is room for %s, %s", has, want)
}

// level is the name of the topology level whose domains p counts.
func (p *partition) level(f *Fleet) string {
	for _, l := range []string{"rack", "zone"} {
		if f.columns[l] == p.column {
			return l
		}
	}
	return "host"
}

// largest is how many ranks of the only role could be placed, up to its
// minimum.
func (s *sight) largest() int {
	lo, hi := 0, s.roles[0].min
	for lo < hi {
		if mid := (lo + hi + 1) / 2; s.search([]int{mid}) {
			lo = mid
		} else {
			hi = mid - 1
		}
	}
	return lo
}

// reason is why a node is no (or not enough) help. It is comparable, so that
// nodes group by it.
type reason struct {
	kind reasonKind
	text string
	room int32
}

type reasonKind int

const (
	isOther reasonKind = iota
	isRoomy
	isSmall
	isShort
)

// reason is that of node i for role r.
func (s *sight) reason(r *role, i int) reason {
	if text := s.refusal(r, i); text != "" {
		return reason{text: text}
	}
	if r.cap[i] > 0 {
		return reason{kind: isRoomy, room: r.cap[i]}
	}
	ref := s.f.order[i]
	switch {
	case s.numa && s.f.nodes[ref].NUMA <= 0:
		return reason{text: "does not say how many NUMA domains it has"}
	case !r.shape.each.Fits(s.f.capacity[ref]):
		return reason{kind: isSmall}
	case r.shape.each.Fits(s.raw(i)) && !s.numa:
		return reason{text: "what is free is held for gangs ahead of it"}
	}
	var short []string
	for d, n := range s.shortfall(r, i) {
		if n > 0 {
			short = append(short, s.f.kinds.Name(d))
		}
	}
	return reason{kind: isShort, text: "short of " + listed(short)}
}

// refusal is why node i takes no ranks of r however much is free; "" if
// nothing stands against it.
func (s *sight) refusal(r *role, i int) string {
	ref := s.f.order[i]
	m := &s.f.nodes[ref]
	if why := s.closed(i); why != "" {
		return why
	}
	if r.sieve != nil && !r.sieve.admits.has(i) {
		return "constraint " + text(r.shape.against(m))
	}
	if s.c.View == Present {
		if why := s.f.neighbour(r.shape, ref); why != "" {
			return why
		}
	}
	if s.near >= 0 && s.top < cluster {
		if lo, hi := s.f.domain(s.top, s.near); i < lo || i >= hi {
			return fmt.Sprintf("not in the %s of the gang's other ranks", s.top)
		}
	}
	for k := range r.settled {
		if c := &r.settled[k]; !c.admits(i) {
			return "constraint " + text(*c.by) + ": the job's ranks lie elsewhere"
		}
	}
	for j, p := range s.caps {
		if r.binds(j) && p.left(i) == 0 {
			return s.full(j, p, i)
		}
		if r.binds(j) && len(s.roles) == 1 && r.min == 1 && p.narrow(i) {
			return "constraint " + text(*p.by) + ": the next of the job's ranks has to lie elsewhere"
		}
	}
	return ""
}

// against is the first filter that does not admit m.
func (s *shape) against(m *machine) core.Constraint {
	k := slices.IndexFunc(s.filters, func(c filter) bool {
		value, has := m.attribute(c.Attribute)
		return !c.admits(value, has)
	})
	return s.filters[k].Constraint
}

// full is why the j-th cap leaves no rank for node i.
func (s *sight) full(j int, p *partition, i int) string {
	switch {
	case p.by != nil && p.group[i] < 0:
		return "constraint " + text(*p.by) + ": it has no " + p.by.Attribute
	case p.by != nil:
		return "constraint " + text(*p.by) + ": enough of the job's ranks are there"
	case s.spread && j == 0:
		return fmt.Sprintf("in a %s that holds another rank of the gang", p.level(s.f))
	}
	return fmt.Sprintf("holds %s of the gang, the most for one host", count(int(p.held[p.group[i]]), "rank", "ranks"))
}

// neighbour is which ranks on a node keep those of s away; "" for none.
func (f *Fleet) neighbour(s *shape, r Ref) string {
	if !s.tenant() {
		return ""
	}
	on := &f.page(r).tenants
	for i := on.head[r&63]; i >= 0; i = on.arena[i].next {
		t := f.shapes[on.arena[i].shape]
		for _, port := range s.ports {
			if common([]int{port}, t.ports) {
				return fmt.Sprintf("port %d is taken", port)
			}
		}
		if common(s.apart, t.tags) {
			return "holds an executor that these keep apart from"
		}
		if common(t.apart, s.tags) {
			return "holds an executor that keeps apart from these"
		}
	}
	return ""
}

// shortfall is what has to get free on node i for one rank of r.
func (s *sight) shortfall(r *role, i int) core.Vector { return missing(r.shape.each, s.vector(i)) }

// missing is what free lacks of need, nowhere negative.
func missing(need, free core.Vector) core.Vector {
	v := need.Sub(free)
	for d := range v {
		v[d] = max(0, v[d])
	}
	return v
}

// before orders vectors by their first difference.
func before(a, b core.Vector) bool {
	for d := range a {
		if a[d] != b[d] {
			return a[d] < b[d]
		}
	}
	return false
}

// groups sorts every node into one blocker, in the order of their first nodes.
func (s *sight) groups(r *role) []Blocker {
	type group struct {
		reason
		ids     []core.NodeID
		closest int // lacks the least
	}
	var groups []*group
	byReason := map[reason]*group{}
	for i, ref := range s.f.order {
		c := s.reason(r, i)
		g := byReason[c]
		if g == nil {
			g = &group{reason: c, closest: i}
			byReason[c], groups = g, append(groups, g)
		}
		g.ids = append(g.ids, s.f.ID(ref))
		if before(s.shortfall(r, i), s.shortfall(r, g.closest)) {
			g.closest = i
		}
	}
	out := make([]Blocker, len(groups))
	for k, g := range groups {
		out[k] = Blocker{Nodes: g.ids, Reason: s.words(r, g.reason, g.closest, len(g.ids))}
	}
	return out
}

// words is why n nodes are no help; closest is the one that lacks the least.
func (s *sight) words(r *role, why reason, closest, n int) string {
	lacks := fmt.Sprintf(" (node %s lacks %s)", s.f.ID(s.f.order[closest]), s.f.Words(s.shortfall(r, closest)))
	switch why.kind {
	case isRoomy:
		if n > 1 {
			return fmt.Sprintf("room for %d each", why.room)
		}
		return fmt.Sprintf("room for %d", why.room)
	case isSmall:
		return "too small for one rank even when empty" + lacks
	case isShort:
		return why.text + lacks
	}
	return why.text
}

// Words writes the elements of v that are not zero: "500m cpu, 1Gi memory and
// 2 gpu".
func (f *Fleet) Words(v core.Vector) string {
	var parts []string
	for d, n := range v {
		if n != 0 && d < f.kinds.Len() {
			parts = append(parts, f.words(d, n)+" "+f.kinds.Name(d))
		}
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return listed(parts)
}

// words writes n of element d.
func (f *Fleet) words(d int, n int64) string {
	switch d {
	case 0:
		return core.MilliCPU(n).String()
	case 1:
		return core.Bytes(n).String()
	}
	return fmt.Sprint(n)
}

// listed is "a", "a and b" or "a, b and c".
func listed(parts []string) string {
	if len(parts) < 2 {
		return strings.Join(parts, "")
	}
	last := len(parts) - 1
	return strings.Join(parts[:last], ", ") + " and " + parts[last]
}
