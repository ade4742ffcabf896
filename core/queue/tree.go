package queue

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/capstan-run/capstan/core"
)

// Tree holds the claims that wait, in queues, and what each queue and user has
// of the cluster. It is not safe for concurrent use.
type Tree struct {
	cfg    Config
	queues int // nodes of queues come first; users of fair queues follow
	nodes  []node
	free   []int32 // numbers of nodes that no user has any more
	number map[string]int32
	found  found
	users  []string
	known  map[string]int32 // of users

	classes []class
	unused  []int32 // numbers of classes that are empty
	class   map[classKey]int32
	where   map[uint64]where
	repairs sorted[spot]
	ages    sorted[spot] // of all but repairs, the oldest first; empty without Config.Guard

	accounts map[account]*balance
	sweep    int               // of accounts, when there are so many
	members  map[account]int32 // the node of a user in a fair queue
	crowd    int               // idle members are forgotten when there are so many

	total  core.Vector
	scales [core.MaxDims]scale
	width  int   // resources in use: the first so many of a vector
	now    int64 // Unix milliseconds
	step   int64 // of the history, see history
	stale  bool  // keys have to be worked out anew
	walks  uint64
	walk   Walk
}

// found is the queue that claims for a name go to.
type found struct {
	name   string
	number int32
	ok     bool
}

// where a claim is.
type where struct {
	class   int32
	arrival uint64
}

// account names a user in a queue and those below it: the number of the queue
// in the upper half, the user's in the lower.
type account uint64

func accountOf(queue, user int32) account { return account(uint64(queue)<<32 | uint64(uint32(user))) }

func (a account) queue() int32 { return int32(a >> 32) }
func (a account) user() int32  { return int32(uint32(a)) }

// balance is the state of an account.
type balance struct {
	used    core.Vector
	running int
	held    core.Vector
	heldRun int
}

// New returns an empty tree. dims learns the names of the resources that cfg
// speaks of, unless there is an error; the tree does not keep it. The error is a *core.Error of kind
// Invalid that lists every fault.
func New(cfg Config, dims *core.Dimensions) (*Tree, error) {
	names := dims.Clone()
	nodes, err := build(cfg, &names)
	if err != nil {
		return nil, err
	}
	if len(nodes) == 2 && cfg.Default == "" && nodes[1].name == "default" {
		cfg.Default = "default"
	}
	t := &Tree{
		cfg: cfg, nodes: nodes, queues: len(nodes), number: map[string]int32{}, known: map[string]int32{},
		class: map[classKey]int32{}, where: map[uint64]where{}, accounts: map[account]*balance{}, members: map[account]int32{},
		width: names.Len(), stale: true, walks: 1,
	}
	for i := range nodes {
		t.number[nodes[i].name] = int32(i)
	}
	if i, ok := t.number[cfg.Default]; cfg.Default != "" && (!ok || len(nodes[i].children) > 0) {
		return nil, &core.Error{Kind: core.Invalid, What: fmt.Sprintf("the default queue %q takes no claims", cfg.Default), Where: "default",
			Remedy: "use one of " + t.takers()}
	}
	*dims = names
	return t, nil
}

// takers lists the queues that take claims.
func (t *Tree) takers() string {
	var names []string
	for i := range t.queues {
		if len(t.nodes[i].children) == 0 {
			names = append(names, t.nodes[i].name)
		}
	}
	if len(names) > 20 {
		names = append(names[:20], fmt.Sprintf("and %d more", len(names)-20))
	}
	return strings.Join(names, ", ")
}

// Clone returns a tree that shares nothing with t.
func (t *Tree) Clone() *Tree {
	c := *t
	c.walk = Walk{}
	c.nodes = slices.Clone(t.nodes)
	for i := range c.nodes {
		n := &c.nodes[i]
		n.heaps = [core.MaxDims][]spot{}
		for d, h := range t.nodes[i].heaps {
			n.heaps[d] = slices.Clone(h)
		}
		if n.line != nil {
			l := *n.line
			l.set = n.line.set.clone()
			n.line = &l
		}
	}
	c.classes = slices.Clone(t.classes)
	for i := range c.classes {
		if m := c.classes[i].more; m != nil {
			cm := m.clone()
			c.classes[i].more = &cm
		}
	}
	c.keepAccounts(t)
	c.unused, c.class, c.where = slices.Clone(t.unused), maps.Clone(t.class), maps.Clone(t.where)
	c.repairs, c.ages = t.repairs.clone(), t.ages.clone()
	return &c
}

