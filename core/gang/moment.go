package gang

import (
	"cmp"
	"slices"
	"sort"

	"github.com/capstan-run/capstan/core/place"
)

// moment is when nodes are given back, or taken.
type moment struct {
	at   int64
	gang *member  // what ends, or
	book *booking // what starts or ends
	take bool
}

// foresee lists when what runs ends, at the latest.
func (p *plan) foresee(s *Scheduler) {
	p.known = true
	s.effort += endCost * len(s.granted.list)
	for _, g := range s.granted.list {
		if at := g.latestEnd(s.now); at != forever {
			p.ends = append(p.ends, moment{at: max(at, s.now+1), gang: g})
		}
	}
	slices.SortFunc(p.ends, moment.compare)
}

func (a moment) compare(b moment) int {
	return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.gang.number, b.gang.number))
}

// latestEnd is when a gang that holds nodes gives them back at the latest.
func (g *member) latestEnd(now int64) int64 {
	switch {
	case g.phase == leaving:
		return max(now, g.due)
	case g.Walltime == 0:
		return forever
	case g.phase == starting:
		return g.due + g.Walltime
	}
	return max(now, g.wallEnd())
}

// moments is all that is known to end or to start, in order; what ends comes
// before what starts at the same time. It is to be read only.
func (p *plan) moments() []moment { return merge(p.ends, p.turns) }

// turn puts the moments of a booking in their order.
func (p *plan) turn(b *booking) {
	put := func(m moment) {
		i := sort.Search(len(p.turns), func(i int) bool { return p.turns[i].byTime(m) > 0 })
		p.turns = slices.Insert(p.turns, i, m)
	}
	put(moment{at: b.from, book: b, take: !b.kept}) // the holders of what is kept may start
	if b.until != forever {
		put(moment{at: b.until, book: b})
	}
}

// byTime orders moments; what ends comes before what starts.
func (a moment) byTime(b moment) int {
	if a.at != b.at || a.take == b.take {
		return cmp.Compare(a.at, b.at)
	}
	if a.take {
		return 1
	}
	return -1
}

// merge joins two lists of moments in order; of equals those of a come first.
func merge(a, b []moment) []moment {
	if len(b) == 0 {
		return a
	}
	out := make([]moment, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if a[0].byTime(b[0]) <= 0 {
			out, a = append(out, a[0]), a[1:]
		} else {
			out, b = append(out, b[0]), b[1:]
		}
	}
	return append(append(out, a...), b...)
}

// apply does to f what happens then, and returns how many runs of ranks that is.
func (m moment) apply(f shelf) int {
	switch {
	case m.gang != nil:
		m.gang.giveAll(f)
		return len(m.gang.lie())
	case m.take:
		m.book.takeAll(f)
	default:
		m.book.giveAll(f)
	}
	return len(m.book.laid)
}

// stretch is ranks of a booking that follow each other on one node and are of
// one shape.
type stretch struct {
	node  place.Ref
	shape place.ShapeID
	ranks int32
}

// lay works out the stretches of a booking whose ranks are known.
func (b *booking) lay() {
	for rank, n := range b.ranks {
		last := len(b.laid) - 1
		if last >= 0 && b.laid[last].node == n && b.laid[last].shape == b.shape[rank] {
			b.laid[last].ranks++
			continue
		}
		b.laid = append(b.laid, stretch{n, b.shape[rank], 1})
	}
}

func (b *booking) takeAll(f shelf) {
	for _, v := range b.laid {
		f.Take(v.node, v.shape, int(v.ranks))
	}
}

func (b *booking) giveAll(f shelf) {
	for _, v := range b.laid {
		f.Give(v.node, v.shape, int(v.ranks))
	}
}
