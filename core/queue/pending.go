package queue

import (
	"fmt"

	"github.com/capstan-run/capstan/core"
)

// Add puts c in line. A claim with the ID of one that waits takes its place,
// so that Count can be changed. The error is that of Resolve for a queue that
// does not exist, or of kind Internal if others of its Class have another
// Need, Hint or Work; then nothing changed. Check finds the other reasons to refuse a new
// claim, which do not hold for one that comes back.
func (t *Tree) Add(c Claim) error {
	queue, err := t.find(c.Queue)
	if err != nil {
		return err
	}
	k := classKey{class: c.Class, queue: queue, user: t.userNumber(c.User), priority: c.Priority, repair: c.Repair}
	x := item{arrival: c.Arrival, id: c.ID, since: c.Since, count: max(c.Count, 1)}
	i, ok := t.class[k]
	if ok && (t.classes[i].need != c.Need || t.classes[i].hint != c.Hint || t.classes[i].work != c.Work) {
		return &core.Error{Kind: core.Internal, What: fmt.Sprintf("claim %d is not like others of class %d", c.ID, c.Class), Where: "queue " + c.Queue,
			Remedy: "report it with the spec of the job"}
	}
	t.widen(&c.Need)
	if t.Remove(c.ID) {
		i, ok = t.class[k]
	}
	if !ok {
		i = t.newClass(k, c)
		t.classes[i].one, t.classes[i].offered = x, x
		t.enter(i)
	} else {
		t.join(i, x)
	}
	t.where[c.ID] = where{i, c.Arrival}
	t.count(i, x.count)
	t.refresh(t.classes[i].holder)
	return nil
}

func (t *Tree) newClass(k classKey, c Claim) int32 {
	var i int32
	if n := len(t.unused); n > 0 {
		i, t.unused = t.unused[n-1], t.unused[:n-1]
	} else {
		i = int32(len(t.classes))
		t.classes = append(t.classes, class{})
	}
	holder := int32(none)
	if !k.repair {
		holder = t.holder(k.queue, k.user)
	}
	t.classes[i] = class{classKey: k, holder: holder, need: c.Need, hint: c.Hint, work: c.Work}
	t.class[k] = i
	return i
}

// join adds an item to a class that is in line.
func (t *Tree) join(i int32, x item) {
	c := &t.classes[i]
	if c.moved || !x.before(c.one) {
		c.add(x)
		return
	}
	t.leave(i)
	c.add(x)
	c.offered = c.one
	t.enter(i)
}

// enter puts class i in line at the place of what it offers.
func (t *Tree) enter(i int32) {
	c := &t.classes[i]
	if c.repair {
		t.repairs.add(c.spot(byPriority, c.offered, i))
		return
	}
	n := &t.nodes[c.holder]
	n.line.set.add(c.spot(n.order, c.offered, i))
	if t.cfg.Guard > 0 {
		t.ages.add(c.age(i))
	}
}

// leave takes class i out of line.
func (t *Tree) leave(i int32) {
	c := &t.classes[i]
	if c.repair {
		t.repairs.remove(c.spot(byPriority, c.offered, i))
		return
	}
	n := &t.nodes[c.holder]
	n.line.set.remove(c.spot(n.order, c.offered, i))
	if t.cfg.Guard > 0 {
		t.ages.remove(c.age(i))
	}
}

// age is where c stands by age.
func (c *class) age(number int32) spot {
	return spot{a: c.offered.since, arrival: c.offered.arrival, id: c.offered.id, number: number}
}

// Remove takes the claim out and reports whether it was there.
func (t *Tree) Remove(id uint64) bool {
	w, ok := t.where[id]
	if !ok {
		return false
	}
	c := &t.classes[w.class]
	x, _ := c.get(item{arrival: w.arrival, id: id})
	holder := c.holder
	t.drop(w.class, x)
	t.refresh(holder)
	return true
}

// drop takes item x out of class i, and the class out of line if it was the
// last. The holder has to be looked at anew.
func (t *Tree) drop(i int32, x item) {
	c := &t.classes[i]
	delete(t.where, x.id)
	t.count(i, -x.count)
	if x != c.offered {
		c.take(x)
		return
	}
	t.leave(i)
	if c.len() == 1 {
		delete(t.class, c.classKey)
		t.unused = append(t.unused, i)
		*c = class{holder: none}
	} else {
		next, ok := c.following(x)
		c.take(x)
		if !ok { // all behind it are gone and those before were passed
			next, c.moved, c.settled = c.one, false, t.walks
		}
		c.offered = next
		t.enter(i)
	}
}

// count adds n elements to what waits in the queue of class i.
func (t *Tree) count(i int32, n int) {
	c := &t.classes[i]
	if c.repair {
		return
	}
	for h := c.holder; h != none; h = t.nodes[h].parent {
		t.nodes[h].pending += n
	}
}

// Grant says that one gang of the claim runs now, though no walk offered it: it
// waits no more and is charged as [Walk.Granted] does. It reports whether the
// claim waited.
func (t *Tree) Grant(id uint64) bool {
	w, ok := t.where[id]
	if ok {
		x, _ := t.classes[w.class].get(item{arrival: w.arrival, id: id})
		t.granted(w.class, x)
	}
	return ok
}

// granted takes a gang of item x of class i out of line, and charges it unless
// it is a repair.
func (t *Tree) granted(i int32, x item) {
	c := &t.classes[i]
	k, holder, need := c.classKey, c.holder, c.need
	if x.count > 1 {
		y := x
		y.count--
		c.replace(x, y)
		if c.offered == x {
			c.offered = y
		}
		t.count(i, -1)
	} else {
		t.drop(i, x)
	}
	if !k.repair {
		t.look(holder)
		t.charge(k.queue, k.user, need, 1)
	}
}
