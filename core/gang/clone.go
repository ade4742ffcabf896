package gang

import (
	"maps"
	"slices"

	"github.com/capstan-run/capstan/core"
)

// Clone returns a scheduler that shares nothing with s that changes: for asking
// what if.
func (s *Scheduler) Clone() *Scheduler {
	k := copier{members: make(map[*member]*member, len(s.gangs)), asks: map[*ask]*ask{}, arrays: map[*array]*array{}, jobs: map[*job]*job{}}
	c := *s
	c.fleet, c.tree = s.fleet.Clone(), s.tree.Clone()
	c.nodes = make([]*node, len(s.nodes))
	for i, n := range s.nodes {
		v := *n
		v.strikes = slices.Clone(n.strikes)
		c.nodes[i] = &v
	}
	c.asks = k.allAsks(&s.asks)
	c.gangs = make(map[ID]*member, len(s.gangs))
	for id, g := range s.gangs {
		c.gangs[id] = k.member(g)
	}
	c.byNumber = make(map[uint64]*member, len(s.byNumber))
	for n, g := range s.byNumber {
		c.byNumber[n] = k.member(g)
	}
	c.jobs = make(map[core.JobID]*job, len(s.jobs))
	for id, j := range s.jobs {
		c.jobs[id] = k.job(j)
	}
	c.singles = make(map[single][]core.JobID, len(s.singles))
	for key, list := range s.singles {
		c.singles[key] = slices.Clone(list)
	}
	c.early = maps.Clone(s.early)
	c.dues = slices.Clone(s.dues)
	for i := range c.dues {
		c.dues[i].gang = k.member(c.dues[i].gang)
	}
	c.granted.list, c.elastic, c.fresh = k.list(s.granted.list), k.list(s.elastic), k.list(s.fresh)
	c.granted.byQueue = make(map[string][]*member, len(s.granted.byQueue))
	for name, list := range s.granted.byQueue {
		c.granted.byQueue[name] = k.list(list)
	}
	c.repairs = slices.Clone(s.repairs)
	for i := range c.repairs {
		c.repairs[i].gang = k.member(c.repairs[i].gang)
	}
	c.licences = make(map[string]*licence, len(s.licences))
	for name, l := range s.licences {
		v := *l
		c.licences[name] = &v
	}
	c.wakes, c.evictions, c.refused = slices.Clone(s.wakes), slices.Clone(s.evictions), slices.Clone(s.refused)
	c.reserved, c.reservations = maps.Clone(s.reserved), slices.Clone(s.reservations)
	c.displacing = slices.Clone(s.displacing)
	for i := range c.displacing {
		c.displacing[i].by = k.member(c.displacing[i].by)
	}
	c.plan = s.plan.clone()
	c.plan.shutFor = k.member(c.plan.shutFor)
	for _, b := range c.plan.booked {
		b.gang = k.member(b.gang)
	}
	c.plan.ends = slices.Clone(c.plan.ends)
	for i := range c.plan.ends {
		c.plan.ends[i].gang = k.member(c.plan.ends[i].gang)
	}
	c.promises = promises{
		list: k.list(s.promises.list), news: k.list(s.promises.news), old: k.list(s.promises.old), heads: k.list(s.promises.heads),
		late: s.promises.late.clone(), line: s.promises.line, full: s.promises.full, last: s.promises.last,
	}
	return &c
}

// copier copies each thing once, however many point to it.
type copier struct {
	members map[*member]*member
	asks    map[*ask]*ask
	arrays  map[*array]*array
	jobs    map[*job]*job
}

func (k *copier) member(g *member) *member {
	if g == nil {
		return nil
	}
	if v := k.members[g]; v != nil {
		return v
	}
	v := new(member)
	k.members[g] = v
	*v = *g
	v.ask, v.whole, v.array = k.ask(g.ask), k.member(g.whole), k.array(g.array)
	v.job = k.job(g.job)
	v.nodes, v.roles, v.avoid = slices.Clone(g.nodes), slices.Clone(g.roles), slices.Clone(g.avoid)
	v.lost, v.joined = slices.Clone(g.lost), slices.Clone(g.joined)
	if len(v.laid) <= len(v.sole) {
		v.laid = nil // it may stand in g's own place
	}
	if g.shrink != nil {
		v.shrink = new(*g.shrink)
	}
	return v
}

func (k *copier) list(l []*member) []*member {
	out := make([]*member, len(l))
	for i, g := range l {
		out[i] = k.member(g)
	}
	return out
}

func (k *copier) ask(a *ask) *ask {
	if v := k.asks[a]; v != nil || a == nil {
		return v
	}
	v := *a
	k.asks[a] = &v
	return &v
}

func (k *copier) allAsks(a *asks) asks {
	c := *a
	c.plain = make(map[plainKey]*ask, len(a.plain))
	for key, v := range a.plain {
		c.plain[key] = k.ask(v)
	}
	c.other = make(map[string]*ask, len(a.other))
	for key, v := range a.other {
		c.other[key] = k.ask(v)
	}
	c.apart = maps.Clone(a.apart)
	return c
}

func (k *copier) array(a *array) *array {
	if a == nil {
		return nil
	}
	if v := k.arrays[a]; v != nil {
		return v
	}
	v := *a
	v.waits, v.ok, v.failed = slices.Clone(a.waits), slices.Clone(a.ok), slices.Clone(a.failed)
	k.arrays[a] = &v
	return &v
}

func (k *copier) job(j *job) *job {
	if v := k.jobs[j]; v != nil {
		return v
	}
	c := *j
	k.jobs[j] = &c
	c.gangs, c.first, c.waiters = k.list(j.gangs), [1]*member{}, k.list(j.waiters)
	c.arrays = make([]*array, len(j.arrays))
	for i, a := range j.arrays {
		c.arrays[i] = k.array(a)
	}
	return &c
}
