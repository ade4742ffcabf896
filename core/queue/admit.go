package queue

import (
	"fmt"

	"github.com/capstan-run/capstan/core"
)

// Reason is one limit in the way of a claim.
type Reason struct {
	// Kind is what stands in the way:
	//
	//	quota         the quotas that the queue draws on are used up
	//	borrow        it would borrow more than it may
	//	limit         the queue would use more than its limit
	//	running       as many gangs run in the queue as may
	//	user          the user would use more than one may
	//	user-running  as many gangs of the user run as may
	Kind  string `json:"kind"`
	Queue string `json:"queue"` // whose limit it is; "" is the whole cluster
	User  string `json:"user,omitempty"`
	// Resource is the element of a core.Vector, -1 where gangs are counted.
	Resource int `json:"resource"`
	// Used of Limit is taken, Held of it kept free for claims past the guard
	// (law Q10), and Need is asked for: Used + Held + Need > Limit.
	Limit int64 `json:"limit"`
	Used  int64 `json:"used"`
	Held  int64 `json:"held,omitempty"`
	Need  int64 `json:"need"`
	// Never says that it would be in the way even if nothing ran.
	Never bool `json:"never,omitempty"`
}

// Text is the reason in words, with the resource named by dims: `queue vision
// uses 6 of the 6 gpu it has and may borrow; this needs 1 more`.
func (r Reason) Text(dims *core.Dimensions) string {
	queue := "queue " + r.Queue
	if r.Queue == "" {
		queue = "the cluster"
	}
	number := func(n int64) string { return fmt.Sprint(n) }
	of := "gangs"
	if r.Resource >= 0 {
		number = func(n int64) string { return amount(dims, r.Resource, n) }
		of = dims.Name(r.Resource)
	}
	if r.Never {
		return r.never(queue, number(r.Limit)+" "+of, number(r.Need))
	}
	taken := fmt.Sprintf("%s of the %s %s", number(r.Used), number(r.Limit), of)
	if r.Held > 0 {
		taken += fmt.Sprintf(", with %s kept for older jobs,", number(r.Held))
	}
	var s string
	switch r.Kind {
	case "quota":
		s = "all queues together use " + taken + " of their quotas"
	case "borrow":
		s = queue + " uses " + taken + " it has and may borrow"
	case "user":
		s = fmt.Sprintf("user %q uses %s one may in %s", r.User, taken, queue)
	case "user-running":
		return fmt.Sprintf("user %q runs %s one may in %s", r.User, taken, queue)
	case "running":
		return queue + " runs " + taken + " it may"
	default:
		s = queue + " uses " + taken + " it may"
	}
	return s + "; this needs " + number(r.Need) + " more"
}

// never is Text for what would be in the way even if nothing ran.
func (r Reason) never(queue, limit, need string) string {
	var s string
	switch r.Kind {
	case "quota":
		s = "all queues together have quotas of " + limit
	case "borrow":
		s = queue + " has and may borrow " + limit
	case "user":
		s = "one user may use " + limit + " in " + queue
	default:
		s = queue + " may use " + limit
	}
	return s + ", and this needs " + need
}

func amount(dims *core.Dimensions, d int, n int64) string {
	switch dims.Name(d) {
	case "cpu":
		return core.MilliCPU(n).String()
	case "memory":
		return core.Bytes(n).String()
	}
	return fmt.Sprint(n)
}

// Admits lists all that stands in the way of one gang of c, whatever the nodes
// have free; empty if nothing does, and for a repair. A queue that does not
// exist admits nothing and has no reason: see Resolve.
func (t *Tree) Admits(c Claim) []Reason {
	queue, err := t.find(c.Queue)
	if err != nil || c.Repair || !t.nodes[queue].rules.bound {
		return nil
	}
	return t.reasons(queue, c)
}

// reasons is Admits for a queue that limits bind.
func (t *Tree) reasons(queue int32, c Claim) []Reason {
	var reasons []Reason
	user, ok := t.known[c.User]
	if !ok {
		user = none
	}
	never := map[Reason]bool{}
	probe{t: t, queue: queue, user: user, name: c.User, need: &c.Need, empty: true}.run(func(r Reason) bool {
		never[r.place()] = true
		return true
	})
	probe{t: t, queue: queue, user: user, name: c.User, need: &c.Need}.run(func(r Reason) bool {
		r.Never = never[r.place()]
		reasons = append(reasons, r)
		return true
	})
	return reasons
}

// Allows reports whether nothing stands in the way of one gang of c: whether c's
// queue exists and Admits would be empty, without the cost of telling why.
func (t *Tree) Allows(c Claim) bool {
	queue, err := t.find(c.Queue)
	if err != nil {
		return false
	}
	return c.Repair || !t.nodes[queue].rules.bound || t.open(queue, c.User, c.Need)
}

// open asks the limits that bind a queue.
func (t *Tree) open(queue int32, name string, need core.Vector) bool {
	user, ok := t.known[name]
	if !ok {
		user = none
	}
	return probe{t: t, queue: queue, user: user, need: &need}.run(stop)
}

// place is r without amounts.
func (r Reason) place() Reason {
	return Reason{Kind: r.Kind, Queue: r.Queue, User: r.User, Resource: r.Resource}
}

