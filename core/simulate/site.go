package simulate

import (
	"cmp"
	"container/heap"
	"slices"

	"github.com/capstan-run/capstan/core/predict"
)

// policy decides on a site which waiting jobs start.
type policy interface {
	// pass starts what should start now. It is called after jobs came or ended.
	pass(s *site)
}

// site is a machine that is nothing but an amount of CPU: what the policies for
// comparison run on. They share it and nothing else.
type site struct {
	now         int64
	total, free int64
	queue       []*entry // by arrival
	running     endings
	history     predict.History
	usage       usage
}

// entry is a job on a site.
type entry struct {
	*Record
	number    int // by arrival
	predicted int64
	standing  standing
}

// wallEnd is when a running entry has to end.
func (e *entry) wallEnd() int64 { return e.Start + e.Job.Request.Walltime }

// simulateOn replays a workload on a site under a policy.
func simulateOn(w *Workload, p policy) []Record {
	out := make([]Record, len(w.Jobs))
	s := &site{total: w.Machine.Width(), free: w.Machine.Width(), usage: newUsage(w.Jobs[0].Arrive)}
	for next := 0; next < len(out) || len(s.running) > 0; {
		s.advance(s.moment(w, next))
		for len(s.running) > 0 && s.running[0].End == s.now {
			s.end()
		}
		for ; next < len(out) && w.Jobs[next].Arrive == s.now; next++ {
			out[next].Job = &w.Jobs[next]
			s.arrive(&entry{Record: &out[next], number: next})
		}
		p.pass(s)
	}
	return out
}

// moment is when something happens next.
func (s *site) moment(w *Workload, next int) int64 {
	switch {
	case next == len(w.Jobs):
		return s.running[0].End
	case len(s.running) == 0:
		return w.Jobs[next].Arrive
	}
	return min(w.Jobs[next].Arrive, s.running[0].End)
}

func (s *site) advance(t int64) {
	for _, e := range s.running {
		s.usage.add(e.Job.Request.User, s.now, t, e.Job.Width())
	}
	s.now = t
}

func (s *site) arrive(e *entry) {
	q := &e.Job.Request
	e.predicted = s.history.Predict(q.User, q.Name, q.Walltime)
	s.queue = append(s.queue, e)
}

func (s *site) end() {
	e := heap.Pop(&s.running).(*entry)
	s.free += e.Job.Width()
	s.history.Ended(e.Job.Request.User, e.Job.Request.Name, e.End-e.Start)
}

// start starts a waiting entry. What is free must be enough.
func (s *site) start(e *entry) {
	if e.Job.Width() > s.free {
		panic("simulate: a policy started a job that does not fit")
	}
	s.free -= e.Job.Width()
	e.Start, e.End = s.now, s.now+e.Job.Holds()
	heap.Push(&s.running, e)
	s.queue = slices.DeleteFunc(s.queue, func(q *entry) bool { return q == e })
}

// profile is what is free from now on if every running job uses its walltime.
func (s *site) profile() *profile {
	ends := slices.Clone(s.running)
	slices.SortFunc(ends, func(a, b *entry) int { return cmp.Compare(a.wallEnd(), b.wallEnd()) })
	p := &profile{at: []int64{s.now}, free: []int64{s.free}}
	for _, e := range ends {
		last := len(p.at) - 1
		if p.at[last] == e.wallEnd() {
			p.free[last] += e.Job.Width()
			continue
		}
		p.at, p.free = append(p.at, e.wallEnd()), append(p.free, p.free[last]+e.Job.Width())
	}
	return p
}

// by returns the entries in order of a key, those of one key by arrival.
func by(entries []*entry, key func(*entry) int64) []*entry {
	keys := make(map[*entry]int64, len(entries))
	for _, e := range entries {
		keys[e] = key(e)
	}
	out := slices.Clone(entries)
	slices.SortFunc(out, func(a, b *entry) int {
		return cmp.Or(cmp.Compare(keys[a], keys[b]), cmp.Compare(a.number, b.number))
	})
	return out
}

// endings is a heap by End.
type endings []*entry

func (h endings) Len() int { return len(h) }
func (h endings) Less(a, b int) bool {
	return cmp.Or(cmp.Compare(h[a].End, h[b].End), cmp.Compare(h[a].number, h[b].number)) < 0
}
func (h endings) Swap(a, b int) { h[a], h[b] = h[b], h[a] }
func (h *endings) Push(x any)   { *h = append(*h, x.(*entry)) }
func (h *endings) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	*h = (*h)[:last]
	return e
}
