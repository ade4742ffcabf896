package queue

import (
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
		l.head = s.class
		n.offer[t.dominant(&t.classes[s.class].need)] = h
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
	for i != root {
		up := t.nodes[i].parent
		if t.nodes[up].order == byShare {
			for d := range t.width {
				t.fix(up, d, i, t.nodes[i].offer[d] != none)
				t.nodes[up].offer[d] = none
				if h := t.nodes[up].heaps[d]; len(h) > 0 {
					t.nodes[up].offer[d] = t.nodes[h[0]].offer[d]
				}
			}
		} else {
			t.climbOrdered(up, i)
		}
		i = up
	}
}

// climbOrdered does it for a parent that compares the children's heads.
func (t *Tree) climbOrdered(up, i int32) {
	_, ok := t.best(i)
	t.fix(up, 0, i, ok)
	p := &t.nodes[up]
	for d := range p.offer {
		p.offer[d] = none
	}
	if len(p.heaps[0]) > 0 {
		h, _ := t.best(p.heaps[0][0])
		d := t.dominant(&t.classes[t.nodes[h].line.head].need)
		p.offer[d] = h
	}
}

// best is the holder that node i would serve next, whatever the resource.
func (t *Tree) best(i int32) (holder int32, ok bool) {
	n := &t.nodes[i]
	holder = none
	var least uint64
	for d, h := range n.offer[:t.width] {
		if h == none {
			continue
		}
		key := uint64(0)
		if n.line == nil && n.order == byShare {
			key = t.nodes[n.heaps[d][0]].key[d]
		}
		if holder == none || key < least {
			holder, least = h, key
		}
	}
	return holder, holder != none
}

// fix puts child i where it belongs in heap d of node up, or takes it out.
func (t *Tree) fix(up int32, d int, i int32, in bool) {
	h := t.nodes[up].heaps[d]
	p := int(t.nodes[i].pos[d]) - 1
	switch {
	case in && p < 0:
		h = append(h, i)
		t.nodes[i].pos[d] = int32(len(h))
		t.nodes[up].heaps[d] = h
		t.rise(up, d, len(h)-1)
	case in:
		if !t.rise(up, d, p) {
			t.sink(up, d, p)
		}
	case p >= 0:
		last := len(h) - 1
		t.nodes[i].pos[d] = 0
		t.nodes[up].heaps[d] = h[:last]
		if p < last {
			h[p] = h[last]
			t.nodes[h[p]].pos[d] = int32(p + 1)
			if !t.rise(up, d, p) {
				t.sink(up, d, p)
			}
		}
	}
}

func (t *Tree) rise(up int32, d, p int) (moved bool) {
	h := t.nodes[up].heaps[d]
	for p > 0 {
		q := (p - 1) / 2
		if !t.ahead(up, d, h[p], h[q]) {
			break
		}
		t.swap(h, d, p, q)
		p, moved = q, true
	}
	return moved
}

func (t *Tree) sink(up int32, d, p int) {
	h := t.nodes[up].heaps[d]
	for {
		q := 2*p + 1
		if q >= len(h) {
			return
		}
		if q+1 < len(h) && t.ahead(up, d, h[q+1], h[q]) {
			q++
		}
		if !t.ahead(up, d, h[q], h[p]) {
			return
		}
		t.swap(h, d, p, q)
		p = q
	}
}

func (t *Tree) swap(h []int32, d, p, q int) {
	h[p], h[q] = h[q], h[p]
	t.nodes[h[p]].pos[d], t.nodes[h[q]].pos[d] = int32(p+1), int32(q+1)
}

// ahead reports whether child a is served before child b by their parent, in
// resource d. Equal shares are told apart by arrival (law Q4).
func (t *Tree) ahead(up int32, d int, a, b int32) bool {
	o := t.nodes[up].order
	if o == byShare {
		if ka, kb := t.nodes[a].key[d], t.nodes[b].key[d]; ka != kb {
			return ka < kb
		}
		return t.head(t.nodes[a].offer[d]).at.earlier(t.head(t.nodes[b].offer[d]).at)
	}
	ha, _ := t.best(a)
	hb, _ := t.best(b)
	ca, cb := t.head(ha), t.head(hb)
	return ca.spot(o, ca.offered, 0).before(cb.spot(o, cb.offered, 0))
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