// Check refuses a new claim: because of its queue, as Resolve does; because as
// many wait as may; or because its queue could never admit it. The error is a
// *core.Error that a user can act on.
func (t *Tree) Check(c Claim, dims *core.Dimensions) error {
	if _, err := t.Resolve(c.Queue); err != nil {
		return err
	}
	queue, _ := t.find(c.Queue)
	for i := queue; i != none; i = t.nodes[i].parent {
		r := t.nodes[i].rules
		if r.MaxPending > 0 && t.nodes[i].pending+max(c.Count, 1) > r.MaxPending {
			return &core.Error{Kind: core.Denied, What: fmt.Sprintf("queue %q holds %d of at most %d that may wait", r.Name, t.nodes[i].pending, r.MaxPending),
				Where: "metadata.queue", Remedy: "submit again when some have started, or cancel some"}
		}
	}
	for _, r := range t.Admits(c) {
		if r.Never {
			return &core.Error{Kind: core.Unplaceable, What: "the job can never run in this queue: " + r.Text(dims), Where: "metadata.queue",
				Remedy: "ask for less, or use another queue"}
		}
	}
	return nil
}

// probe asks what stands in the way of a need: now, or if nothing ran.
type probe struct {
	t           *Tree
	queue, user int32
	name        string // of the user, for reasons that are read
	need        *core.Vector
	empty       bool
}

// run calls report with each reason until it returns false, and reports whether
// there was none.
func (p probe) run(report func(Reason) bool) bool {
	ok := true
	tell := func(r Reason) bool { ok = false; return report(r) }
	for i := p.queue; i != none; i = p.t.nodes[i].parent {
		if !p.limits(i, tell) || !p.userLimits(i, tell) {
			return false
		}
	}
	draws := p.t.nodes[p.queue].rules.draws
	for d := range p.t.width {
		if draws>>d&1 == 1 && p.need[d] > 0 && !p.quotas(d, tell) {
			return false
		}
	}
	return ok
}

func (p probe) limits(i int32, tell func(Reason) bool) bool {
	n := &p.t.nodes[i]
	r := n.rules
	if r.limit.has == 0 && r.MaxRunning == 0 {
		return true
	}
	used, held, running, heldRun := n.used, n.held, n.running, n.heldRun
	if p.empty {
		used, held, running, heldRun = core.Vector{}, core.Vector{}, 0, 0
	}
	if r.MaxRunning > 0 && running+heldRun+1 > r.MaxRunning &&
		!tell(Reason{Kind: "running", Queue: r.Name, Resource: -1, Limit: int64(r.MaxRunning), Used: int64(running), Held: int64(heldRun), Need: 1}) {
		return false
	}
	return p.caps(&r.limit, &used, &held, Reason{Kind: "limit", Queue: r.Name}, tell)
}

func (p probe) userLimits(i int32, tell func(Reason) bool) bool {
	if !p.t.nodes[i].users {
		return true
	}
	r := p.t.nodes[i].rules
	var b balance
	if a := p.t.accounts[accountOf(i, p.user)]; a != nil && !p.empty {
		b = *a
	}
	if r.MaxPerUser > 0 && b.running+b.heldRun+1 > r.MaxPerUser &&
		!tell(Reason{Kind: "user-running", Queue: r.Name, User: p.name, Resource: -1, Limit: int64(r.MaxPerUser), Used: int64(b.running), Held: int64(b.heldRun), Need: 1}) {
		return false
	}
	return p.caps(&r.maxUser, &b.used, &b.held, Reason{Kind: "user", Queue: r.Name, User: p.name}, tell)
}

// caps compares with limits, resource by resource; r says whose they are.
func (p probe) caps(c *caps, used, held *core.Vector, r Reason, tell func(Reason) bool) bool {
	for d := range p.t.width {
		if c.has>>d&1 == 0 || p.need[d] <= 0 || used[d]+held[d]+p.need[d] <= c.v[d] {
			continue
		}
		r.Resource, r.Limit, r.Used, r.Held, r.Need = d, c.v[d], used[d], held[d], p.need[d]
		if !tell(r) {
			return false
		}
	}
	return true
}

// quotas follows the need for resource d from the queue up to where it is met:
// what a node does not keep for itself comes from its parent.
func (p probe) quotas(d int, tell func(Reason) bool) bool {
	need := p.need[d]
	for i := p.queue; need > 0; i = p.t.nodes[i].parent {
		n := &p.t.nodes[i]
		r := n.rules
		drawn, held := n.drawn[d], n.held[d]
		if p.empty {
			drawn, held = 0, 0
		}
		kind, limit, bound := "borrow", r.share[d]+r.borrow.v[d], r.borrow.has>>d&1 == 1
		if n.parent == none {
			kind, bound = "quota", true
		}
		held = min(held, drawn)
		if bound && drawn+need > limit && !tell(Reason{Kind: kind, Queue: r.Name, Resource: d, Limit: limit, Used: drawn - held, Held: held, Need: need}) {
			return false
		}
		if i == root {
			return true
		}
		need -= min(need, max(0, r.keeps[d]-drawn))
	}
	return true
}
