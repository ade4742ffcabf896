package gang

import (
	"cmp"
	"slices"

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
	s.effort += 4 * len(s.granted.list)
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
// before what starts at the same time.
func (p *plan) moments(now int64) []moment {
	var starts []moment
	for _, b := range p.booked {
		if !b.kept {
			starts = append(starts, moment{at: b.from, book: b, take: true})
		} else if b.from > now {
			starts = append(starts, moment{at: b.from, book: b}) // its holders may start
		}
		if b.until != forever {
			starts = append(starts, moment{at: b.until, book: b})
		}
	}
	slices.SortStableFunc(starts, moment.byTime)
	return merge(p.ends, starts)
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

func (m moment) apply(f shelf) {
	switch {
	case m.gang != nil:
		m.gang.giveAll(f)
	case m.take:
		m.book.take(f)
	default:
		m.book.runs(f.Give)
	}
}

func (b *booking) take(f shelf) { b.runs(f.Take) }

// runs calls f with each run of ranks that lie on one node and are of one shape.
func (b *booking) runs(f func(n place.Ref, shape place.ShapeID, ranks int)) {
	for rank := 0; rank < len(b.ranks); {
		from := rank
		for rank++; rank < len(b.ranks) && b.ranks[rank] == b.ranks[from] && b.shape[rank] == b.shape[from]; rank++ {
		}
		f(b.ranks[from], b.shape[from], rank-from)
	}
}
