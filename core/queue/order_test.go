package queue

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/capstan-run/capstan/core"
)

// model says what a walk has to offer next by looking at everything, as the
// laws read.
type model struct {
	w       *world
	t       *Tree           // a clone that keeps room as law Q10 says
	settled map[string]bool // classes, by name
	passed  map[uint64]bool // claims
}

func className(c Claim) string {
	return fmt.Sprint(c.Class, c.Queue, "/", c.User, c.Priority, c.Repair)
}

// heads are the first of each class that the walk is not done with.
func (m *model) heads() map[string]Claim {
	first := map[string]Claim{}
	for _, c := range m.w.pending {
		name := className(c)
		if m.settled[name] || m.passed[c.ID] {
			continue
		}
		if h, ok := first[name]; !ok || c.Arrival < h.Arrival || c.Arrival == h.Arrival && c.ID < h.ID {
			first[name] = c
		}
	}
	return first
}

// next is the claim to be offered.
func (m *model) next(now int64) (Claim, bool) {
	m.t = m.w.t.Clone()
	t, holds := m.t, len(m.w.t.walk.holds)
	for {
		var repairs, aged, fresh []Claim
		for _, c := range m.heads() {
			switch {
			case c.Repair:
				repairs = append(repairs, c)
			case t.cfg.Guard > 0 && c.Since <= now-t.cfg.Guard:
				aged = append(aged, c)
			default:
				fresh = append(fresh, c)
			}
		}
		var c Claim
		switch {
		case len(repairs) > 0:
			return slices.MinFunc(repairs, comparePriority), true
		case len(aged) > 0:
			c = slices.MinFunc(aged, compareAge)
		case len(fresh) > 0:
			c = m.fairest(fresh)
		default:
			return c, false
		}
		reasons := t.Admits(c)
		if len(reasons) == 0 {
			return c, true
		}
		m.settled[className(c)] = true
		if len(aged) > 0 && holds < maxHolds && !slices.ContainsFunc(reasons, func(r Reason) bool { return r.Never }) {
			queue, _ := t.find(c.Queue)
			t.keep(hold{queue, t.userNumber(c.User), c.Need}, 1)
			holds++
		}
	}
}

func compareArrival(a, b Claim) int {
	return cmp.Or(cmp.Compare(a.Arrival, b.Arrival), cmp.Compare(a.ID, b.ID))
}

func comparePriority(a, b Claim) int {
	return cmp.Or(cmp.Compare(b.Priority, a.Priority), compareArrival(a, b))
}

func compareAge(a, b Claim) int { return cmp.Or(cmp.Compare(a.Since, b.Since), compareArrival(a, b)) }

func compareBy(o order) func(a, b Claim) int {
	switch o {
	case byArrival:
		return compareArrival
	case byHint:
		return func(a, b Claim) int {
			return cmp.Or(cmp.Compare(b.Priority, a.Priority), cmp.Compare(a.Hint, b.Hint), compareArrival(a, b))
		}
	case byTurn:
		return func(a, b Claim) int {
			return cmp.Or(cmp.Compare(b.Priority, a.Priority), cmp.Compare(a.Work, b.Work), compareArrival(a, b))
		}
	}
	return comparePriority
}

// fairest goes down the tree: at each node, every child offers at most one
// claim for each resource, and the best of these stand for the node.
func (m *model) fairest(fresh []Claim) Claim {
	best, _ := m.best(root, fresh)
	return best
}

// best is what node i serves next, and its share if the parent is fair.
func (m *model) best(i int32, claims []Claim) (Claim, bool) {
	var c Claim
	found, least := false, uint64(math.MaxUint64)
	for d := range m.t.width {
		o, key, ok := m.offer(i, d, claims)
		if ok && (!found || key < least) {
			c, found, least = o, true, key
		}
	}
	return c, found
}

// offer is what node i offers of claims that need most of resource d, with the
// share of the child that it comes from.
func (m *model) offer(i int32, d int, claims []Claim) (Claim, uint64, bool) {
	t := m.t
	n := &t.nodes[i]
	if n.line != nil {
		mine := m.within(i, claims)
		if len(mine) == 0 {
			return Claim{}, 0, false
		}
		c := slices.MinFunc(mine, compareBy(n.order))
		return c, 0, t.dominant(&c.Need) == d
	}
	var best Claim
	var least uint64
	found := false
	turn := map[uint64]int64{} // of a claim, under a node that goes by it
	for _, k := range m.children(i) {
		c, ok := Claim{}, false
		var key uint64
		if n.order == byShare {
			c, _, ok = m.offer(k, d, claims)
			key = m.share(k, d)
		} else {
			c, ok = m.best(k, claims)
		}
		if n.order == byTurn {
			turn[c.ID] = t.turn(k, &class{work: c.Work})
		}
		before := func() bool {
			if n.order == byShare {
				return key < least || key == least && compareArrival(m.first(c), m.first(best)) < 0
			}
			if n.order == byTurn {
				return cmp.Or(cmp.Compare(best.Priority, c.Priority), cmp.Compare(turn[c.ID], turn[best.ID]), compareArrival(c, best)) < 0
			}
			return compareBy(n.order)(c, best) < 0
		}
		if ok && (!found || before()) {
			best, least, found = c, key, true
		}
	}
	if found && n.order != byShare && t.dominant(&best.Need) != d {
		return Claim{}, 0, false
	}
	return best, least, found
}

