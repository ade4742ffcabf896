package queue

import (
	"fmt"

	"github.com/capstan-run/capstan/core"
)

// audit works out anew what the tree keeps up to date, and names the first
// difference. No walk is underway.
func audit(t *Tree) error {
	pending := make([]int, len(t.nodes))
	claims := 0
	for i := range t.classes {
		c := &t.classes[i]
		if c.one.count == 0 {
			continue
		}
		claims += c.len()
		if c.offered != c.one || c.moved {
			return fmt.Errorf("class %d stands for %v, not its first %v", i, c.offered, c.one)
		}
		if c.repair {
			continue
		}
		for h := c.holder; h != none; h = t.nodes[h].parent {
			pending[h] += c.elements()
		}
	}
	if claims != len(t.where) {
		return fmt.Errorf("%d claims in classes, %d known", claims, len(t.where))
	}
	for i := range t.nodes {
		n := &t.nodes[i]
		if n.pending != pending[i] {
			return fmt.Errorf("node %d %s: %d pending, counted %d", i, n.name, n.pending, pending[i])
		}
		if n.held != (core.Vector{}) || n.heldRun != 0 {
			return fmt.Errorf("node %d %s keeps %v", i, n.name, n.held)
		}
	}
	if err := auditUse(t); err != nil {
		return err
	}
	return auditOffers(t)
}

func auditUse(t *Tree) error {
	used := make([]core.Vector, t.queues)
	running := make([]int, t.queues)
	drawn := make([]core.Vector, t.queues)
	for k, b := range t.accounts {
		if b.held != (core.Vector{}) || b.heldRun != 0 {
			return fmt.Errorf("account %v keeps %v", k, b.held)
		}
		if len(t.nodes[k.queue()].children) > 0 {
			continue
		}
		for i := k.queue(); i != none; i = t.nodes[i].parent {
			used[i], running[i] = used[i].Add(b.used), running[i]+b.running
		}
	}
	for i := t.queues - 1; i >= 0; i-- {
		n := &t.nodes[i]
		for d := range t.width {
			if n.rules.draws>>d&1 == 0 {
				continue
			}
			if len(n.children) == 0 {
				drawn[i][d] = used[i][d]
			}
			for _, c := range n.children {
				drawn[i][d] += max(0, drawn[c][d]-t.nodes[c].rules.keeps[d])
			}
		}
	}
	for i := range t.queues {
		n := &t.nodes[i]
		if n.used != used[i] || n.running != running[i] {
			return fmt.Errorf("queue %s: uses %v in %d, accounts say %v in %d", n.name, n.used, n.running, used[i], running[i])
		}
		for d := range t.width {
			if n.drawn[d] != drawn[i][d] && n.rules.draws>>d&1 == 1 {
				return fmt.Errorf("queue %s: draws %v, want %v", n.name, n.drawn, drawn[i])
			}
		}
	}
	return nil
}

func auditOffers(t *Tree) error {
	c := t.Clone()
	c.rebuild()
	if t.stale {
		return nil
	}
	for i := range t.nodes {
		a, b := &t.nodes[i], &c.nodes[i]
		if a.key != b.key {
			return fmt.Errorf("node %d %s: keys %v, want %v", i, a.name, a.key, b.key)
		}
		for d := range a.offer {
			if a.offer[d] != b.offer[d] {
				return fmt.Errorf("node %d %s: offers %v, want %v", i, a.name, a.offer, b.offer)
			}
		}
	}
	return nil
}
