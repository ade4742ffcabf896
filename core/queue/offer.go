package queue

import (
	"math"
	"math/bits"

	"github.com/capstan-run/capstan/core"
)

// refresh works out anew what a holder offers, after its line changed. For a
// repair, which no holder has, there is nothing to do.
func (t *Tree) refresh(h int32) {
	if h == none || t.stale {
		return
	}
	t.look(h)
	t.climb(h)
}

// advance looks at holder h after the walk was done with its head. If it offers
// something as before, its siblings need not be compared: what a walk skipped
// changes no standing.
func (t *Tree) advance(h int32) {
	if t.stale {
		return
	}
	n := &t.nodes[h]
	before := n.line.most
	t.look(h)
	if n.headed || n.line.head == none || n.line.most != before {
		t.climb(h)
	}
}

// look sets the offer of holder h: the first class behind those that the walk
// underway is done with.
func (t *Tree) look(h int32) {
	n := &t.nodes[h]
	l := n.line
	s, ok := l.scan.look(t, &l.set)
	if l.scan.started && !l.touched {
		l.touched = true
		t.walk.touched = append(t.walk.touched, h)
	}
	if l.head != none {
		for d := range n.offer {
			n.offer[d] = none
		}
	}
	l.head = none
	if ok {
		l.head, l.most = s.number, t.dominant(&t.classes[s.number].need)
		n.offer[l.most] = h
	}
}

// dominant is the resource of which need is the largest part of the cluster.
func (t *Tree) dominant(need *core.Vector) int {
	most := 0
	for d := 1; d < t.width; d++ {
		if need[d] > 0 && less(need[most], t.total[most], need[d], t.total[d]) {
			most = d
		}
	}
	return most
}

// less reports whether a/b < c/d, for amounts that are not negative. With
// nothing of a resource in the cluster, any part of it is larger than all.
func less(a, b, c, d int64) bool {
	h1, l1 := bits.Mul64(uint64(a), uint64(max(d, 0)))
	h2, l2 := bits.Mul64(uint64(c), uint64(max(b, 0)))
	return h1 < h2 || h1 == h2 && l1 < l2
}

// climb carries a change of node i up to the root.
func (t *Tree) climb(i int32) {
	for ; i != root; i = t.nodes[i].parent {
		t.place(&t.nodes[i], i)
	}
}

// place tells the parent of node i about a change of it.
func (t *Tree) place(n *node, i int32) {
	p := &t.nodes[n.parent]
	if p.order != byShare {
		t.placeByHead(p, i)
		return
	}
	for d := range t.width {
		if n.offer[d] != none {
			t.fix(p, d, i, t.rank(n, i, d))
		} else if n.pos[d] != 0 {
			t.fix(p, d, i, nowhere)
		}
		if h := p.heaps[d]; len(h) > 0 {
			p.offer[d] = t.nodes[h[0].number].offer[d]
		} else {
			p.offer[d] = none
		}
	}
}

// placeByHead does it for a parent that compares the children's heads.
func (t *Tree) placeByHead(p *node, i int32) {
	if h, ok := t.best(i); ok {
		c := t.head(h)
		place := c.spot(p.order, c.offered, i)
		if p.order == byTurn {
			place.b = t.turn(i, c)
		}
		t.fix(p, 0, i, place)
	} else {
		t.fix(p, 0, i, nowhere)
	}
	for d := range p.offer {
		p.offer[d] = none
	}
	if len(p.heaps[0]) > 0 {
		h, _ := t.best(p.heaps[0][0].number)
		p.offer[t.dominant(&t.head(h).need)] = h
	}
}

// turn is what user i would have used, were c done: a part of what the cluster
// can do in a half-life, as history counts it.
func (t *Tree) turn(i int32, c *class) int64 {
	const ln2 = 2977044472 // in units of 2^-32
	all := uint64(max(t.total[0], 0)) * uint64(max(t.cfg.HalfLife, 0))
	if all == 0 {
		return c.work
	}
	hi, lo := bits.Mul64(uint64(max(c.work, 0)), ln2)
	if hi >= all {
		return math.MaxInt64
	}
	own, _ := bits.Div64(hi, lo, all)
	return int64(min(own, math.MaxInt64/2)) + int64(t.nodes[i].past[0])
}

