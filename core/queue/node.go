package queue

import (
	"fmt"
	"slices"
	"strings"

	"github.com/capstan-run/capstan/core"
)

const (
	root = 0  // number of the root node
	none = -1 // no node, no class
)

// node is a queue, or one user of a queue whose order is fair. Amounts of a
// node are those of all that lies below it. What each decision touches stands
// first.
type node struct {
	parent   int32
	user     int32 // of a user's node, else none
	order    order
	users    bool  // has a limit for each user
	headed   bool  // an ancestor compares the heads of its children
	entitled uint8 // a bit for each resource of which the node or one below has a quota
	weight   uint64
	line     *line  // of a node that holds claims itself
	rules    *rules // shared by clones; of a user's node, none

	pending int
	running int
	used    core.Vector
	key     [core.MaxDims]uint64 // standing among siblings by resource: the least is first
	offer   [core.MaxDims]int32  // the holder it would serve next, by the resource that one needs most
	pos     [core.MaxDims]int32  // 1 + index in the parent's heap, 0 if not in it
	heaps   [core.MaxDims][]spot // children with an offer; the first heap only unless order is byShare

	drawn   core.Vector // of the quota of this node, holds included
	held    core.Vector // by holds (law Q10)
	heldRun int

	past [core.MaxDims]uint64 // decayed use, see history
	area [core.MaxDims]uint64
	at   int64 // until when area is summed up

	name     string  // path of the queue; of a user, the path of its queue
	children []int32 // queues below, in order of name; not users
}

// rules is what a Queue says, with names turned into numbers.
type rules struct {
	Queue
	quota, borrow, lend, limit, maxUser caps
	// draws has a bit for each resource in which quotas count: the queue or
	// one above it has one.
	draws uint8
	// bound says that some quota or limit is held against what the queue asks.
	bound bool
	// share is the node's own quota and what its children lend; keeps is the
	// part of it that it does not lend.
	share, keeps core.Vector
	// deserves is the quotas of the node and of all below it.
	deserves core.Vector
}

// line is the claims of a holder and how far the walk underway has come.
type line struct {
	set  sorted[spot]
	scan scan
	head int32 // the class to offer next, or none
	most int   // the resource that the head needs most
	// touched says that the walk underway has passed something.
	touched bool
}

// build makes the nodes of cfg: the root, then the others by name.
func build(cfg Config, dims *core.Dimensions) ([]node, *core.Error) {
	if ds := cfg.check(); len(ds) > 0 {
		return nil, &core.Error{Kind: core.Invalid, What: "the queues are not well formed", Where: "queues", Diagnostics: ds,
			Remedy: "correct what is listed"}
	}
	byName := map[string]Queue{"": {}}
	for _, q := range cfg.Queues {
		byName[q.Name] = q
		for up := parentOf(q.Name); up != ""; up = parentOf(up) {
			if _, ok := byName[up]; !ok {
				byName[up] = Queue{Name: up}
			}
		}
	}
	if len(byName) == 1 {
		byName["default"] = Queue{Name: "default"}
	}
	names := make([]string, 0, len(byName))
	for name := range byName {
		names = append(names, name)
	}
	slices.Sort(names)
	nodes := make([]node, 0, len(names))
	number := map[string]int32{}
	for i, name := range names {
		r, err := newRules(byName[name], dims)
		if err != nil {
			return nil, &core.Error{Kind: core.Invalid, What: err.Error(), Where: fmt.Sprintf("queue %q", name),
				Remedy: "name fewer kinds of resources"}
		}
		number[name] = int32(i)
		n := newNode(name, none, r)
		if i != root {
			n.parent = number[parentOf(name)]
			nodes[n.parent].children = append(nodes[n.parent].children, int32(i))
		}
		nodes = append(nodes, n)
	}
	settleOrders(nodes)
	settleQuotas(nodes)
	return nodes, nil
}

func parentOf(name string) string {
	i := strings.LastIndexByte(name, '/')
	return name[:max(i, 0)]
}

func newNode(name string, parent int32, r *rules) node {
	n := node{name: name, parent: parent, user: none, rules: r, weight: 1}
	if r != nil {
		n.weight, n.users = uint64(r.Weight), r.limitsUsers()
	}
	for d := range n.offer {
		n.offer[d] = none
	}
	return n
}

func newRules(q Queue, dims *core.Dimensions) (*rules, error) {
	r := &rules{Queue: q}
	r.Weight = max(r.Weight, 1)
	if r.Reclaim == "" {
		r.Reclaim = "any"
	}
	for _, a := range []struct {
		from Amounts
		to   *caps
	}{{q.Quota, &r.quota}, {q.Borrow, &r.borrow}, {q.Lend, &r.lend}, {q.Limit, &r.limit}, {q.MaxUser, &r.maxUser}} {
		c, err := a.from.caps(dims)
		if err != nil {
			return nil, err
		}
		*a.to = c
	}
	return r, nil
}

// settleOrders fills in defaults and gives lines to the queues at the bottom.
func settleOrders(nodes []node) {
	for i := range nodes {
		n := &nodes[i]
		o, given := parseOrder(n.rules.Order)
		if !given && len(n.children) > 0 {
			o = byShare
		}
		if len(n.children) > 0 && o == byTurn {
			o = byShare // it takes no claims
		}
		n.order = o
		if i != root {
			up := &nodes[n.parent]
			n.headed = up.headed || up.order != byShare
		}
		if len(n.children) == 0 && o != byShare && o != byTurn {
			n.line = &line{head: none}
		}
	}
}

// settleQuotas works out who draws on what. Children come behind their
// parents, so one pass each way does.
func settleQuotas(nodes []node) {
	for i := range nodes {
		r := nodes[i].rules
		r.draws = r.quota.has
		if i != root {
			r.draws |= nodes[nodes[i].parent].rules.draws
			r.bound = nodes[nodes[i].parent].rules.bound
		}
		r.bound = r.bound || r.draws != 0 || r.limit.has != 0 || r.MaxRunning > 0 || r.limitsUsers()
		r.share, r.deserves = r.quota.v, r.quota.v
	}
	for i := len(nodes) - 1; i >= root; i-- {
		for d, amount := range nodes[i].rules.deserves {
			if amount > 0 {
				nodes[i].entitled |= 1 << d
			}
		}
		if i == root {
			break
		}
		r, up := nodes[i].rules, nodes[nodes[i].parent].rules
		for d := range r.share {
			if r.lend.has>>d&1 == 1 {
				r.keeps[d] = max(0, r.share[d]-r.lend.v[d])
			}
			up.share[d] += r.share[d] - r.keeps[d]
			up.deserves[d] += r.deserves[d]
		}
	}
}

// fromParent is what the node takes of its parent's quota in resource d.
func (n *node) fromParent(d int) int64 { return max(0, n.drawn[d]-n.rules.keeps[d]) }
