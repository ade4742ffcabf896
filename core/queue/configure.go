package queue

import (
	"fmt"
	"slices"

	"github.com/capstan-run/capstan/core"
)

// Configure changes the queues while claims wait and gangs run; both stay, and
// so does the history. It is a *core.Error of kind Conflict, and nothing
// changes, if something waits or runs in a queue that cfg does not have.
func (t *Tree) Configure(cfg Config, dims *core.Dimensions) error {
	t.walk.End()
	fresh, err := New(cfg, dims)
	if err != nil {
		return err
	}
	if err := t.fits(fresh); err != nil {
		return err
	}
	fresh.total, fresh.scales, fresh.now, fresh.users, fresh.known = t.total, t.scales, t.now, t.users, t.known
	fresh.width, fresh.walks = max(t.width, fresh.width), t.walks
	if fresh.cfg.HalfLife > 0 {
		fresh.step = fresh.now / fresh.stepLength()
	}
	t.moveUse(fresh)
	t.moveClaims(fresh)
	t.moveHistory(fresh)
	*t = *fresh
	return nil
}

// fits reports what of t has no place in fresh.
func (t *Tree) fits(fresh *Tree) error {
	repairs := map[int32]bool{}
	t.repairs.each(func(s spot) bool { repairs[t.classes[s.number].queue] = true; return true })
	for i := range t.queues {
		n := &t.nodes[i]
		if len(n.children) > 0 || n.pending == 0 && n.running == 0 && n.used == (core.Vector{}) && !repairs[int32(i)] {
			continue
		}
		if k, ok := fresh.number[n.name]; !ok || len(fresh.nodes[k].children) > 0 {
			return &core.Error{Kind: core.Conflict, What: fmt.Sprintf("queue %q would be gone, and %d wait and %d run in it", n.name, n.pending, n.running),
				Where: "queues", Remedy: "keep it with closed: true until it is empty"}
		}
	}
	return nil
}

func (t *Tree) moveUse(fresh *Tree) {
	var keys []account
	for k, b := range t.accounts {
		if len(t.nodes[k.queue()].children) == 0 && *b != (balance{}) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	for _, k := range keys {
		b := t.accounts[k]
		fresh.charge(fresh.number[t.nodes[k.queue()].name], k.user(), b.used, b.running)
	}
}

func (t *Tree) moveClaims(fresh *Tree) {
	for i := range t.classes {
		c := &t.classes[i]
		if c.one.count == 0 {
			continue // nobody's
		}
		put := func(x item) bool {
			claim := t.claim(int32(i))
			claim.ID, claim.Arrival, claim.Since, claim.Count = x.id, x.arrival, x.since, x.count
			if err := fresh.Add(claim); err != nil {
				panic("queue: " + err.Error()) // fits has seen to it
			}
			return true
		}
		put(c.one)
		if c.more != nil {
			c.more.each(put)
		}
	}
}

// moveHistory carries over the past of queues and users that are in both. Where
// a queue turns fair, its users begin without one.
func (t *Tree) moveHistory(fresh *Tree) {
	if fresh.cfg.HalfLife <= 0 {
		return
	}
	t.settleHistory()
	for i := range t.nodes {
		n := &t.nodes[i]
		to, ok := fresh.number[n.name]
		if n.user != none {
			if to, ok = fresh.number[n.name]; ok && fresh.nodes[to].line == nil && len(fresh.nodes[to].children) == 0 {
				to = fresh.holder(to, n.user)
			} else {
				ok = false
			}
		}
		if ok && n.name != "" || i == root {
			fresh.nodes[to].past = n.past
		}
	}
	for i := range fresh.nodes {
		fresh.nodes[i].at = fresh.now
	}
}
