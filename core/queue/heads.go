package queue

import (
	"cmp"
	"slices"
)

// Preempts reports whether any claim may displace what runs: whether there is a
// queue that lets it, or quotas that can be taken back.
func (t *Tree) Preempts() bool {
	for i := range t.queues {
		r := t.nodes[i].rules
		if r.PreemptLower || r.draws != 0 && r.Reclaim != "never" {
			return true
		}
	}
	return false
}

// Heads is the claim that stands first in each line, whether quotas admit it or
// not, in the order of the queues' names. The caller owns the list.
func (t *Tree) Heads() []Claim {
	var out []Claim
	for i := range t.nodes {
		if l := t.nodes[i].line; l != nil && l.set.n > 0 {
			out = append(out, t.claim(l.set.first().number))
		}
	}
	slices.SortStableFunc(out, func(a, b Claim) int {
		return cmp.Or(cmp.Compare(a.Queue, b.Queue), cmp.Compare(a.User, b.User))
	})
	return out
}

// Each calls f with the claims that wait until it returns false: first those
// that quotas and limits admit, as a walk at now would offer them if none found
// room, then the others by priority and arrival. No walk may be underway.
func (t *Tree) Each(now int64, f func(id uint64) bool) {
	told := map[uint64]bool{}
	w := t.Walk(now)
	defer w.End()
	for {
		c, ok := w.Next()
		if !ok {
			break
		}
		told[c.ID] = true
		if !f(c.ID) {
			return
		}
		w.Pass()
	}
	var rest []Claim
	for id, at := range t.where {
		if c := &t.classes[at.class]; !told[id] {
			rest = append(rest, Claim{ID: id, Arrival: at.arrival, Priority: c.priority})
		}
	}
	slices.SortFunc(rest, func(a, b Claim) int {
		return cmp.Or(cmp.Compare(b.Priority, a.Priority), cmp.Compare(a.Arrival, b.Arrival), cmp.Compare(a.ID, b.ID))
	})
	for _, c := range rest {
		if !f(c.ID) {
			return
		}
	}
}

// Limits reports whether anything but room can stand in the way of a claim:
// whether there are quotas or limits.
func (t *Tree) Limits() bool {
	for i := range t.queues {
		r := t.nodes[i].rules
		if r.draws != 0 || r.limit.has != 0 || r.MaxRunning > 0 || r.limitsUsers() {
			return true
		}
	}
	return false
}