// nowhere is the place of a child that offers nothing.
var nowhere = spot{number: none}

// rank is where child i, which has an offer, stands by share in resource d.
// Equal shares are told apart by the arrival of what is first in line, skipped
// or not (law Q4); else the same queue would always win where one gang fits.
func (t *Tree) rank(n *node, i int32, d int) spot {
	x := t.nodes[n.offer[d]].line.set.first()
	return spot{a: int64(n.key[d] ^ 1<<63), arrival: x.arrival, id: x.id, number: i}
}

// best is the holder that node i would serve next, whatever the resource.
func (t *Tree) best(i int32) (holder int32, ok bool) {
	n := &t.nodes[i]
	holder = none
	var least int64
	for d, h := range n.offer[:t.width] {
		if h == none {
			continue
		}
		var key int64
		if n.line == nil && n.order == byShare {
			key = n.heaps[d][0].a
		}
		if holder == none || key < least {
			holder, least = h, key
		}
	}
	return holder, holder != none
}

// fix puts child i at its place in heap d of its parent, or takes it out.
func (t *Tree) fix(parent *node, d int, i int32, place spot) {
	h := parent.heaps[d]
	p := int(t.nodes[i].pos[d]) - 1
	switch {
	case place.number != none && p < 0:
		h = append(h, place)
		parent.heaps[d] = h
		t.nodes[i].pos[d] = int32(len(h))
		t.rise(h, d, len(h)-1)
	case place.number != none:
		h[p] = place
		t.settlePlace(h, d, p)
	case p >= 0:
		last := len(h) - 1
		t.nodes[i].pos[d] = 0
		parent.heaps[d] = h[:last]
		if p < last {
			h[p] = h[last]
			t.nodes[h[p].number].pos[d] = int32(p + 1)
			t.settlePlace(h[:last], d, p)
		}
	}
}

func (t *Tree) settlePlace(h []spot, d, p int) {
	if !t.rise(h, d, p) {
		t.sink(h, d, p)
	}
}

func (t *Tree) rise(h []spot, d, p int) (moved bool) {
	for p > 0 {
		q := (p - 1) / 2
		if !h[p].before(h[q]) {
			break
		}
		t.swap(h, d, p, q)
		p, moved = q, true
	}
	return moved
}

func (t *Tree) sink(h []spot, d, p int) {
	for {
		q := 2*p + 1
		if q >= len(h) {
			return
		}
		if q+1 < len(h) && h[q+1].before(h[q]) {
			q++
		}
		if !h[q].before(h[p]) {
			return
		}
		t.swap(h, d, p, q)
		p = q
	}
}

func (t *Tree) swap(h []spot, d, p, q int) {
	h[p], h[q] = h[q], h[p]
	t.nodes[h[p].number].pos[d], t.nodes[h[q].number].pos[d] = int32(p+1), int32(q+1)
}

// head is what a holder offers.
func (t *Tree) head(holder int32) *class { return &t.classes[t.nodes[holder].line.head] }

// rebuild works out all keys and offers, after the cluster or the time changed.
func (t *Tree) rebuild() {
	t.stale = false
	for i := range t.nodes {
		n := &t.nodes[i]
		n.pos = [core.MaxDims]int32{}
		for d := range n.heaps {
			n.heaps[d] = n.heaps[d][:0]
			n.offer[d] = none
		}
		if i != root {
			t.rekey(int32(i))
		}
	}
	for i := range t.nodes {
		if l := t.nodes[i].line; l != nil {
			l.head = none
			t.look(int32(i))
			if l.head != none {
				t.climb(int32(i))
			}
		}
	}
}
