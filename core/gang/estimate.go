package gang

import "slices"

// horizon is how many gangs before another an estimate looks at.
const horizon = 256

// estimate is when g starts at the latest: everybody before it gets the
// earliest start that the walltimes allow to know. 0 if they do not.
func (s *Scheduler) estimate(g *member) int64 {
	var p plan
	p.renew(s)
	p.foresee(s)
	at, seen := int64(0), 0
	s.tree.Each(s.now, func(id uint64) bool {
		v := s.byNumber[id]
		if b := p.of(v); b != nil {
			if at = b.from; b.kept {
				at = 0
			}
			return v != g && at != 0
		}
		if seen++; seen > horizon {
			at = 0
			return false
		}
		b := p.earliest(s, v)
		if b == nil {
			at = 0
			return v != g && !s.couldRun(v) // nobody waits for one that cannot run
		}
		p.book(s, b)
		at = b.from
		return v != g
	})
	if at == 0 {
		return 0
	}
	return max(at, s.now)
}

// of is the reservation of g, if it has one.
func (p *plan) of(g *member) *booking {
	for _, b := range p.booked {
		if b.gang == g {
			return b
		}
	}
	return nil
}

// clone returns a plan that shares nothing with p that changes.
func (p *plan) clone() plan {
	c := *p
	c.booked = make([]*booking, len(p.booked))
	for i, b := range p.booked {
		v := *b
		v.slack = slices.Clone(b.slack)
		c.booked[i] = &v
	}
	c.marks = slices.Clone(p.marks)
	c.ends = slices.Clip(p.ends)
	return c
}
