package place

import "slices"

// tenants is the ranks on each node whose shape is particular about its
// neighbours: it takes ports, carries tags or keeps apart. They are lists in
// one arena, so that a copy is a copy of two arrays.
type tenants struct {
	head  []int32 // by Ref: first entry, -1 for none
	arena []tenant
	spare int32 // first unused entry, -1 for none
}

type tenant struct {
	shape ShapeID
	n     int32
	next  int32
}

// add makes room for one more node.
func (t *tenants) add() {
	if len(t.head) == 0 {
		t.spare = -1
	}
	t.head = append(t.head, -1)
}

func (t *tenants) clone() tenants {
	return tenants{slices.Clone(t.head), slices.Clone(t.arena), t.spare}
}

// change adds n ranks of a shape to a node; fewer than none are none.
func (t *tenants) change(r Ref, id ShapeID, n int) {
	at := &t.head[r]
	for *at >= 0 {
		e := &t.arena[*at]
		if e.shape == id {
			if e.n += int32(n); e.n <= 0 {
				i := *at
				*at, e.next, t.spare = e.next, t.spare, i
			}
			return
		}
		at = &e.next
	}
	if n <= 0 {
		return
	}
	t.insert(r, tenant{id, int32(n), t.head[r]})
}

func (t *tenants) insert(r Ref, e tenant) {
	if i := t.spare; i >= 0 {
		t.spare = t.arena[i].next
		t.arena[i], t.head[r] = e, i
		return
	}
	t.head[r] = int32(len(t.arena))
	t.arena = append(t.arena, e)
}