// CloneWith is Clone, but that only the claims of ids wait. It costs what they
// cost, and not what the whole line does.
func (t *Tree) CloneWith(ids []uint64) *Tree {
	c := *t
	c.walk, c.stale = Walk{}, true
	c.nodes = slices.Clone(t.nodes)
	for i := range c.nodes {
		n := &c.nodes[i]
		n.pending, n.heaps, n.pos = 0, [core.MaxDims][]spot{}, [core.MaxDims]int32{}
		if n.line != nil {
			n.line = &line{head: none}
		}
	}
	c.classes, c.unused, c.repairs, c.ages = nil, nil, sorted[spot]{}, sorted[spot]{}
	c.class, c.where = map[classKey]int32{}, make(map[uint64]where, len(ids))
	c.keepAccounts(t)
	for _, id := range ids {
		if at, ok := t.where[id]; ok {
			if err := c.Add(t.claimAt(id, at)); err != nil {
				panic("queue: " + err.Error()) // the queues are the same
			}
		}
	}
	return &c
}

// claimAt is the claim id, as it was added.
func (t *Tree) claimAt(id uint64, at where) Claim {
	x, _ := t.classes[at.class].get(item{arrival: at.arrival, id: id})
	c := t.claim(at.class)
	c.ID, c.Arrival, c.Since, c.Count = x.id, x.arrival, x.since, x.count
	return c
}

// keepAccounts gives c the queues and users that t has, and what they have.
func (c *Tree) keepAccounts(t *Tree) {
	c.accounts = make(map[account]*balance, len(t.accounts))
	for k, b := range t.accounts {
		cb := *b
		c.accounts[k] = &cb
	}
	c.free, c.users = slices.Clone(t.free), slices.Clone(t.users)
	c.number, c.known, c.members = maps.Clone(t.number), maps.Clone(t.known), maps.Clone(t.members)
}

// Len is how many claims wait; an array is one.
func (t *Tree) Len() int { return len(t.where) }

// Resolve is the queue that takes claims for name: itself, or the default. The
// error is a *core.Error of kind Invalid or Denied that a user can act on.
func (t *Tree) Resolve(name string) (string, error) {
	i, err := t.find(name)
	if err != nil {
		return "", err
	}
	if t.nodes[i].rules.Closed {
		return "", &core.Error{Kind: core.Denied, What: fmt.Sprintf("queue %q takes no new jobs", t.nodes[i].name), Where: "metadata.queue",
			Remedy: "use another of " + t.takers()}
	}
	return t.nodes[i].name, nil
}

// find is the number of the queue that takes claims for name. The last answer is
// kept, as whoever asks about a claim asks several times.
func (t *Tree) find(name string) (int32, error) {
	if t.found.ok && t.found.name == name {
		return t.found.number, nil
	}
	i, err := t.lookUp(name)
	if err == nil {
		t.found = found{name, i, true}
	}
	return i, err
}

func (t *Tree) lookUp(name string) (int32, error) {
	i, ok := t.number[name]
	if !ok || name == "" {
		if t.cfg.Default == "" {
			return 0, &core.Error{Kind: core.Invalid, What: fmt.Sprintf("there is no queue %q", name), Where: "metadata.queue",
				Remedy: "use one of " + t.takers()}
		}
		i = t.number[t.cfg.Default]
	}
	if len(t.nodes[i].children) > 0 {
		return 0, &core.Error{Kind: core.Invalid, What: fmt.Sprintf("queue %q has queues below it and takes no jobs itself", name), Where: "metadata.queue",
			Remedy: "use one of " + t.takers()}
	}
	return i, nil
}

// userNumber is the number of a user.
func (t *Tree) userNumber(name string) int32 {
	i, ok := t.known[name]
	if !ok {
		i = int32(len(t.users))
		t.users = append(t.users, name)
		t.known[name] = i
	}
	return i
}

// holder is the node in whose line the claims of a user stand in a queue: the
// queue itself, or the user's own node, which is made if there is none.
func (t *Tree) holder(queue, user int32) int32 {
	if t.nodes[queue].line != nil {
		return queue
	}
	k := accountOf(queue, user)
	i, ok := t.members[k]
	if ok {
		return i
	}
	if len(t.members) >= t.crowd {
		t.forget()
		t.crowd = max(256, 2*len(t.members))
	}
	n := newNode(t.nodes[queue].name, queue, nil)
	n.user, n.line, n.at = user, &line{head: none}, t.now
	n.headed = t.nodes[queue].headed
	if t.nodes[queue].order == byTurn {
		n.order, n.headed = byTurn, true
	}
	if k := len(t.free); k > 0 {
		i, t.free = t.free[k-1], t.free[:k-1]
		t.nodes[i] = n
	} else {
		i = int32(len(t.nodes))
		t.nodes = append(t.nodes, n)
	}
	t.members[k] = i
	t.rekey(i)
	return i
}

// Total says what the whole cluster has; shares are parts of it.
func (t *Tree) Total(v core.Vector) {
	if v != t.total {
		t.settleHistory()
		t.total, t.stale = v, true
		for d := range v {
			t.scales[d] = scaleOf(v[d])
		}
		t.widen(&v)
	}
}

// widen takes note of resources not seen before.
func (t *Tree) widen(v *core.Vector) {
	for d := t.width; d < len(v); d++ {
		if v[d] != 0 {
			t.width, t.stale = d+1, true
		}
	}
}
