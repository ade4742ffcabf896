package gang

import (
	"fmt"
	"slices"

	"github.com/capstan-run/capstan/core/place"
)

// ranksOn is the living ranks of g on a node.
func (g *member) ranksOn(n place.Ref) []int {
	var ranks []int
	for rank, at := range g.nodes {
		if at == n && !g.lost[rank] {
			ranks = append(ranks, rank)
		}
	}
	return ranks
}

// living is the node of each living rank.
func (g *member) living() []place.Ref {
	out := make([]place.Ref, 0, len(g.nodes))
	for rank, n := range g.nodes {
		if !g.lost[rank] {
			out = append(out, n)
		}
	}
	return out
}

// up reports whether the gang has started and is not gone.
func (g *member) up() bool {
	return g.phase == running || g.phase == leaving || g.phase == expired
}

// under reports whether an event that names lease is about what g holds.
func (g *member) under(lease uint64) bool { return lease == 0 || lease == g.lease }

// upRank finds a gang that has started under lease, and checks the rank.
func (s *Scheduler) upRank(id ID, lease uint64, rank int) *member {
	g := s.gangs[id]
	if g == nil || !g.up() || !g.under(lease) || rank < 0 || rank >= len(g.nodes) {
		return nil
	}
	return g
}

func (s *Scheduler) memberLost(e MemberLost, r *Result) ID {
	if g := s.upRank(e.Gang, e.Lease, e.Rank); g != nil {
		s.lose(g, e.Rank)
		s.endIfShrunk(g, r)
		return ""
	}
	g := s.gangs[e.Gang]
	if g == nil || g.phase != starting || !g.under(e.Lease) || e.Rank < 0 || e.Rank >= len(g.nodes) {
		return ""
	}
	reason := fmt.Sprintf("rank %d was lost while the gang started", e.Rank)
	if e.Reason != "" {
		reason += ": " + e.Reason
	}
	return s.startFailed(StartFailed{Gang: g.Gang, Lease: g.lease, Node: s.fleet.ID(g.nodes[e.Rank]), Reason: reason}, r)
}

func (s *Scheduler) memberJoined(e MemberJoined) {
	g := s.gangs[e.Gang]
	if g == nil || g.phase != starting || g.lease != e.Lease || e.Rank < 0 || e.Rank >= len(g.nodes) {
		return
	}
	if g.joined == nil {
		g.joined = make([]bool, len(g.nodes))
	}
	g.joined[e.Rank] = true
}

// late is the nodes of a starting gang's ranks that have not joined, if any
// has: where none has, no node is worse than another.
func (g *member) late() (nodes []place.Ref, ranks int) {
	if g.joined == nil {
		return nil, len(g.nodes)
	}
	for rank, joined := range g.joined {
		if !joined {
			ranks++
			if !slices.Contains(nodes, g.nodes[rank]) {
				nodes = append(nodes, g.nodes[rank])
			}
		}
	}
	return nodes, ranks
}

// lose makes a hole of a living rank.
func (s *Scheduler) lose(g *member, rank int) {
	if g.lost[rank] {
		return
	}
	g.lost[rank], g.laid = true, nil
	s.give(g, rank, g.nodes[rank])
	s.settle(g)
}

func (s *Scheduler) memberReplace(e MemberReplace, r *Result) ID {
	g := s.upRank(e.Gang, e.Lease, e.Rank)
	if g == nil {
		return ""
	}
	s.lose(g, e.Rank)
	if g.leaves(e.Rank) {
		s.endIfShrunk(g, r)
		return ""
	}
	s.addRepair(g, e.Rank)
	return e.Gang
}
