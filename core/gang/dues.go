package gang

import (
	"cmp"
	"slices"
)

// due is a moment at which something happens to a gang by itself.
type due struct {
	at   int64
	gang ID
}

func compareDue(a, b due) int {
	return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.gang, b.gang))
}

// dues is sorted, earliest first.
type dues []due

func (d *dues) add(v due) {
	i, found := slices.BinarySearchFunc(*d, v, compareDue)
	if !found {
		*d = slices.Insert(*d, i, v)
	}
}

func (d *dues) remove(v due) {
	if i, found := slices.BinarySearchFunc(*d, v, compareDue); found {
		*d = slices.Delete(*d, i, i+1)
	}
}
