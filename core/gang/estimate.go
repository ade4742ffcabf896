package gang

import (
	"cmp"
	"slices"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/place"
	"github.com/capstan-run/capstan/core/queue"
)

// horizon is how far behind the head of the line estimates reach.
const horizon = 64

// estimate is when e starts at the latest: it plays the line against the ends
// of the gangs whose walltime is known, each used in full. 0 if an end that is
// not known stands in the way.
func (s *Scheduler) estimate(e queue.Entry) int64 {
	limit := s.line.Position(e)
	first := min(s.head(), limit)
	if limit-first > horizon {
		return 0
	}
	f := s.forecast()
	for i := first; ; {
		entry := s.line.At(i)
		switch {
		case f.serve(s.gangs[ID(entry.Gang)], entry):
			if i == limit {
				return f.now
			}
			i++
		case i < limit && s.stalled(entry):
			i++
		case !f.advance():
			return 0
		}
	}
}

// forecast is a possible future of the fleet.
type forecast struct {
	now   int64
	fleet sketch
	ends  []end // earliest first
}

// end is when something gives back what it holds.
type end struct {
	at   int64
	gang ID
	each core.Resources
	held []core.NodeID
}

// forecast starts from the present.
func (s *Scheduler) forecast() *forecast {
	f := &forecast{now: s.now, fleet: s.fleet.sketch()}
	for _, g := range s.ordered() {
		if at := g.latestEnd(s.now); at != 0 && g.phase != waiting {
			f.add(end{at, g.Gang, g.Each, g.held()})
		}
	}
	return f
}

// latestEnd is when g is over at the latest if it is granted at now, or runs
// already; 0 for never.
func (g *member) latestEnd(now int64) int64 {
	switch {
	case g.Walltime == 0:
		return 0
	case g.phase == waiting:
		return now + g.StartTimeout + g.Walltime
	case g.phase == starting:
		return g.due + g.Walltime
	}
	return max(now, g.wallEnd())
}

func (f *forecast) add(v end) {
	i, _ := slices.BinarySearchFunc(f.ends, v, func(a, b end) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.gang, b.gang))
	})
	f.ends = slices.Insert(f.ends, i, v)
}

// serve places e if it fits at f.now.
func (f *forecast) serve(g *member, e queue.Entry) bool {
	chosen, ok := place.Choose(f.fleet.nodes, g.claim(e))
	if !ok {
		return false
	}
	v := end{at: g.latestEnd(f.now), gang: g.Gang, each: g.Each}
	for _, n := range chosen {
		v.held = append(v.held, f.fleet.nodes[n].ID)
	}
	f.fleet.take(v.held, v.each)
	if v.at != 0 {
		f.add(v)
	}
	return true
}

// advance goes to the next end; false if there is none.
func (f *forecast) advance() bool {
	if len(f.ends) == 0 {
		return false
	}
	v := f.ends[0]
	f.ends = f.ends[1:]
	f.now = max(f.now, v.at)
	f.fleet.give(v.held, v.each)
	return true
}
