package gang

import (
	"cmp"
	"slices"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/place"
	"github.com/capstan-run/capstan/core/queue"
)

// estimate is when e starts at the latest: it plays the line against the ends
// of the gangs whose walltime is known, each used in full. 0 if an unknown end
// stands in the way.
func (s *Scheduler) estimate(e queue.Entry) int64 {
	f := s.forecast()
	limit := s.line.Position(e)
	for i := 0; i <= limit; {
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
	return 0
}

// forecast is a possible future of the fleet.
type forecast struct {
	now   int64
	fleet fleet
	ends  []end // earliest first
}

// end is when a gang or a repaired rank gives back what it holds.
type end struct {
	at   int64
	gang ID
	each core.Resources
	held []core.NodeID
}

// forecast starts from the present.
func (s *Scheduler) forecast() *forecast {
	f := &forecast{now: s.now, fleet: s.fleet.clone()}
	for _, g := range s.ordered() {
		if at := g.latestEnd(s.now); at != 0 && g.phase != waiting {
			v := end{at: at, gang: g.Gang, each: g.Each}
			for rank, id := range g.nodes {
				if !g.lost[rank] {
					v.held = append(v.held, id)
				}
			}
			f.add(v)
		}
	}
	return f
}

// latestEnd is when g is over at the latest if it starts at now or has
// started; 0 for never.
func (g *member) latestEnd(now int64) int64 {
	switch {
	case g.Walltime == 0:
		return 0
	case g.phase == starting:
		return g.due + g.Walltime
	case g.phase == waiting:
		return now + g.StartTimeout + g.Walltime
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
	nodes := f.fleet.nodes()
	chosen, ok := place.Choose(nodes, g.claim(e))
	if !ok {
		return false
	}
	v := end{at: g.latestEnd(f.now), gang: g.Gang, each: g.Each}
	for _, n := range chosen {
		v.held = append(v.held, nodes[n].ID)
	}
	for _, id := range v.held {
		f.fleet.take(id, g.Each)
	}
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
	for _, id := range v.held {
		f.fleet.give(id, v.each)
	}
	return true
}
