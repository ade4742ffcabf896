package place

import (
	"slices"

	"github.com/capstan-run/capstan/core"
)

// partition is a constraint that counts ranks by the value of an attribute.
type partition struct {
	*column
	by    *core.Constraint // nil for a policy
	max   int              // ranks that one value takes
	least int              // GROUP_BY: at least so many values; 0 for others
	alone bool             // a value is one node, and the claim has one role
	held  []int32          // by group: ranks that count
	quota []int32          // GROUP_BY: by group, what the next ranks may use
}

// left is how many more ranks node i takes as far as p goes.
func (p *partition) left(i int) int32 {
	g := p.group[i]
	if g < 0 {
		return 0
	}
	return int32(max(0, p.max-int(p.held[g])))
}

// wide reports whether the ranks lie on as many values as they have to: each
// on its own until there are enough.
func (p *partition) wide() bool {
	if p.least <= 1 {
		return true
	}
	used, total := 0, 0
	for _, n := range p.held {
		total += int(n)
		used += bit(n > 0)
	}
	return used >= min(p.least, total)
}

// narrow reports whether one more rank may not lie where node i does, as those that
// lie already are on too few values, and on its own.
func (p *partition) narrow(i int) bool {
	g := p.group[i]
	if p.least <= 1 || g < 0 || p.held[g] == 0 {
		return false
	}
	used := 0
	for _, n := range p.held {
		used += bit(n > 0)
	}
	return used < p.least
}

// cap puts a partition in force that counts the ranks on the given nodes.
func (s *sight) cap(c *column, most int, held []Ref, by *core.Constraint) *partition {
	p := &partition{column: c, by: by, max: most, held: s.work.ints(c.groups)}
	p.alone = c.groups == len(c.group) && len(s.c.Roles) == 1
	for _, r := range held {
		if g := c.group[s.f.pos[r]]; g >= 0 {
			p.held[g]++
		}
	}
	s.caps = append(s.caps, p)
	return p
}

// endless is more ranks than there can be.
const endless = 1 << 30

// count puts the constraints that count in force and applies them to rooms.
func (s *sight) count() {
	for k := range s.roles {
		r := &s.roles[k]
		r.bound, r.clustered, r.settled = r.bound[:0], r.clustered[:0], r.settled[:0]
		for range s.caps {
			r.bound = append(r.bound, true)
		}
	}
	for k := range s.c.Roles {
		for j := range s.c.Roles[k].Counting {
			s.constrain(k, &s.c.Roles[k].Counting[j])
		}
	}
	s.apply()
}

// constrain binds role k to a constraint, which may be in force already.
func (s *sight) constrain(k int, c *core.Constraint) {
	col := s.f.column(c.Attribute)
	if c.Operator == "CLUSTER" {
		s.cluster(k, col, c)
		return
	}
	j := slices.IndexFunc(s.caps, func(p *partition) bool { return p.by != nil && *p.by == *c })
	if j < 0 {
		n, _ := limit(*c)
		j = len(s.caps)
		if c.Operator == "GROUP_BY" {
			p := s.cap(col, endless, s.c.Job, c)
			p.least, p.quota, p.alone = n, s.work.ints(col.groups), false
			s.bottom = s.top
		} else {
			s.cap(col, n, s.c.Job, c)
		}
	}
	r := &s.roles[k]
	for len(r.bound) <= j {
		r.bound = append(r.bound, false)
	}
	r.bound[j] = true
}

// cluster binds role k to one value of an attribute: that of the job's ranks
// that lie already, else one to be found.
func (s *sight) cluster(k int, col *column, by *core.Constraint) {
	r := &s.roles[k]
	if i := s.first(s.c.Job); i >= 0 {
		r.settled = append(r.settled, settled{col, col.group[i], by})
		s.only(r, col, col.group[i])
		return
	}
	j := slices.Index(s.clusters, col)
	if j < 0 {
		j = len(s.clusters)
		s.clusters = append(s.clusters, col)
	}
	for len(r.clustered) <= j {
		r.clustered = append(r.clustered, false)
	}
	r.clustered[j] = true
}

// settled is a CLUSTER whose value the job's ranks have settled.
type settled struct {
	*column
	value int32 // as a group; -1 for that of no node
	by    *core.Constraint
}

// admits reports whether node i has the value.
func (c *settled) admits(i int) bool { return c.value >= 0 && c.group[i] == c.value }

// only leaves r the nodes of one group.
func (s *sight) only(r *role, col *column, group int32) {
	c := settled{column: col, value: group}
	for i := range r.room {
		if !c.admits(i) {
			s.lower(r, i, 0)
		}
	}
	r.tidy()
}

// binds reports whether the j-th cap concerns r.
func (r *role) binds(j int) bool { return j < len(r.bound) && r.bound[j] }

// apply makes cap of room, for every role.
func (s *sight) apply() {
	for k := range s.roles {
		r := &s.roles[k]
		r.cap = r.room
		for j, p := range s.caps {
			if !r.binds(j) {
				continue
			}
			if len(r.room) > 0 && &r.cap[:1][0] == &r.room[:1][0] {
				r.ownCap = append(r.ownCap[:0], r.room...)
				r.cap = r.ownCap
			}
			for i := range r.cap {
				r.cap[i] = min(r.cap[i], p.left(i))
			}
		}
	}
}

// simple reports whether a domain has a place for a claim exactly if the sum
// of its rooms suffices.
func (s *sight) simple() bool {
	if len(s.roles) > 1 || s.spread || s.slice > 1 {
		return false
	}
	for _, p := range s.caps {
		if !p.alone {
			return false
		}
	}
	return true
}
