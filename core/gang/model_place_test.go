package gang

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/capstan-run/capstan/core"
)

// placed checks the ranks of g from first on: room, ports, constraints and
// topology at this moment.
func (m *model) placed(g *modelGang, first int) error {
	for rank := first; rank < len(g.nodes); rank++ {
		if err := m.fits(g.nodes[rank]); err != nil {
			return err
		}
		if err := m.reservedFor(g, g.nodes[rank]); err != nil {
			return err
		}
	}
	for _, c := range g.Constraints {
		if err := m.constrained(g, c, first); err != nil {
			return fmt.Errorf("%v: %w", c, err)
		}
	}
	return m.lies(g)
}

// fits checks that a node is up and holds no more than it has.
func (m *model) fits(id core.NodeID) error {
	n := m.nodes[id]
	if n == nil || n.down || n.draining {
		return fmt.Errorf("node %s is down or draining", id)
	}
	free, generic, ports := n.Capacity, map[string]int64{}, map[int]bool{}
	for _, g := range m.gangs {
		for rank, at := range g.nodes {
			if at != id || g.lost[rank] {
				continue
			}
			role := g.role(rank)
			free = free.Sub(core.Resources{CPU: role.CPU, Memory: role.Memory})
			for name, k := range role.Generic {
				generic[name] += k
			}
			for _, p := range role.Ports {
				if ports[p] {
					return fmt.Errorf("port %d of node %s is taken twice", p, id)
				}
				ports[p] = true
			}
		}
	}
	if free.CPU < 0 || free.Memory < 0 {
		return fmt.Errorf("node %s has %v free", id, free)
	}
	for name, k := range generic {
		if k > n.Generic[name] {
			return fmt.Errorf("node %s has %d %s, and %d are in use", id, n.Generic[name], name, k)
		}
	}
	return nil
}

// reservedFor checks that a node is not kept for the holders of a reservation
// while g may run.
func (m *model) reservedFor(g *modelGang, id core.NodeID) error {
	if g.Reservation != "" {
		if !slices.Contains(m.reserved[g.Reservation].Nodes, id) {
			return fmt.Errorf("node %s is not of its reservation", id)
		}
		return nil
	}
	if g.up {
		return nil // repairs go first
	}
	for _, v := range m.reserved {
		if slices.Contains(v.Nodes, id) && v.End > m.now && (g.Walltime == 0 || m.now+g.StartTimeout+g.Walltime > v.Start) {
			return fmt.Errorf("node %s is kept for reservation %s", id, v.Name)
		}
	}
	return nil
}

func (n *modelNode) attribute(name string) (string, bool) {
	switch name {
	case "host":
		return string(n.ID), true
	case "rack":
		return n.Rack, true // "" is one, too
	case "zone":
		return n.Zone, true
	}
	v, ok := n.Labels[name]
	return v, ok
}

// constrained checks one constraint of a gang for its ranks from first on.
func (m *model) constrained(g *modelGang, c core.Constraint, first int) error {
	if c.Operator == "APART" {
		for _, v := range m.gangs {
			if v.Labels[c.Attribute] != c.Value || v.Job == g.Job {
				continue
			}
			for rank, id := range v.nodes {
				if !v.lost[rank] && slices.Contains(g.nodes[first:], id) {
					return fmt.Errorf("%s is on node %s, too", v.Gang, id)
				}
			}
		}
		return nil
	}
	counts := map[string]int{}
	for _, v := range m.gangs {
		if v.Job != g.Job {
			continue
		}
		for rank, id := range v.nodes {
			value, has := m.nodes[id].attribute(c.Attribute)
			if v.lost[rank] {
				continue
			}
			counts[value]++
			if v == g && rank >= first && !suits(c, value, has) {
				return fmt.Errorf("rank %d on node %s with %q", rank, id, value)
			}
		}
	}
	return counted(c, counts, g.living())
}

func suits(c core.Constraint, value string, has bool) bool {
	switch {
	case c.Operator == "UNLIKE":
		return value != c.Value
	case c.Operator == "LIKE" || c.Operator == "CLUSTER" && c.Value != "":
		return value == c.Value
	}
	return has
}

func counted(c core.Constraint, counts map[string]int, size int) error {
	most := 0
	for _, n := range counts {
		most = max(most, n)
	}
	limit, _ := strconv.Atoi(c.Value)
	switch {
	case c.Operator == "UNIQUE" && most > 1,
		c.Operator == "MAX_PER" && most > limit,
		c.Operator == "CLUSTER" && len(counts) > 1,
		c.Operator == "GROUP_BY" && size >= limit && len(counts) < limit:
		return fmt.Errorf("the ranks lie as %v", counts)
	}
	return nil
}

// lies checks the placement that g requires.
func (m *model) lies(g *modelGang) error {
	p := g.Placement
	hosts, domains := map[core.NodeID]int{}, map[string]int{}
	for rank, id := range g.nodes {
		if g.lost[rank] {
			continue
		}
		hosts[id]++
		domains[m.nodes[id].domain(p.Pack+p.Spread)]++
		if p.PerHost > 0 && hosts[id] > p.PerHost {
			return fmt.Errorf("%d ranks on node %s", hosts[id], id)
		}
		if p.Spread != "" && !p.Preferred && domains[m.nodes[id].domain(p.Spread)] > 1 {
			return fmt.Errorf("two ranks in one %s: %v", p.Spread, g.nodes)
		}
	}
	if p.Pack != "" && !p.Preferred && len(domains) > 1 {
		return fmt.Errorf("not in one %s: %v", p.Pack, g.nodes)
	}
	return nil
}

func (n *modelNode) domain(level string) string {
	switch level {
	case "zone":
		return n.Zone
	case "rack":
		return n.Zone + "/" + n.Rack
	}
	return string(n.ID)
}
