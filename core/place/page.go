package place

import "slices"

// page is what changes often, of 64 nodes. Clones share pages; who writes to
// one that is not its own copies it first.
type page struct {
	owner   *mark
	free    []int64   // dims for each node
	closed  [64]uint8 // why a node takes nothing, as an index into reasons
	shut    uint64    // bit set: closed
	over    uint64    // bit set: more is taken of something than there is
	tenants tenants
}

// mark tells fleets apart. It has a size, so that no two have one address.
type mark struct{ _ byte }

// page is the one that node r is on, to be read.
func (f *Fleet) page(r Ref) *page { return f.pages[r>>6] }

// own is the one that node r is on, to be written.
func (f *Fleet) own(r Ref) *page {
	p := f.pages[r>>6]
	if p.owner != f.mark {
		c := *p
		c.owner, c.free, c.tenants = f.mark, slices.Clone(p.free), p.tenants.clone()
		p = &c
		f.pages[r>>6] = p
	}
	return p
}

// extend makes a place for node r, the next one.
func (f *Fleet) extend(r Ref, free []int64) {
	if int(r>>6) == len(f.pages) {
		f.pages = append(f.pages, &page{owner: f.mark, tenants: noTenants()})
	}
	p := f.own(r)
	p.free = append(p.free, free...)
}

// frees is what is free on node r, to be read.
func (f *Fleet) frees(r Ref) []int64 {
	i := int(r&63) * f.dims
	return f.pages[r>>6].free[i : i+f.dims]
}

// widen gives every node's free vector the elements that came to be known.
func (f *Fleet) widen() {
	d := f.kinds.Len()
	if d == f.dims {
		return
	}
	for k, p := range f.pages {
		n := len(p.free) / f.dims
		p = f.own(Ref(k << 6))
		free := make([]int64, n*d, 64*d)
		for i := range n {
			copy(free[i*d:], p.free[i*f.dims:(i+1)*f.dims])
		}
		p.free = free
	}
	f.dims = d
}
