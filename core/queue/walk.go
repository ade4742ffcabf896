package queue

import "github.com/capstan-run/capstan/core"

// Walk goes through the claims that may run, in scheduling order (laws Q1 to
// Q10). One walk of a tree is underway at a time. Claims may be added and
// removed, charged and refunded meanwhile; what is added before the place that
// the walk has reached waits for the next.
//
//	for w := t.Walk(now); ; {
//		c, ok := w.Next()
//		…
//		w.Granted() or w.Skip() or w.Pass()
//	}
type Walk struct {
	t       *Tree
	phase   phase
	on      int32   // class of the claim given last, or none
	scan    scan    // of repairs, then of ages
	touched []int32 // holders with a place or a settled class
	moved   []int32 // classes that stand for a later item
	holds   []hold
	seen    int
}

// Seen is how many classes the walk has looked at, as a measure of what it
// cost.
func (w *Walk) Seen() int { return w.seen }

type phase int

const (
	ended phase = iota
	repairing
	aged
	sharing
)

// hold is room kept in quotas and limits for a claim past the guard.
type hold struct {
	queue, user int32
	need        core.Vector
}

// maxHolds is how many claims past the guard keep room at a time. One, the
// oldest, is enough that none starves; more let several queues keep theirs.
const maxHolds = 64

// Walk begins a walk at now, Unix milliseconds, and ends the one before.
func (t *Tree) Walk(now int64) *Walk {
	t.walk.End()
	t.Advance(now)
	if t.stale {
		t.rebuild()
	}
	t.walks++
	w := &t.walk
	*w = Walk{t: t, phase: repairing, on: none, touched: w.touched[:0], moved: w.moved[:0], holds: w.holds[:0]}
	w.scan.reset(&t.repairs)
	return w
}

// Next is the next claim, with Count as it stands. Without a word about the
// claim before, that one is skipped. After the last the walk has ended.
func (w *Walk) Next() (Claim, bool) {
	w.Skip()
	for w.phase != ended {
		if w.t.stale {
			w.t.rebuild()
		}
		i, ok := w.pick()
		if !ok {
			break
		}
		w.seen++
		c := &w.t.classes[i]
		if c.repair || !w.t.nodes[c.queue].rules.bound || (probe{t: w.t, queue: c.queue, user: c.user, need: &c.need}).run(stop) {
			w.on = i
			return w.t.claim(i), true
		}
		if w.phase == aged {
			w.hold(i)
		}
		w.settle(i)
	}
	w.End()
	return Claim{}, false
}

func stop(Reason) bool { return false }

// claim is what class i offers, as a claim.
func (t *Tree) claim(i int32) Claim {
	c := &t.classes[i]
	return Claim{
		ID: c.offered.id, Queue: t.nodes[c.queue].name, User: t.users[c.user], Priority: c.priority, Arrival: c.offered.arrival,
		Since: c.offered.since, Need: c.need, Class: c.class, Count: c.offered.count, Repair: c.repair, Hint: c.hint, Work: c.work,
	}
}

// pick is the first class that the walk is not done with.
func (w *Walk) pick() (int32, bool) {
	if w.phase == repairing {
		if w.t.repairs.n > 0 {
			if s, ok := w.scan.look(w.t, &w.t.repairs); ok {
				return s.number, true
			}
		}
		w.phase = aged
		w.scan.reset(&w.t.ages)
	}
	if w.phase == aged && w.t.ages.n > 0 {
		if s, ok := w.scan.look(w.t, &w.t.ages); ok && s.a <= w.t.now-w.t.cfg.Guard {
			return s.number, true
		}
	}
	w.phase = sharing
	if h, ok := w.t.best(root); ok {
		return w.t.nodes[h].line.head, true
	}
	return none, false
}

// scan goes once through a set of spots that may change meanwhile.
type scan struct {
	done    spot // the last that the walk was done with
	started bool // done means something
	f       finger
}

// reset goes back to the beginning.
func (c *scan) reset(set *sorted[spot]) { *c = scan{f: finger{version: set.version}} }

// look is the first spot that the walk is not done with.
func (c *scan) look(t *Tree, set *sorted[spot]) (x spot, ok bool) {
	switch {
	case !set.stale(&c.f):
		x, ok = set.at(&c.f)
	case c.started:
		x, ok = set.after(c.done, &c.f)
	default:
		x, ok = set.begin(&c.f)
	}
	for ok && t.classes[x.number].settled == t.walks {
		c.done, c.started = x, true
		x, ok = set.step(&c.f)
	}
	return x, ok
}

// Granted says that the gang, or one element of the array, runs now: it waits
// no more and is charged, unless it is a repair.
func (w *Walk) Granted() {
	i := w.on
	if i == none {
		return
	}
	w.on = none
	w.t.granted(i, w.t.classes[i].offered)
}

// Skip says that no claim of the class finds room: it is left out of this walk.
func (w *Walk) Skip() {
	if w.on != none && w.phase != ended {
		w.settle(w.on)
	}
	w.on = none
}

// Pass says that this claim cannot run now, but the next of its class may.
func (w *Walk) Pass() {
	i := w.on
	if i == none {
		return
	}
	c := &w.t.classes[i]
	next, ok := c.following(c.offered)
	if !ok {
		w.Skip()
		return
	}
	w.on = none
	if !c.moved {
		w.moved = append(w.moved, i)
	}
	w.t.leave(i)
	c.offered, c.moved = next, true
	w.t.enter(i)
	w.t.refresh(c.holder)
}

// settle leaves class i out of the rest of the walk.
func (w *Walk) settle(i int32) {
	c := &w.t.classes[i]
	c.settled = w.t.walks
	if c.holder != none && w.t.nodes[c.holder].line.head == i {
		w.t.advance(c.holder)
	}
}

// hold keeps room for class i if it could run at all: law Q10.
func (w *Walk) hold(i int32) {
	c := &w.t.classes[i]
	if len(w.holds) == maxHolds || !(probe{t: w.t, queue: c.queue, user: c.user, need: &c.need, empty: true}).run(stop) {
		return
	}
	h := hold{c.queue, c.user, c.need}
	w.holds = append(w.holds, h)
	w.t.keep(h, 1)
}

// keep books a hold, or with sign -1 takes it back.
func (t *Tree) keep(h hold, sign int) {
	v := h.need.Times(int64(sign))
	t.draw(h.queue, &v)
	for i := h.queue; i != none; i = t.nodes[i].parent {
		n := &t.nodes[i]
		n.held, n.heldRun = n.held.Add(v), n.heldRun+sign
		if !n.users {
			continue
		}
		b := t.balance(accountOf(i, h.user))
		b.held, b.heldRun = b.held.Add(v), b.heldRun+sign
	}
}

// End ends the walk before it is through. Ending it again does nothing.
func (w *Walk) End() {
	if w.phase == ended {
		return
	}
	w.phase, w.on = ended, none
	t := w.t
	for _, h := range w.holds {
		t.keep(h, -1)
	}
	t.walks++ // so that nothing counts as settled
	for _, i := range w.moved {
		if c := &t.classes[i]; c.moved {
			t.leave(i)
			c.offered, c.moved = c.one, false
			t.enter(i)
			t.refresh(c.holder)
		}
	}
	for _, h := range w.touched {
		if l := t.nodes[h].line; l != nil {
			l.scan.reset(&l.set)
			l.touched = false
			t.refresh(h)
		}
	}
}
