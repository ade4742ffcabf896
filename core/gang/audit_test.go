package gang

import (
	"fmt"

	"github.com/capstan-run/capstan/core"
)

// audit checks what must be true of every state: laws G1 and G2, and that the
// books agree with the gangs.
func audit(s *Scheduler) error {
	used := map[core.NodeID]core.Resources{}
	executors := map[core.NodeID]int{}
	v := s.Snapshot()
	for _, g := range v.Gangs {
		if err := auditGang(g); err != nil {
			return err
		}
		lost := map[int]bool{}
		for _, r := range g.Lost {
			lost[r] = true
		}
		for rank, id := range g.Nodes {
			if !lost[rank] {
				used[id] = used[id].Add(g.Each)
				executors[id]++
			}
		}
	}
	for _, n := range v.Nodes {
		if got := n.Capacity.Sub(n.Free); got != used[n.ID] || n.Executors != executors[n.ID] {
			return fmt.Errorf("node %s books %v for %d executors; its gangs hold %v for %d", n.ID, got, n.Executors, used[n.ID], executors[n.ID])
		}
	}
	return auditLine(s, v)
}

// auditGang checks that a gang holds all or nothing.
func auditGang(g GangView) error {
	holds := g.State != "waiting"
	if holds && len(g.Nodes) != g.Size || !holds && len(g.Nodes) != 0 {
		return fmt.Errorf("gang %s of %d is %s on %d nodes", g.Gang, g.Size, g.State, len(g.Nodes))
	}
	if holds != (g.Lease != 0) {
		return fmt.Errorf("gang %s is %s with lease %d", g.Gang, g.State, g.Lease)
	}
	return nil
}

// auditLine checks that exactly what waits is in line.
func auditLine(s *Scheduler, v Snapshot) error {
	waits := 0
	for _, g := range v.Gangs {
		if g.State == "waiting" {
			waits++
		}
	}
	for i := range s.line.Len() {
		e := s.line.At(i)
		g := s.gangs[ID(e.Gang)]
		switch {
		case g == nil:
			return fmt.Errorf("%s is in line and not known", e.Gang)
		case e.Repair() && (g.phase == waiting || g.phase == starting || !g.lost[e.Rank]):
			return fmt.Errorf("rank %d of %s is in line and not lost", e.Rank, e.Gang)
		case !e.Repair():
			waits--
		}
	}
	if waits != 0 {
		return fmt.Errorf("%d gangs wait outside the line", waits)
	}
	return nil
}
