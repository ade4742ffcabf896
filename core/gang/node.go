package gang

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/place"
)

// node is what is known of a node beyond its room.
type node struct {
	known      bool // it said once what it can hold
	down       bool
	draining   bool
	until      int64       // deadline of the drain
	strikes    []int64     // when starts went wrong there, latest last
	quarantine int64       // until when it takes nobody; 0 for not
	open       core.Vector // its capacity while it takes executors
	turns      int         // times it was in quarantine without a good start since
}

// closed says why a node takes no executors; "" if it does.
func (n *node) closed() string {
	switch {
	case n.down:
		return "down"
	case n.quarantine != 0:
		return "quarantined"
	case n.draining:
		return "draining"
	}
	return ""
}

// expect is the node called id; one that is not known is made, down and
// without capacity.
func (s *Scheduler) expect(id core.NodeID) place.Ref {
	if n, ok := s.fleet.Ref(id); ok {
		return n
	}
	n := s.fleet.Up(core.Node{ID: id})
	s.nodes = append(s.nodes, &node{down: true})
	s.fleet.Close(n, "down")
	return n
}

func (s *Scheduler) nodeUp(v core.Node) {
	n, ok := s.fleet.Ref(v.ID)
	if ok && !s.nodes[n].down && s.nodes[n].known && reflect.DeepEqual(s.fleet.Node(n), v) {
		return
	}
	if ok {
		s.total = s.total.Sub(s.fleet.Capacity(n))
	}
	n = s.fleet.Up(v)
	if !ok {
		s.nodes = append(s.nodes, &node{})
		for name, v := range s.reserved {
			s.reserved[name] = s.resolved(*v)
		}
	}
	k := s.nodes[n]
	if !k.known {
		s.described++
	}
	k.down, k.known = false, true
	s.total = s.total.Add(s.fleet.Capacity(n))
	s.tree.Total(s.total)
	s.reopen(n)
}

// reopen tells the fleet whether a node takes executors.
func (s *Scheduler) reopen(n place.Ref) {
	k := s.nodes[n]
	s.open = s.open.Sub(k.open)
	k.open = core.Vector{}
	if k.closed() == "" {
		k.open = s.fleet.Capacity(n)
	}
	s.open = s.open.Add(k.open)
	s.fleet.Close(n, k.closed())
	s.topology++
	s.moved = true
}

// nodeDown empties a node: whatever was starting there is revoked, what was
// running loses ranks.
func (s *Scheduler) nodeDown(id core.NodeID, r *Result) {
	n, ok := s.fleet.Ref(id)
	if !ok {
		return
	}
	if !s.nodes[n].down {
		s.nodes[n].down = true
		s.reopen(n)
	}
	s.empty(n, fmt.Sprintf("node %s went down", id), r)
}

// empty takes everything off a node.
func (s *Scheduler) empty(n place.Ref, why string, r *Result) {
	for _, g := range s.on(n) {
		ranks := g.ranksOn(n)
		switch {
		case len(ranks) == 0:
		case g.phase == starting:
			// Not the gang's doing, so it does not count against it.
			s.revoke(g, why, r)
		default:
			for _, rank := range ranks {
				s.lose(g, rank)
			}
			r.Actions = append(r.Actions, Lost{g.Gang, g.lease, ranks, s.fleet.ID(n)})
			s.endIfShrunk(g, r)
		}
	}
}

// on is the gangs that hold something on a node, by number.
func (s *Scheduler) on(n place.Ref) []*member {
	var out []*member
	for _, g := range s.granted.list {
		if slices.Contains(g.nodes, n) {
			out = append(out, g)
		}
	}
	slices.SortFunc(out, byNumber)
	return out
}

func byNumber(a, b *member) int {
	switch {
	case a.number < b.number:
		return -1
	case a.number > b.number:
		return 1
	}
	return 0
}

func (s *Scheduler) nodeDrain(e NodeDrain, r *Result) {
	n, ok := s.fleet.Ref(e.ID)
	if !ok {
		return
	}
	k := s.nodes[n]
	k.draining, k.until = e.Drain, 0
	s.reopen(n)
	if !e.Drain || e.Until == 0 {
		return
	}
	k.until, s.timed = e.Until, true
	s.wakes.add(e.Until)
	for _, g := range s.on(n) {
		if g.phase == running && len(g.ranksOn(n)) > 0 {
			r.Actions = append(r.Actions, GiveWay{g.Gang, g.lease, e.Until, fmt.Sprintf("node %s is being drained", e.ID)})
		}
	}
}

// drained moves away what is left on nodes whose drain is over.
func (s *Scheduler) drained(r *Result) {
	if !s.timed {
		return
	}
	s.timed = false
	for _, n := range s.fleet.Order() {
		k := s.nodes[n]
		switch {
		case k.until != 0 && k.until <= s.now:
			k.until = 0
			s.moveAway(n, r)
		case k.quarantine != 0 && k.quarantine <= s.now:
			k.quarantine = 0
			s.reopen(n)
		}
		s.timed = s.timed || k.until != 0 || k.quarantine != 0
	}
}

// moveAway ends what is left on a drained node. A gang that lives on without
// the ranks there loses them; another goes back to the queue.
func (s *Scheduler) moveAway(n place.Ref, r *Result) {
	why := fmt.Sprintf("node %s was drained", s.fleet.ID(n))
	for _, g := range s.on(n) {
		ranks := g.ranksOn(n)
		if len(ranks) == 0 {
			continue
		}
		if g.phase == expired || g.phase == running && (g.Restart == "member" || g.Restart == "role") {
			for _, rank := range ranks {
				s.lose(g, rank)
			}
			r.Actions = append(r.Actions, Lost{g.Gang, g.lease, ranks, s.fleet.ID(n)})
			s.endIfShrunk(g, r)
			continue
		}
		g.evicted++
		s.revoke(g, why, r)
	}
}

// strike counts a start that went wrong on a node. One that fails too often
// within a while takes nobody for a time, which doubles with each turn.
func (s *Scheduler) strike(n place.Ref, reason string) {
	k := s.nodes[n]
	k.strikes = slices.DeleteFunc(k.strikes, func(at int64) bool { return at <= s.now-s.config.StrikeWindow })
	k.strikes = append(k.strikes, s.now)
	if len(k.strikes) < s.config.Strikes || k.quarantine != 0 || s.lastOpen(n) {
		return
	}
	k.strikes = nil
	k.turns = min(k.turns+1, 10)
	k.quarantine = s.now + s.config.Quarantine<<(k.turns-1)
	s.timed = true
	s.wakes.add(k.quarantine)
	s.reopen(n)
}

// lastOpen reports whether no other node takes executors: with nowhere else to
// go, trying again is better than waiting.
func (s *Scheduler) lastOpen(n place.Ref) bool {
	for _, o := range s.fleet.Order() {
		if o != n && s.nodes[o].closed() == "" {
			return false
		}
	}
	return true
}

// wellStarted forgives a node.
func (s *Scheduler) wellStarted(n place.Ref) {
	if k := s.nodes[n]; k.turns > 0 || k.strikes != nil {
		k.turns, k.strikes = 0, nil
	}
}

func (s *Scheduler) nodeClear(id core.NodeID) {
	if n, ok := s.fleet.Ref(id); ok && s.nodes[n].quarantine != 0 {
		s.nodes[n].quarantine, s.nodes[n].turns = 0, 0
		s.reopen(n)
	}
}

func (s *Scheduler) ids(nodes []place.Ref) []core.NodeID {
	out := make([]core.NodeID, len(nodes))
	for i, n := range nodes {
		out[i] = s.fleet.ID(n)
	}
	return out
}
