package gang

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/place"
)

// ask is what a gang asks of the nodes, shared by all gangs that ask the same:
// what was found out about one of them holds for the others.
type ask struct {
	place.Claim // without what is a gang's own: ranks in place, nodes to avoid
	id          uint32
	need        core.Vector // of the whole gang, at its size
	least       core.Vector // of the whole gang, at its minimum
	share       shares
	failed      failure
	// ever and empty remember whether the nodes could hold it at all.
	ever, empty verdict
}

// shares is what a rank of the first role, and the whole gang at its size, take
// of a cluster with so much open: see supply.
type shares struct {
	open       core.Vector
	rank, gang int64
}

// failure is that the ask found no place: none starts by itself before room for
// its shape grows.
type failure struct {
	grown uint64 // place.Fleet.Grown of its roles, summed
	plan  uint64 // plan.version
	wall  int64  // gangs that may run so long or longer found none; 0: none at all
	relax int
	valid bool
}

// verdict is an answer that holds for one topology.
type verdict struct {
	topology uint64 // 0: not asked yet
	yes      bool
}

// asks finds the ask of a request.
type asks struct {
	plain map[plainKey]*ask
	other map[string]*ask
	apart map[string]bool // attributes that somebody keeps apart by
	next  uint32
	// outdated says that gangs known already may have to carry new tags.
	outdated bool
}

// plainKey is a request of nothing but size and room.
type plainKey struct {
	each      core.Resources
	placement core.PlacementAsk
	size, min int
	image     string
}

func newAsks() asks {
	return asks{plain: map[plainKey]*ask{}, other: map[string]*ask{}, apart: map[string]bool{}}
}

// of is the ask of q.
func (a *asks) of(q *Request, f *place.Fleet) (*ask, error) {
	a.outdated = a.keepsApart(q) || a.outdated
	if len(q.Roles) == 0 && len(q.Generic) == 0 && len(q.Ports) == 0 && len(q.Constraints) == 0 && len(a.apart) == 0 {
		key := plainKey{q.Each, q.Placement, q.Size, q.Min, q.Image}
		if v := a.plain[key]; v != nil {
			return v, nil
		}
		v, err := a.make(q, f)
		if err == nil {
			a.plain[key] = v
		}
		return v, err
	}
	key := a.key(q)
	if v := a.other[key]; v != nil {
		return v, nil
	}
	v, err := a.make(q, f)
	if err == nil {
		a.other[key] = v
	}
	return v, err
}

// key is the same for requests that ask the same of the nodes.
func (a *asks) key(q *Request) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v|%v|%d|%d|%s|%v|%v|%q", q.Each, q.Placement, q.Size, q.Min, q.Image, amounts(q.Generic), q.Ports, q.Constraints)
	if len(a.apart) > 0 {
		fmt.Fprintf(&b, "|%q", a.tags(q))
	}
	for _, r := range q.Roles {
		fmt.Fprintf(&b, "|%s,%d,%d,%d,%d,%v,%v,%q", r.Name, r.Size, r.Min, r.CPU, r.Memory, amounts(r.Generic), r.Ports, r.Constraints)
	}
	return b.String()
}

func amounts(m map[string]int64) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, fmt.Sprintf("%s=%d", name, m[name]))
	}
	return strings.Join(parts, ",")
}

func (a *asks) make(q *Request, f *place.Fleet) (*ask, error) {
	v := &ask{Claim: place.Claim{Policy: q.Placement}}
	for _, role := range q.roles() {
		rank, counting, err := a.rankOf(q, role)
		if err != nil {
			return nil, err
		}
		shape, err := f.Shape(rank)
		if err != nil {
			return nil, err
		}
		v.Roles = append(v.Roles, place.RoleAsk{Shape: shape, Min: role.Min, Size: role.Size, Counting: counting})
		v.need = v.need.Add(f.Amount(shape).Times(int64(role.Size)))
		v.least = v.least.Add(f.Amount(shape).Times(int64(role.Min)))
	}
	a.next++
	v.id = a.next
	return v, nil
}

