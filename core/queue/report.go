package queue

import (
	"math/bits"

	"github.com/capstan-run/capstan/core"
)

// Share is one queue, for people: what it has and what it may have. Amounts
// include the queues below it.
type Share struct {
	Queue    string      `json:"queue"` // "" is the whole cluster
	Weight   int64       `json:"weight"`
	Quota    core.Vector `json:"quota"` // its own, and what the queues below lend it
	Used     core.Vector `json:"used"`
	Borrowed core.Vector `json:"borrowed"` // of Used, beyond Quota
	Lent     core.Vector `json:"lent"`     // of Quota, in use by siblings; see Tree.Shares
	Resource int         `json:"resource"` // its dominant one: the element of Used that is the largest part of the cluster
	Now      int64       `json:"now"`      // of the dominant resource, in millionths of the cluster
	Past     int64       `json:"past"`     // its decayed use of it, in millionths of the cluster
	Pending  int         `json:"pending"`  // elements that wait
	Running  int         `json:"running"`  // gangs
}

// Shares is a row for each queue: the root, then the others by name. What is
// lent has no address: siblings borrow from what all leave idle, so each is
// shown with its part of what is lent in proportion to what it leaves idle,
// rounded down.
func (t *Tree) Shares() []Share {
	out := make([]Share, t.queues)
	for i := range out {
		n := &t.nodes[i]
		s := Share{Queue: n.name, Weight: n.rules.Weight, Quota: n.rules.share, Used: n.used, Borrowed: t.borrows(int32(i)),
			Pending: n.pending, Running: n.running}
		for d := 1; d < t.width; d++ {
			if t.share(n.used[d], d) > t.share(n.used[s.Resource], s.Resource) {
				s.Resource = d
			}
		}
		s.Now = millionths(t.share(n.used[s.Resource], s.Resource))
		s.Past = millionths(n.past[s.Resource] << (unitBits - pastBits))
		out[i] = s
	}
	for i := range out {
		t.lent(int32(i), out)
	}
	return out
}

func millionths(share uint64) int64 {
	hi, lo := bits.Mul64(share, 1_000_000)
	lo, carry := bits.Add64(lo, unit/2, 0)
	return int64((hi+carry)<<(64-unitBits) | lo>>unitBits)
}

// lent fills in what the children of node up lend each other.
func (t *Tree) lent(up int32, out []Share) {
	n := &t.nodes[up]
	for d := range t.width {
		var idle, taken int64
		for _, c := range n.children {
			m := &t.nodes[c]
			idle += m.idleShare(d)
			taken += max(0, m.fromParent(d)-(m.rules.share[d]-m.rules.keeps[d]))
		}
		taken = min(taken-min(taken, n.rules.quota.v[d]), idle)
		if taken == 0 {
			continue
		}
		for _, c := range n.children {
			hi, lo := bits.Mul64(uint64(taken), uint64(t.nodes[c].idleShare(d)))
			q, _ := bits.Div64(hi, lo, uint64(idle))
			out[c].Lent[d] = int64(q)
		}
	}
}

// idleShare is what n leaves to its siblings of resource d.
func (n *node) idleShare(d int) int64 {
	return max(0, n.rules.share[d]-n.rules.keeps[d]-n.fromParent(d))
}

// borrows is what node i uses beyond its quota, where quotas count.
func (t *Tree) borrows(i int32) core.Vector {
	n := &t.nodes[i]
	var v core.Vector
	for d := range t.width {
		v[d] = max(0, n.drawn[d]-n.rules.share[d])
	}
	return v
}

// Debt is what a queue uses beyond its quota and may have to give back.
type Debt struct {
	Queue string
	Over  core.Vector
	// Lower says that only gangs of a lower priority than the claim's have to
	// give way.
	Lower bool
}

// Reclaimable lists the queues that use more than their quota of what c lacks,
// where c would stay within its own queue's quota, by name. Together they hold
// at least what c lacks.
func (t *Tree) Reclaimable(c Claim) []Debt {
	queue, err := t.find(c.Queue)
	if err != nil || c.Repair || t.nodes[queue].rules.Reclaim == "never" {
		return nil
	}
	r := t.nodes[queue].rules
	var lacks uint8 // resources
	for d := range t.width {
		if r.draws>>d&1 == 0 || c.Need[d] <= 0 {
			continue
		}
		if t.nodes[queue].drawn[d]+c.Need[d] > r.share[d] {
			return nil // it would borrow itself
		}
		ok := true
		probe{t: t, queue: queue, need: &c.Need}.quotas(d, func(Reason) bool { ok = false; return false })
		if !ok {
			lacks |= 1 << d
		}
	}
	var debts []Debt
	for from, up := queue, t.nodes[queue].parent; lacks != 0 && up != none; from, up = up, t.nodes[up].parent {
		for _, sibling := range t.nodes[up].children {
			if sibling != from {
				debts = t.debts(sibling, lacks, r.Reclaim == "lower", debts)
			}
		}
	}
	return debts
}

// debts collects the queues at or below node i that are over their quota, all
// the way up to i.
func (t *Tree) debts(i int32, lacks uint8, lower bool, debts []Debt) []Debt {
	over := t.borrows(i)
	owes := false
	for d := range over {
		if lacks>>d&1 == 0 {
			over[d] = 0
		}
		owes = owes || over[d] > 0
	}
	if !owes {
		return debts
	}
	if len(t.nodes[i].children) == 0 {
		return append(debts, Debt{t.nodes[i].name, over, lower})
	}
	for _, c := range t.nodes[i].children {
		debts = t.debts(c, lacks, lower, debts)
	}
	return debts
}

// MayPreempt reports whether a claim of the queue called name may displace what
// runs there at a lower priority.
func (t *Tree) MayPreempt(name string) bool {
	i, err := t.find(name)
	return err == nil && t.nodes[i].rules.PreemptLower
}

// Position is how many gangs stand before the claim in its own line: repairs,
// and those of its queue, or of its user where the queue is fair, in their
// order. What other queues are served first depends on what fits.
func (t *Tree) Position(id uint64) (int, bool) {
	w, ok := t.where[id]
	if !ok {
		return 0, false
	}
	mine := &t.classes[w.class]
	x, _ := mine.get(item{arrival: w.arrival, id: id})
	o, n := byPriority, 0
	if !mine.repair {
		t.repairs.each(func(s spot) bool { n += t.classes[s.number].elements(); return true })
		o = t.nodes[mine.holder].order
	}
	me := mine.spot(o, x, 0)
	set := &t.repairs
	if !mine.repair {
		set = &t.nodes[mine.holder].line.set
	}
	set.each(func(s spot) bool {
		c := &t.classes[s.number]
		if !c.spot(o, c.one, 0).before(me) {
			return true
		}
		n += c.before(o, me)
		return true
	})
	return n, true
}

// before counts the elements of c that stand before me.
func (c *class) before(o order, me spot) (n int) {
	if c.spot(o, c.one, 0).before(me) {
		n += c.one.count
	}
	if c.more != nil {
		c.more.each(func(x item) bool {
			if !c.spot(o, x, 0).before(me) {
				return false
			}
			n += x.count
			return true
		})
	}
	return n
}
