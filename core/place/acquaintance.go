package place

// acquaintance is which other shapes one has been found to clash with, or not.
type acquaintance struct {
	f        *Fleet
	s        *shape
	verdicts []verdict // by ShapeID
}

type verdict int8

const (
	unasked verdict = iota
	friendly
	hostile
)

// newAcquaintance knows nobody; nil if the shape clashes with none.
func newAcquaintance(f *Fleet, s *shape) *acquaintance {
	if len(s.ports) == 0 && len(s.apart) == 0 && (len(s.tags) == 0 || !f.particular) {
		return nil
	}
	return &acquaintance{f: f, s: s}
}

// meets reports whether ranks on node r of page p keep those of the shape away.
func (a *acquaintance) meets(p *page, r Ref) bool {
	for i := p.tenants.head[r&63]; i >= 0; i = p.tenants.arena[i].next {
		if a.clash(p.tenants.arena[i].shape) {
			return true
		}
	}
	return false
}

func (a *acquaintance) clash(id ShapeID) bool {
	if a.verdicts == nil {
		a.verdicts = make([]verdict, len(a.f.shapes))
	}
	if a.verdicts[id] == unasked {
		a.verdicts[id] = friendly
		if a.s.clash(a.f.shapes[id]) {
			a.verdicts[id] = hostile
		}
	}
	return a.verdicts[id] == hostile
}
