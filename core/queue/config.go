package queue

import (
	"fmt"
	"strings"

	"github.com/capstan-run/capstan/core"
)

// Config is a tree of queues. The zero value is one queue called "default"
// that takes every claim, in the order of laws Q1 and Q2.
type Config struct {
	// Queues in any order. Parents that are not listed are made, with defaults.
	Queues []Queue `json:"queues,omitempty"`
	// Default is the queue of whoever names none of the tree. "" refuses them.
	// If the only queue is "default", it is that.
	Default string `json:"default,omitempty"`
	// HalfLife is how long, in milliseconds, until use in the past counts half
	// (law Q8). 0: only what is in use now counts.
	HalfLife int64 `json:"halfLife,omitempty"`
	// Guard is the age, in milliseconds, from which a claim goes before all
	// others (law Q9). 0: never.
	Guard int64 `json:"guard,omitempty"`
}

// Queue is what one queue is entitled to and how it serves its claims. Only a
// queue without others below it takes claims.
type Queue struct {
	// Name is the path, such as "research/vision". "" is the root: the whole
	// cluster.
	Name string `json:"name"`
	// Weight is the part it has among its siblings, 1 to 1,000,000. Default 1.
	Weight int64 `json:"weight,omitempty"`
	// Quota is what it is entitled to, Borrow the most it may use beyond that
	// of what its siblings leave idle, Lend the most of its own that they may
	// use. Absent: no quota, no bound on borrowing, no bound on lending.
	Quota  Amounts `json:"quota,omitempty"`
	Borrow Amounts `json:"borrow,omitempty"`
	Lend   Amounts `json:"lend,omitempty"`
	// Limit is the most it may use, lent or not. Absent: unbounded.
	Limit Amounts `json:"limit,omitempty"`
	// MaxUser is the most one user may use within it. Absent: unbounded.
	MaxUser Amounts `json:"maxUser,omitempty"`
	// MaxRunning gangs run, MaxPerUser of one user; MaxPending may wait. An
	// array counts each of its elements. 0: unbounded.
	MaxRunning int `json:"maxRunning,omitempty"`
	MaxPerUser int `json:"maxPerUser,omitempty"`
	MaxPending int `json:"maxPending,omitempty"`
	// Order is how its claims, or the queues below it, follow each other:
	//
	//	priority  higher priority, then earlier arrival
	//	fifo      earlier arrival
	//	short     higher priority, then shorter Hint, then earlier arrival
	//	fair      the user, or the queue below, with the least share; each
	//	          user's own claims by priority
	//	turn      higher priority, then whose user would have used the least by
	//	          the end of it: the user's past use (see Config.HalfLife) and
	//	          the claim's own Work, so that what is small and who used little
	//	          go first; not for a queue with queues below
	//
	// Default: priority, or fair if there are queues below.
	Order string `json:"order,omitempty"`
	// PreemptLower lets a claim displace what runs in this queue at a lower
	// priority.
	PreemptLower bool `json:"preemptLower,omitempty"`
	// Reclaim is whose gangs a claim within the quota may displace among those
	// that run on quota borrowed from it: "any", "lower" (of lower priority) or
	// "never". Default "any".
	Reclaim string `json:"reclaim,omitempty"`
	// Closed refuses new claims. What waits or runs goes on.
	Closed bool `json:"closed,omitempty"`
}

// order is how children or claims follow each other.
type order int

const (
	byPriority order = iota
	byArrival
	byHint
	byShare
	byTurn
)

func parseOrder(s string) (order, bool) {
	switch s {
	case "priority":
		return byPriority, true
	case "fifo":
		return byArrival, true
	case "short":
		return byHint, true
	case "fair":
		return byShare, true
	case "turn":
		return byTurn, true
	}
	return 0, false
}

const (
	maxWeight   = 1_000_000
	maxHalfLife = 400 * 24 * 3600 * 1000 // so that sums over time fit 64 bits
)

func (c Config) check() []core.Diagnostic {
	var ds []core.Diagnostic
	seen := map[string]bool{}
	fault := func(path, message, remedy string) {
		ds = append(ds, core.Diagnostic{Path: path, Message: message, Remedy: remedy})
	}
	for i, q := range c.Queues {
		at := fmt.Sprintf("queues.%d", i)
		if seen[q.Name] {
			fault(at+".name", fmt.Sprintf("queue %q is there twice", q.Name), "keep one of them")
		}
		seen[q.Name] = true
		q.check(at, fault)
	}
	if c.HalfLife < 0 || c.HalfLife > maxHalfLife {
		fault("halfLife", fmt.Sprintf("a half-life of %d ms is not between 0 and 400 days", c.HalfLife), "")
	}
	if c.Guard < 0 {
		fault("guard", "an age cannot be negative", "")
	}
	return ds
}

func (q Queue) check(at string, fault func(path, message, remedy string)) {
	for _, part := range strings.Split(q.Name, "/") {
		if part == "" && q.Name != "" {
			fault(at+".name", fmt.Sprintf("%q has an empty part", q.Name), "write it as research/vision")
			break
		}
	}
	if q.Weight < 0 || q.Weight > maxWeight {
		fault(at+".weight", fmt.Sprintf("%d is not between 1 and %d", q.Weight, maxWeight), "")
	}
	if _, ok := parseOrder(q.Order); !ok && q.Order != "" {
		fault(at+".order", fmt.Sprintf("there is no order %q", q.Order), "use priority, fifo, short, fair or turn")
	}
	switch q.Reclaim {
	case "", "any", "lower", "never":
	default:
		fault(at+".reclaim", fmt.Sprintf("there is no policy %q", q.Reclaim), "use any, lower or never")
	}
	if q.MaxRunning < 0 || q.MaxPerUser < 0 || q.MaxPending < 0 {
		fault(at, "a maximum cannot be negative", "leave it out for no limit")
	}
	for _, a := range []struct {
		name string
		of   Amounts
	}{{"quota", q.Quota}, {"borrow", q.Borrow}, {"lend", q.Lend}, {"limit", q.Limit}, {"maxUser", q.MaxUser}} {
		if name, ok := a.of.negative(); ok {
			fault(at+"."+a.name+"."+name, "an amount cannot be negative", "leave it out for no limit")
		}
	}
	if q.Name == "" && (len(q.Borrow) > 0 || len(q.Lend) > 0) {
		fault(at, "the root has nobody to borrow from or lend to", "leave out borrow and lend")
	}
}