// roles is the request's roles with their defaults filled in; one without a
// name if it has none.
func (q *Request) roles() []core.Role {
	if len(q.Roles) == 0 {
		return []core.Role{{Size: q.Size, Min: orElse(q.Min, q.Size), Max: orElse(q.Max, q.Size), CPU: q.Each.CPU, Memory: q.Each.Memory}}
	}
	out := slices.Clone(q.Roles)
	for i := range out {
		r := &out[i]
		r.Min, r.Max = orElse(r.Min, r.Size), orElse(r.Max, r.Size)
		r.CPU, r.Memory = orElse(r.CPU, q.Each.CPU), orElse(r.Memory, q.Each.Memory)
	}
	return out
}

func orElse[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// rankOf is what one rank of a role asks, and the constraints that count ranks.
func (a *asks) rankOf(q *Request, role core.Role) (place.Rank, []core.Constraint, error) {
	filters, counting, err := place.Split(slices.Concat(q.Constraints, role.Constraints))
	rank := place.Rank{
		Each: core.Resources{CPU: role.CPU, Memory: role.Memory}, Generic: q.generic(role), Ports: q.Ports,
		Constraints: filters, Image: q.Image, Tags: a.tags(q),
	}
	if role.Ports != nil {
		rank.Ports = role.Ports
	}
	return rank, counting, err
}

// tags is the labels of q that somebody keeps apart from.
func (a *asks) tags(q *Request) []string {
	var out []string
	for _, key := range slices.Sorted(maps.Keys(q.Labels)) {
		if a.apart[key] {
			out = append(out, key+"="+q.Labels[key])
		}
	}
	if a.apart["job"] && q.Name != "" {
		out = append(out, "job="+q.Name)
	}
	return out
}

// keepsApart notes the labels that q keeps apart from, and reports whether one
// of them is new.
func (a *asks) keepsApart(q *Request) bool {
	news := false
	note := func(list []core.Constraint) {
		for _, c := range list {
			if c.Operator == "APART" && !a.apart[c.Attribute] {
				a.apart[c.Attribute], news = true, true
			}
		}
	}
	note(q.Constraints)
	for _, r := range q.Roles {
		note(r.Constraints)
	}
	return news
}

// likeness numbers the gangs that are interchangeable with g.
func (g *member) likeness() uint64 {
	if g.alone() {
		return g.class + g.number // like nobody
	}
	return g.class
}

// classNumber is a hash (FNV-1a) of what never changes of g and makes gangs
// interchangeable, so that nothing has to be kept of them. A new ask makes a new
// one.
func (g *member) classNumber() uint64 {
	h := uint64(14695981039346656037)
	mix := func(b byte) { h = (h ^ uint64(b)) * 1099511628211 }
	for _, v := range []uint64{uint64(g.Priority), uint64(g.ask.id), uint64(g.Walltime), uint64(g.Predicted)} {
		for i := range 8 {
			mix(byte(v >> (8 * i)))
		}
	}
	for _, s := range []string{g.Queue, g.User, g.Reservation} {
		for i := range len(s) {
			mix(s[i])
		}
		mix(0)
	}
	return h
}

// alone reports whether where g may go depends on more than its ask.
func (g *member) alone() bool {
	return len(g.avoid) > 0 || g.ask.counts() || len(g.Licences) > 0 || g.Placement.Preferred && g.Placement.Wait > 0
}

// retag gives gangs that are known already the tags that somebody keeps apart
// from now.
func (s *Scheduler) retag() {
	s.asks.outdated = false
	clear(s.setbacks) // those were of other classes
	for _, g := range s.ordered() {
		a, err := s.asks.of(g.Request, s.fleet)
		if err != nil || a == g.ask {
			continue
		}
		old := g.ask
		g.ask = a
		g.class = g.classNumber()
		for rank, n := range g.nodes {
			if !g.lost[rank] {
				s.fleet.Give(n, old.Roles[g.role(rank)].Shape, 1)
				s.fleet.Take(n, g.shape(rank), 1)
			}
		}
		if g.inLine {
			s.tree.Remove(g.number)
			_ = s.tree.Add(s.claim(g)) // it was there
		}
	}
}

// elastic reports whether the gang may have other sizes than the one it asks.
func (g *member) elastic() bool {
	return len(g.Roles) == 0 && (g.Min != 0 && g.Min != g.Size || g.Max > g.Size)
}
