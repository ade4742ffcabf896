package gang

import (
	"slices"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/place"
	"github.com/capstan-run/capstan/core/queue"
)

// walk serves the line from its head until an entry has to wait for room
// (law G4).
func (s *Scheduler) walk(r *Result) {
	for i := 0; i < s.line.Len(); {
		e := s.line.At(i)
		if !s.moved && s.stuck != nil && *s.stuck == e {
			return
		}
		switch {
		case s.serve(e, r):
			s.line.Remove(e)
		case s.stalled(e):
			i++
		default:
			s.stuck, s.moved = &e, false
			return
		}
	}
	s.stuck, s.moved = nil, false
}

// serve grants what e asks for, if there is room.
func (s *Scheduler) serve(e queue.Entry, r *Result) bool {
	g := s.gangs[ID(e.Gang)]
	nodes := s.fleet.nodes()
	chosen, ok := place.Choose(nodes, g.claim(e))
	if !ok {
		return false
	}
	ids := make([]core.NodeID, len(chosen))
	for i, n := range chosen {
		ids[i] = nodes[n].ID
	}
	for _, id := range ids {
		s.fleet.take(id, g.Each)
	}
	if e.Repair() {
		g.nodes[e.Rank], g.lost[e.Rank] = ids[0], false
		r.Actions = append(r.Actions, Replace{g.Gang, g.lease, e.Rank, ids[0]})
		return true
	}
	s.lease++
	g.lease, g.phase, g.nodes, g.lost = s.lease, starting, ids, make([]bool, g.Size)
	g.joined = make([]bool, g.Size)
	s.setDue(g, s.now+g.StartTimeout)
	r.Actions = append(r.Actions, Grant{g.Gang, g.lease, slices.Clone(ids)})
	return true
}

// claim is what the entry asks to place.
func (g *member) claim(e queue.Entry) place.Ask {
	ask := g.ask()
	ask.Avoid = g.avoid
	if e.Repair() {
		ask.Size, ask.Beside = 1, g.held()
	}
	return ask
}

// stalled reports whether e would find no room even if every node that is up
// were empty, so that waiting for others to end is no use.
func (s *Scheduler) stalled(e queue.Entry) bool {
	ask := s.gangs[ID(e.Gang)].claim(e)
	ask.View = place.Empty
	return !place.Fits(s.fleet.nodes(), ask)
}
