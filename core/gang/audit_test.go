package gang

import (
	"fmt"
	"slices"

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
				used[id] = used[id].Add(each(g, rank))
				executors[id]++
			}
		}
	}
	for _, n := range v.Nodes {
		if got := n.Capacity.Sub(n.Free); got != used[n.ID] || n.Executors != executors[n.ID] {
			return fmt.Errorf("node %s books %v for %d executors; its gangs hold %v for %d", n.ID, got, n.Executors, used[n.ID], executors[n.ID])
		}
	}
	for id, g := range s.gangs {
		fresh := member{Request: g.Request, ask: g.ask, nodes: g.nodes, roles: g.roles, lost: g.lost}
		if !slices.Equal(g.lie(), fresh.lie()) {
			return fmt.Errorf("gang %s lies as %v, and remembers %v", id, fresh.lie(), g.laid)
		}
	}
	if err := auditAsides(s); err != nil {
		return err
	}
	return auditLine(s, v)
}

// auditAsides checks that whatever neither waits in line nor holds nodes can be
// found without looking at the line.
func auditAsides(s *Scheduler) error {
	for id, g := range s.gangs {
		if aside := g.aside > 0 && s.asides.gangs[g.aside-1] == g; !aside && (g.array != nil || !g.inLine && g.holder == 0) {
			return fmt.Errorf("gang %s is %s, and not among the asides", id, g.phase)
		}
		if g.inJob > 0 && (g.inJob > len(g.job.gangs) || g.job.gangs[g.inJob-1] != g) {
			return fmt.Errorf("gang %s is not where it says among those of its job", id)
		}
	}
	for id, j := range s.jobs {
		if aside := j.aside > 0 && s.asides.jobs[j.aside-1] == j; !aside && (j.ended != Unsaid || len(j.arrays) > 0) {
			return fmt.Errorf("job %s ended (%q) or had an array, and is not among the asides", id, j.ended)
		}
	}
	for _, g := range s.asides.gangs {
		if s.gangs[g.Gang] != g {
			return fmt.Errorf("gang %s is gone, and among the asides", g.Gang)
		}
	}
	for _, j := range s.asides.jobs {
		if s.jobs[j.id] != j {
			return fmt.Errorf("job %s was dropped, and is among the asides", j.id)
		}
	}
	return nil
}

// each is what a rank of g takes.
func each(g GangView, rank int) core.Resources {
	role := 0
	if g.Ranks != nil {
		role = g.Ranks[rank]
	}
	v := g.Request.roles()[role]
	return core.Resources{CPU: v.CPU, Memory: v.Memory}
}

// auditGang checks that a gang holds all or nothing.
func auditGang(g GangView) error {
	holds := g.State != "waiting" && g.State != "held"
	least, most := orElse(g.Min, g.Size), orElse(g.Max, g.Size)
	if len(g.Roles) > 0 {
		least = 0
		for _, role := range g.Roles {
			least += orElse(role.Min, role.Size)
		}
	}
	if holds && (len(g.Nodes) < least || len(g.Nodes) > most) || !holds && len(g.Nodes) != 0 {
		return fmt.Errorf("gang %s of %d is %s on %d nodes", g.Gang, g.Size, g.State, len(g.Nodes))
	}
	if holds != (g.Lease != 0) {
		return fmt.Errorf("gang %s is %s with lease %d", g.Gang, g.State, g.Lease)
	}
	return nil
}

// auditLine checks that exactly what waits is in line.
func auditLine(s *Scheduler, v Snapshot) error {
	inLine := map[ID]bool{}
	s.tree.Each(s.now, func(id uint64) bool {
		inLine[s.byNumber[id].Gang] = true
		return true
	})
	for _, g := range v.Gangs {
		if ready := g.State == "waiting" && s.gangs[g.Gang].count > 0; ready != inLine[g.Gang] {
			return fmt.Errorf("%s is %s, and in line: %v", g.Gang, g.State, inLine[g.Gang])
		}
		delete(inLine, g.Gang)
	}
	if len(inLine) > 0 {
		return fmt.Errorf("%v are in line and not known", inLine)
	}
	for _, v := range s.repairs {
		if s.gangs[v.gang.Gang] != v.gang || !v.gang.up() || !v.gang.lost[v.rank] {
			return fmt.Errorf("rank %d of %s is in line and not lost", v.rank, v.gang.Gang)
		}
	}
	return nil
}
