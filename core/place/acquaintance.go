package place

// acquaintance is which other shapes one has been found to clash with, or not.
// It belongs to one fleet and one shape for ever, as shapes do not change.
type acquaintance struct {
	s        *shape
	verdicts []verdict // by ShapeID
}

type verdict int8

const (
	unasked verdict = iota
	friendly
	hostile
)

// acquaint is whom ranks of s have to be careful of; nil if of nobody. known
// is what it was before, nil for nothing.
func (f *Fleet) acquaint(s *shape, known *acquaintance) *acquaintance {
	if len(s.ports) == 0 && len(s.apart) == 0 && (len(s.tags) == 0 || !f.particular) {
		return nil
	}
	if known == nil {
		known = &acquaintance{s: s}
	}
	if n := len(f.shapes) - len(known.verdicts); n > 0 {
		known.verdicts = append(known.verdicts, make([]verdict, n)...)
	}
	return known
}

// meets reports whether ranks on node r of page p keep those of the shape away.
func (a *acquaintance) meets(f *Fleet, p *page, r Ref) bool {
	for i := p.tenants.head[r&63]; i >= 0; i = p.tenants.arena[i].next {
		id := p.tenants.arena[i].shape
		if a.hostile(f, id) {
			return true
		}
	}
	return false
}

// foes is how many ranks on a node keep those of the shape away.
func (a *acquaintance) foes(f *Fleet, r Ref) (n int32) {
	on := &f.page(r).tenants
	for i := on.head[r&63]; i >= 0; i = on.arena[i].next {
		if a.hostile(f, on.arena[i].shape) {
			n += on.arena[i].n
		}
	}
	return n
}

// hostile reports whether ranks of another shape keep those of the shape away.
func (a *acquaintance) hostile(f *Fleet, id ShapeID) bool {
	v := &a.verdicts[id]
	if *v == unasked {
		*v = friendly
		if a.s.clash(f.shapes[id]) {
			*v = hostile
		}
	}
	return *v == hostile
}
