package gang

import (
	"maps"
	"slices"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/queue"
)

// Clone returns a scheduler that shares nothing with s that changes: for asking
// what if.
func (s *Scheduler) Clone() *Scheduler {
	return s.clone(&copier{members: make(map[*member]*member, len(s.gangs))})
}

// CloneFirst is Clone for asking what if before a very long line: of the gangs in
// line, only the first n are in it, those named in also, and arrays. It costs
// what they cost.
func (s *Scheduler) CloneFirst(n int, also ...ID) *Scheduler {
	if s.tree.Len() <= n {
		return s.Clone()
	}
	k := &copier{members: make(map[*member]*member, n), kept: s.spokenFor(n)}
	for _, id := range also {
		if g := s.gangs[id]; g != nil {
			k.kept[g] = true
		}
	}
	seen := 0
	s.tree.Each(s.now, func(id uint64) bool {
		if seen < n {
			k.kept[s.byNumber[id]] = true
		}
		seen++
		return seen < n
	})
	return s.clone(k)
}

// spokenFor is the gangs in line that have room, or were promised any; with space
// for n more.
func (s *Scheduler) spokenFor(n int) map[*member]bool {
	kept := make(map[*member]bool, n+2*Reserved)
	for _, b := range s.plan.booked {
		kept[b.gang] = true
	}
	for _, list := range [][]*member{s.promises.list, s.promises.heads} {
		for _, g := range list {
			kept[g] = true
		}
	}
	for _, d := range s.displacing {
		kept[d.by] = true
	}
	return kept
}

// clone copies what k does not leave out.
func (s *Scheduler) clone(k *copier) *Scheduler {
	k.asks, k.arrays, k.jobs = map[*ask]*ask{}, map[*array]*array{}, make(map[*job]*job, k.some(s))
	c := *s
	c.fleet = s.fleet.Clone()
	c.gangs = k.allGangs(s)
	c.asides.gangs = k.list(s.asides.gangs)
	c.tree, c.byNumber = k.line(s)
	c.nodes = make([]*node, len(s.nodes))
	for i, n := range s.nodes {
		v := *n
		v.strikes = slices.Clone(n.strikes)
		c.nodes[i] = &v
	}
	c.asks = k.allAsks(&s.asks)
	c.jobs = k.allJobs(s)
	c.asides.jobs = k.allAside(s.asides.jobs)
	c.singles = make(map[single][]core.JobID, len(s.singles))
	for key, list := range s.singles {
		c.singles[key] = slices.Clone(list)
	}
	c.early = maps.Clone(s.early)
	c.dues = k.allDues(s.dues)
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
	c.displacing, c.setbacks = slices.Clone(s.displacing), maps.Clone(s.setbacks)
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
	kept    map[*member]bool // of the gangs in line; nil: all
	members map[*member]*member
	asks    map[*ask]*ask
	arrays  map[*array]*array
	jobs    map[*job]*job

	// Room for copies, many in one piece.
	memberRoom []member
	jobRoom    []job
}

// some is about how many gangs are copied.
func (k *copier) some(s *Scheduler) int {
	if k.kept == nil {
		return len(s.gangs)
	}
	return len(k.kept) + len(s.granted.list) + len(s.asides.gangs)
}

// together is how many copies lie in one piece of memory.
const together = 128

// next is room for one more.
func next[T any](room *[]T) *T {
	if len(*room) == 0 {
		*room = make([]T, together)
	}
	v := &(*room)[0]
	*room = (*room)[1:]
	return v
}

func (k *copier) member(g *member) *member {
	if g == nil {
		return nil
	}
	if v := k.members[g]; v != nil {
		return v
	}
	v := next(&k.memberRoom)
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

// allGangs is all that are not left out. Of a long line it looks at nobody else:
// who is not among its copies was left out.
func (k *copier) allGangs(s *Scheduler) map[ID]*member {
	if k.kept == nil {
		out := make(map[ID]*member, len(s.gangs))
		for id, g := range s.gangs {
			out[id] = k.member(g)
		}
		return out
	}
	out := make(map[ID]*member, k.some(s))
	take := func(g *member) {
		if g != nil && !g.gone {
			out[g.Gang] = k.member(g)
		}
	}
	for g := range k.kept {
		take(g)
	}
	for _, list := range [][]*member{s.granted.list, s.asides.gangs} {
		for _, g := range list {
			take(g)
		}
	}
	return out
}

// left reports whether g was left out, once allGangs has been.
func (k *copier) left(g *member) bool { return k.kept != nil && k.members[g] == nil }

// line is the tree and who finds its gangs, without those left out.
func (k *copier) line(s *Scheduler) (*queue.Tree, map[uint64]*member) {
	out := make(map[uint64]*member, len(k.members))
	var ids []uint64
	for _, g := range k.members {
		if g.inLine {
			out[g.number] = g
			ids = append(ids, g.number)
		}
	}
	if k.kept == nil {
		return s.tree.Clone(), out
	}
	slices.Sort(ids)
	return s.tree.CloneWith(ids), out
}

// list is of l what is not left out.
func (k *copier) list(l []*member) []*member {
	out := make([]*member, 0, len(l))
	for _, g := range l {
		if !k.left(g) {
			out = append(out, k.member(g))
		}
	}
	return out
}

// stay is list for few, and while who is left out is not known from the copies.
func (k *copier) stay(l []*member) []*member {
	out := make([]*member, 0, len(l))
	for _, g := range l {
		if k.kept == nil || k.kept[g] || !g.inLine || g.array != nil {
			out = append(out, k.member(g))
		}
	}
	return out
}

// allDues is a heap of those that are not left out.
func (k *copier) allDues(d dues) dues {
	out := make(dues, 0, len(d))
	for _, v := range d {
		if k.left(v.gang) {
			continue
		}
		g := k.member(v.gang)
		g.duePlace = 0
		out.set(g, v.at)
	}
	return out
}

// allJobs is the jobs of which more is known than a gang that is left out. Those of
// gangs are among the copies.
func (k *copier) allJobs(s *Scheduler) map[core.JobID]*job {
	if k.kept == nil {
		out := make(map[core.JobID]*job, len(s.jobs))
		for id, j := range s.jobs {
			out[id] = k.job(j)
		}
		return out
	}
	for _, j := range s.asides.jobs {
		k.job(j)
	}
	for _, list := range s.singles {
		for _, id := range list {
			if j := s.jobs[id]; j != nil {
				k.job(j)
			}
		}
	}
	for _, g := range s.asides.gangs {
		for _, d := range g.When.After {
			if j := s.jobs[d.Job]; j != nil {
				k.job(j)
			}
		}
	}
	out := make(map[core.JobID]*job, len(k.jobs))
	for _, j := range k.jobs {
		if !j.dropped {
			out[j.id] = j
		}
	}
	return out
}

// allAside is the jobs beside those of gangs, in their places.
func (k *copier) allAside(jobs []*job) []*job {
	out := make([]*job, len(jobs))
	for i, j := range jobs {
		out[i] = k.job(j)
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
	c := next(&k.jobRoom)
	*c = *j
	k.jobs[j] = c
	c.gangs, c.first, c.waiters = k.stay(j.gangs), [1]*member{}, k.stay(j.waiters)
	c.arrays = make([]*array, len(j.arrays))
	for i, a := range j.arrays {
		c.arrays[i] = k.array(a)
	}
	return c
}
