package gang

import (
	"fmt"
	"slices"

	"github.com/capstan-run/capstan/core"
)

// nodeDown empties a node: whatever was starting there is revoked, what was
// running loses ranks.
func (s *Scheduler) nodeDown(id core.NodeID, r *Result) {
	m := s.fleet.machines[id]
	if m == nil || m.down && m.executors == 0 {
		return
	}
	m.down = true
	s.fleet.stale, s.moved = true, true
	for _, g := range s.ordered() {
		ranks := g.on(id)
		switch {
		case len(ranks) == 0:
		case g.phase == starting:
			// Not the gang's doing, so it does not count against it.
			s.revoke(g, fmt.Sprintf("node %s went down", id), r)
		default:
			for _, rank := range ranks {
				s.lose(g, rank)
			}
			r.Actions = append(r.Actions, Lost{g.Gang, g.lease, ranks, id})
		}
	}
}

// on is the living ranks of g on a node.
func (g *member) on(id core.NodeID) []int {
	var ranks []int
	for rank, at := range g.nodes {
		if at == id && !g.lost[rank] {
			ranks = append(ranks, rank)
		}
	}
	return ranks
}

// runningRank finds a gang that has started and checks the rank.
func (s *Scheduler) runningRank(id ID, rank int) *member {
	g := s.gangs[id]
	if g == nil || g.phase == waiting || g.phase == starting || rank < 0 || rank >= g.Size {
		return nil
	}
	return g
}

func (s *Scheduler) memberLost(e MemberLost, r *Result) ID {
	if g := s.runningRank(e.Gang, e.Rank); g != nil {
		s.lose(g, e.Rank)
		return ""
	}
	g := s.gangs[e.Gang]
	if g == nil || g.phase != starting || e.Rank < 0 || e.Rank >= g.Size {
		return ""
	}
	reason := fmt.Sprintf("rank %d was lost while the gang started", e.Rank)
	if e.Reason != "" {
		reason += ": " + e.Reason
	}
	return s.startFailed(StartFailed{Gang: g.Gang, Lease: g.lease, Node: g.nodes[e.Rank], Reason: reason}, r)
}

func (s *Scheduler) memberJoined(e MemberJoined) {
	g := s.gangs[e.Gang]
	if g != nil && g.phase == starting && g.lease == e.Lease && e.Rank >= 0 && e.Rank < len(g.joined) {
		g.joined[e.Rank] = true
	}
}

// late is the nodes of a starting gang's ranks that have not joined, if any
// has: where none has, no node is worse than another.
func (g *member) late() (nodes []core.NodeID, ranks int) {
	for rank, joined := range g.joined {
		if !joined {
			ranks++
			if !slices.Contains(nodes, g.nodes[rank]) {
				nodes = append(nodes, g.nodes[rank])
			}
		}
	}
	if ranks == len(g.joined) {
		return nil, ranks
	}
	return nodes, ranks
}

// lose makes a hole of a living rank.
func (s *Scheduler) lose(g *member, rank int) {
	if g.lost[rank] {
		return
	}
	g.lost[rank] = true
	s.fleet.give(g.nodes[rank], g.Each)
	s.moved = true
}

func (s *Scheduler) memberReplace(e MemberReplace) ID {
	g := s.runningRank(e.Gang, e.Rank)
	if g == nil {
		return ""
	}
	s.lose(g, e.Rank)
	s.line.Add(g.repair(e.Rank))
	return e.Gang
}
