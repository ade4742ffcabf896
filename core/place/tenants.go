package place

import "slices"

// tenants is the ranks on each node of a page whose shape is particular about
// its neighbours: it takes ports, carries tags or keeps apart. They are lists
// in one arena, so that a copy is a copy of two arrays.
type tenants struct {
	head  [64]int32 // by node of the page: first entry, -1 for none
	arena []tenant
	spare int32 // first unused entry, -1 for none
}

type tenant struct {
	shape ShapeID
	n     int32
	next  int32
}

func noTenants() tenants {
	t := tenants{spare: -1}
	for i := range t.head {
		t.head[i] = -1
	}
	return t
}

func (t *tenants) clone() tenants {
	return tenants{t.head, slices.Clone(t.arena), t.spare}
}

// change adds n ranks of a shape to a node; fewer than none are none.
func (t *tenants) change(node int, id ShapeID, n int) {
	at := &t.head[node]
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
	if n > 0 {
		t.insert(node, tenant{id, int32(n), t.head[node]})
	}
}

func (t *tenants) insert(node int, e tenant) {
	if i := t.spare; i >= 0 {
		t.spare = t.arena[i].next
		t.arena[i], t.head[node] = e, i
		return
	}
	t.head[node] = int32(len(t.arena))
	t.arena = append(t.arena, e)
}
