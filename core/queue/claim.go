package queue

import "github.com/capstan-run/capstan/core"

// Claim asks for a gang to be placed, for each of Count elements of an array,
// or for one rank of a running gang to be placed anew.
type Claim struct {
	ID       uint64 // unique among what waits; breaks ties
	Queue    string // "" is Config.Default
	User     string
	Priority int // higher is earlier
	// Arrival is a number that the caller gives once and keeps: a gang that
	// comes back stands where it stood.
	Arrival uint64
	// Since is when it began to wait, Unix milliseconds: what Guard counts from.
	Since int64
	// Need is what the whole gang takes, or one element of the array.
	Need core.Vector
	// Class is the caller's number for whatever else tells claims apart, such
	// as shape, size and walltime. Claims of one class, queue, user and
	// priority have the same Need, Hint and Work, and where one finds no room, none
	// does.
	Class uint64
	// Count is how many elements of an array wait. 0 is 1.
	Count int
	// Repair is for one rank of a gang that runs, whose place is charged
	// already: it stands before all else, and no quota is held against it.
	Repair bool
	// Hint is how long the gang may be expected to run, milliseconds.
	Hint int64
	// Work is what it may use of the CPU at most: milli-CPUs times milliseconds.
	Work int64
}

// classKey tells classes apart. Strings are numbers here, so that it is small.
type classKey struct {
	class       uint64
	queue, user int32
	priority    int
	repair      bool
}

// class is a line of claims that differ in nothing but arrival.
type class struct {
	classKey
	holder  int32 // the node in whose line it stands; none for repairs
	need    core.Vector
	hint    int64
	work    int64
	one     item          // the first
	more    *sorted[item] // the others; nil if there never were any
	offered item          // what it stands for: one, or a later item after Pass
	settled uint64        // the last walk in which it was done with
	moved   bool          // offered is not one
}

// item is one claim within its class.
type item struct {
	arrival, id uint64
	since       int64
	count       int
}

func (a item) before(b item) bool {
	return a.arrival < b.arrival || a.arrival == b.arrival && a.id < b.id
}

func (c *class) len() int {
	if c.more == nil {
		return 1
	}
	return 1 + c.more.n
}

func (c *class) add(x item) {
	if c.more == nil {
		c.more = &sorted[item]{}
	}
	if x.before(c.one) {
		x, c.one = c.one, x
	}
	c.more.add(x)
}

// get is the item with the place of x.
func (c *class) get(x item) (item, bool) {
	if !x.before(c.one) && !c.one.before(x) {
		return c.one, true
	}
	if c.more == nil || c.more.n == 0 {
		return x, false
	}
	b := c.more.blocks[c.more.block(x)]
	i := within(b, x)
	if i == len(b) || x.before(b[i]) {
		return x, false
	}
	return b[i], true
}

// take removes x, which is there and not the last.
func (c *class) take(x item) {
	if x == c.one {
		c.one = c.more.first()
		x = c.one
	}
	c.more.remove(x)
}

// replace puts y where x is; they have the same place.
func (c *class) replace(x, y item) {
	if x == c.one {
		c.one = y
		return
	}
	c.more.remove(x)
	c.more.add(y)
}

// following is the item behind x.
func (c *class) following(x item) (item, bool) {
	if x.before(c.one) {
		return c.one, true
	}
	if c.more == nil {
		return x, false
	}
	return c.more.after(x, &finger{})
}

// elements is how many gangs the class asks for.
func (c *class) elements() int {
	n := c.one.count
	if c.more != nil {
		c.more.each(func(x item) bool { n += x.count; return true })
	}
	return n
}

// spot is where a class stands in a line, or a node among its siblings: the
// least is first.
type spot struct {
	a, b        int64
	arrival, id uint64
	number      int32 // of the class or the node
}

func (x spot) before(y spot) bool {
	if x.a != y.a {
		return x.a < y.a
	}
	if x.b != y.b {
		return x.b < y.b
	}
	return x.arrival < y.arrival || x.arrival == y.arrival && x.id < y.id
}

// spot is where item x of c stands under an order.
func (c *class) spot(o order, x item, number int32) spot {
	s := spot{arrival: x.arrival, id: x.id, number: number}
	if o != byArrival {
		s.a = -int64(c.priority)
	}
	if o == byHint {
		s.b = c.hint
	}
	if o == byTurn {
		s.b = c.work
	}
	return s
}