// first is what stands first in the line of c, done with or not.
func (m *model) first(c Claim) Claim {
	queue, _ := m.t.find(c.Queue)
	s := m.t.nodes[m.t.holder(queue, m.t.userNumber(c.User))].line.set.first()
	return Claim{ID: s.id, Arrival: s.arrival}
}

func (m *model) children(i int32) []int32 {
	var ks []int32
	for k := range m.t.nodes {
		if n := &m.t.nodes[k]; n.parent == i && k != root && (n.rules != nil || n.line != nil) {
			ks = append(ks, int32(k))
		}
	}
	return ks
}

// within are the claims that stand in the line of holder i.
func (m *model) within(i int32, claims []Claim) (mine []Claim) {
	n := &m.t.nodes[i]
	for _, c := range claims {
		if c.Queue == n.name && (n.user == none || m.t.users[n.user] == c.User) {
			mine = append(mine, c)
		}
	}
	return mine
}

// share is law Q5, from what the node uses.
func (m *model) share(i int32, d int) uint64 {
	t := m.t
	n := &t.nodes[i]
	key := t.share(n.used[d], d) + n.past[d]<<(unitBits-pastBits)
	if n.rules == nil {
		return (key+1<<19)>>20 | beyond
	}
	key = (key/uint64(n.rules.Weight) + 1<<19) >> 20
	if n.used[d] >= n.rules.deserves[d] {
		key |= beyond
	}
	return key
}

// TestOrder holds walks against the model (laws Q1, Q2, Q4, Q5, Q9).
func TestTreeOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := anyWorld(t)
		for range rapid.IntRange(1, 8).Draw(t, "rounds") {
			for range rapid.IntRange(0, 30).Draw(t, "claims") {
				w.add(t, w.anyClaim(t))
			}
			for range rapid.IntRange(0, 5).Draw(t, "ends") {
				w.refundAny(t)
			}
			w.now += rapid.Int64Range(0, 300).Draw(t, "time")
			w.followModel(t)
		}
	})
}

func (w *world) followModel(t *rapid.T) {
	m := &model{w, nil, map[string]bool{}, map[uint64]bool{}}
	walk := w.t.Walk(w.now)
	for range rapid.IntRange(0, 40).Draw(t, "length") {
		want, expected := m.next(w.now)
		if got, ok := walk.Next(); ok != expected || got != want {
			t.Fatalf("offered %v %+v, want %v %+v", ok, got, expected, want)
		}
		if !expected {
			return
		}
		switch rapid.IntRange(0, 3).Draw(t, "answer") {
		case 0:
			walk.Skip()
			m.settled[className(want)] = true
		case 1:
			walk.Pass()
			m.passed[want.ID] = true
		default:
			walk.Granted()
			w.granted(t, want)
		}
	}
	walk.End()
}

// TestOneLine: without queues the order is that of one line: repairs, then
// priority, then arrival.
func TestOneLine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tree, err := New(Config{}, &core.Dimensions{})
		if err != nil {
			t.Fatal(err)
		}
		var want []Claim
		for i := range rapid.IntRange(0, 50).Draw(t, "claims") {
			c := Claim{
				ID: uint64(i + 1), Queue: rapid.SampledFrom([]string{"", "default", "nobody's"}).Draw(t, "queue"),
				Priority: rapid.IntRange(0, 3).Draw(t, "priority"), Arrival: rapid.Uint64Range(0, 9).Draw(t, "arrival"),
				Repair: rapid.IntRange(0, 4).Draw(t, "repair") == 0, Class: rapid.Uint64Range(0, 1).Draw(t, "class"), Count: 1,
				User: rapid.SampledFrom([]string{"", "ann"}).Draw(t, "user"),
			}
			if err := tree.Add(c); err != nil {
				t.Fatal(err)
			}
			c.Queue = "default"
			want = append(want, c)
		}
		slices.SortFunc(want, func(a, b Claim) int {
			if a.Repair != b.Repair {
				return map[bool]int{true: -1, false: 1}[a.Repair]
			}
			return comparePriority(a, b)
		})
		for i, c := range want {
			if at, ok := tree.Position(c.ID); !ok || at != i {
				t.Fatalf("claim %d is at %d, want %d of %v", c.ID, at, i, want)
			}
		}
		walk := tree.Walk(1)
		for _, c := range want {
			if got, ok := walk.Next(); !ok || got != c {
				t.Fatalf("got %+v, want %+v", got, c)
			}
			walk.Granted()
		}
	})
}
