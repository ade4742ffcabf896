package gang

import "slices"

// overtaken sums up work, in thousandths of a core times seconds, by the
// arrival of the gang that does it: what passed a gang is what came later and
// started before it, so the sum of all behind its own number. Arrivals are
// counted in blocks, of one at first, and of more where very many wait.
type overtaken struct {
	first uint64 // number of the first block
	shift uint   // a block is 1<<shift arrivals
	sums  []int64
	total int64
}

// maxBlocks bounds what is kept.
const maxBlocks = 1 << 16

func (o *overtaken) clone() overtaken {
	c := *o
	c.sums = slices.Clone(o.sums)
	return c
}

// add counts work of an arrival, while oldest is the first that waits.
func (o *overtaken) add(oldest, number uint64, work int64) {
	if len(o.sums) == 0 {
		o.first, o.shift = oldest, 0
	}
	for number>>o.shift >= o.first+maxBlocks {
		o.coarsen()
	}
	b := number >> o.shift
	if b < o.first {
		return
	}
	for uint64(len(o.sums)) <= b-o.first {
		o.sums = append(o.sums, 0)
	}
	o.sums[b-o.first] += work
	o.total += work
}

// coarsen makes two blocks one.
func (o *overtaken) coarsen() {
	first := o.first / 2
	var sums []int64
	for i, n := range o.sums {
		b := (o.first+uint64(i))/2 - first
		for uint64(len(sums)) <= b {
			sums = append(sums, 0)
		}
		sums[b] += n
	}
	o.first, o.sums, o.shift = first, sums, o.shift+1
}

// forget drops what came before the oldest that waits.
func (o *overtaken) forget(oldest uint64) {
	for b := oldest >> o.shift; len(o.sums) > 0 && o.first < b; o.first++ {
		o.total -= o.sums[0]
		o.sums = o.sums[1:]
	}
}

// each answers, for numbers that rise from call to call, the work that came a
// block or more after one.
func (o *overtaken) each() func(number uint64) int64 {
	left, next := o.total, 0
	return func(number uint64) int64 {
		for ; next < len(o.sums) && o.first+uint64(next) <= number>>o.shift; next++ {
			left -= o.sums[next]
		}
		return left
	}
}

// age puts gangs that were passed by too much before all others.
func (p *promises) age(s *Scheduler) {
	if len(p.old) == 0 {
		return
	}
	p.late.forget(p.old[0].number)
	limit, passed := p.line.most(s.now)/100*s.config.Budget, p.late.each()
	for _, g := range p.old {
		if !g.inLine || g.aged {
			continue
		}
		if passed(g.number) <= limit {
			return // nobody younger was passed more
		}
		g.aged = true
		s.tree.Remove(g.number)
		if err := s.tree.Add(s.claim(g)); err != nil {
			panic("gang: put back into line: " + err.Error())
		}
	}
}

// started notes how much work passes those who came before g.
func (p *promises) started(g *member) {
	number := g.number
	if g.whole != nil {
		number = g.whole.number
	}
	if len(p.old) > 0 && p.old[0].number < number {
		p.late.add(p.old[0].number, number, g.work())
	}
}
