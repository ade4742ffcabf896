package gang

import (
	"fmt"
	"strings"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/place"
	"github.com/capstan-run/capstan/core/queue"
)

// Whole is the Rank of an explanation about a whole gang.
const WholeGang = -1

// Explanation says why a gang, or a rank to be replaced, waits (law G9).
type Explanation struct {
	Gang     ID       `json:"gang"`
	Rank     int      `json:"rank"`  // WholeGang, or the rank that waits for a new node
	State    string   `json:"state"` // as GangView.State; "unknown" for a gang that is not known
	What     string   `json:"what"`  // the ask in words
	Blockers []string `json:"blockers"`
	// Ahead is who is before it in line, the next first; at most 10 of them.
	Ahead []Neighbour `json:"ahead,omitempty"`
	// Remedy is the smallest changes that would unblock it, each enough by
	// itself; "" if none is known.
	Remedy string `json:"remedy,omitempty"`
	// Estimate is when it starts, in Unix milliseconds, if every walltime is
	// used in full and nothing more urgent comes. 0 if that cannot be known, or
	// if very many wait before it.
	Estimate int64 `json:"estimate,omitempty"`
	// Promise is the start that was quoted first, at the latest: nobody who is
	// not more urgent is let pass beyond that. 0 for none.
	Promise int64 `json:"promise,omitempty"`
	Now     int64 `json:"now"` // when this was so
}

// Neighbour is a gang before another in line, and why it is.
type Neighbour struct {
	Gang   ID     `json:"gang"`
	Reason string `json:"reason"`
}

// String is several lines, the first the ask.
func (x Explanation) String() string {
	var b strings.Builder
	b.WriteString(string(x.Gang))
	if x.Rank != WholeGang {
		fmt.Fprintf(&b, " rank %d", x.Rank)
	}
	if !x.Waits() {
		fmt.Fprintf(&b, " is %s", x.State)
		return b.String()
	}
	fmt.Fprintf(&b, " waits: %s", x.What)
	for _, s := range x.Blockers {
		b.WriteString("\n  " + s)
	}
	if x.Remedy != "" {
		b.WriteString("\n  would do: " + x.Remedy)
	}
	if x.Estimate != 0 {
		fmt.Fprintf(&b, "\n  starts within %s", roughly(x.Estimate-x.Now))
	}
	switch {
	case x.Promise > x.Now:
		fmt.Fprintf(&b, "\n  promised within %s", roughly(x.Promise-x.Now))
	case x.Promise != 0:
		fmt.Fprintf(&b, "\n  was promised a start %s ago", roughly(x.Now-x.Promise))
	}
	return b.String()
}

func millis(ms int64) time.Duration { return time.Duration(ms) * time.Millisecond }

// roughly is a time span for people.
func roughly(ms int64) time.Duration {
	if d := millis(ms); d > time.Minute {
		return d.Round(time.Second)
	}
	return millis(ms)
}

// Waits reports whether the gang, or a rank of it, waits for room.
func (x Explanation) Waits() bool { return len(x.Blockers) > 0 }

// Why explains why a gang, or the first of its ranks to be replaced, waits. If
// nothing of it does, the explanation holds only its state.
func (s *Scheduler) Why(id ID) Explanation {
	x := s.reasons(id)
	if g := s.gangs[id]; g != nil && g.inLine && s.licensed(g) { // when a licence comes free nobody knows
		x.Estimate = s.estimate(g)
	}
	return x
}

// reasons is Why without the estimate, which costs a plan of all before it.
func (s *Scheduler) reasons(id ID) Explanation {
	g := s.gangs[id]
	if g == nil {
		return Explanation{Gang: id, Rank: WholeGang, State: "unknown", Now: s.now}
	}
	x := Explanation{Gang: id, Rank: WholeGang, State: string(g.phase), What: g.Request.String(), Now: s.now, Promise: g.promise}
	switch {
	case g.phase == held:
		x.Blockers = s.holds(g)
	case g.phase == waiting && g.inLine:
		s.explain(&x, g)
	case g.phase == waiting:
		x.Blockers = s.arrayBlockers(g)
	default:
		s.explainRepair(&x, g)
	}
	return x
}

// arrayBlockers says why no further element of g is in line.
func (s *Scheduler) arrayBlockers(g *member) []string {
	if g.array == nil || len(g.array.waits) == 0 {
		return nil
	}
	if most := g.Array.AtOnce; most > 0 && g.array.granted >= most {
		return []string{fmt.Sprintf("%d of its elements run, and no more than %d may at once", g.array.granted, most)}
	}
	return []string{"the elements it waits for have not ended yet"}
}

// explain is about a gang in line.
func (s *Scheduler) explain(x *Explanation, g *member) {
	q := g.ask.Claim
	q.Avoid, q.Job = g.avoid, s.beside(g)
	_, q.Relax = g.relaxation(s.now)
	x.Ahead = s.ahead(g)
	if n := s.position(g); n > 0 && len(x.Ahead) > 0 {
		if len(x.Ahead) < maxAhead {
			n = len(x.Ahead)
		}
		x.Blockers = append(x.Blockers, fmt.Sprintf("%d ahead in line, first %s (%s)", n, x.Ahead[0].Gang, x.Ahead[0].Reason))
	}
	if s.standsBack(g) {
		x.Blockers = append(x.Blockers, s.behind(g))
	}
	for _, reason := range s.tree.Admits(s.claim(g)) {
		x.Blockers = append(x.Blockers, reason.Text(s.fleet.Kinds()))
	}
	x.Blockers = append(x.Blockers, s.unlicensed(g)...)
	if why := s.reservationPends(g); why != "" {
		x.Blockers = append(x.Blockers, why)
	}
	room := len(x.Blockers)
	for _, b := range s.fleet.Explain(&q) {
		x.Blockers = append(x.Blockers, b.String())
	}
	if s.displaces(g) {
		x.Blockers = append(x.Blockers, "others have been told to make room for it")
	}
	if len(x.Blockers) == room && g.Reservation == "" {
		if kept := s.keptFrom(g, q); kept != "" {
			x.Blockers = append(x.Blockers, kept)
		}
	}
	if s.crowded(g) {
		x.Blockers = append(x.Blockers, "its own job keeps it out, with gangs that run without an end; nobody waits for it")
	} else if !s.couldRun(g) {
		x.Blockers = append(x.Blockers, "the nodes that are up could not hold it even if they were empty")
	}
	x.Remedy = strings.Join(s.changes(g, q, true), ", or ")
	if len(x.Blockers) == 0 {
		x.Blockers = []string{"it has not been looked at yet"}
	}
}

// keptFrom says for whom the room that g could have is kept.
func (s *Scheduler) keptFrom(g *member, q place.Claim) string {
	if s.plan.shut {
		return "whoever is before it in line waits for room on all nodes"
	}
	q.Limit = s.plan.limits(s, s.now, g.endIf(s.now), g)
	if _, ok := s.fleet.Choose(&q); ok {
		return ""
	}
	for _, b := range s.plan.booked {
		if b.name != "" && !b.over(s.now, g.endIf(s.now)) {
			return fmt.Sprintf("nodes are kept for reservation %s, which begins in %s", b.name, millis(max(0, b.from-s.now)))
		}
		if b.gang != nil && b.gang != g {
			until := "for as long as it may run"
			if g.Walltime == 0 {
				until = "as it has no walltime; with one it could run before"
			}
			return fmt.Sprintf("the room there is is kept for %d before it, first %s, %s", len(s.plan.booked), b.gang.Gang, until)
		}
	}
	return "the room there is is kept for a repair"
}

// explainRepair is about the first rank of g that waits for a new node.
func (s *Scheduler) explainRepair(x *Explanation, g *member) {
	for i, v := range s.repairs {
		if v.gang != g {
			continue
		}
		q := s.repairAsk(v)
		x.Rank, x.What = v.rank, fmt.Sprintf("a new node for 1 x (%s)", s.fleet.Amount(g.shape(v.rank)).Resources())
		if i > 0 {
			first := s.repairs[0]
			x.Blockers = append(x.Blockers, fmt.Sprintf("%d ahead in line, first the repair of %s rank %d", i, first.gang.Gang, first.rank))
		}
		for _, b := range s.fleet.Explain(&q) {
			x.Blockers = append(x.Blockers, b.String())
		}
		q.View = place.Empty
		if !s.fleet.Fits(&q) {
			x.Blockers = append(x.Blockers, "the nodes that are up could not hold it even if they were empty")
		}
		q.View = place.Present
		x.Remedy = strings.Join(s.changes(g, q, false), ", or ")
		return
	}
}

// position is how many are before g in line; -1 if it is not there.
func (s *Scheduler) position(g *member) int {
	for i, v := range s.repairs {
		if v.gang == g {
			return i
		}
	}
	if !g.inLine {
		return -1
	}
	n, ok := s.tree.Position(g.number)
	if !ok {
		return -1
	}
	return n + len(s.repairs)
}

// maxAhead bounds how many neighbours an explanation names.
const maxAhead = 10

// ahead names who is before g in line.
func (s *Scheduler) ahead(g *member) []Neighbour {
	var out []Neighbour
	for _, v := range s.repairs {
		if len(out) < maxAhead {
			out = append(out, Neighbour{v.gang.Gang, fmt.Sprintf("the repair of its rank %d", v.rank)})
		}
	}
	s.tree.Each(s.now, func(id uint64) bool {
		v := s.byNumber[id]
		if v == g || len(out) == maxAhead {
			return false
		}
		if s.couldRun(v) { // who cannot holds up nobody
			out = append(out, Neighbour{v.Gang, v.before(g)})
		}
		return true
	})
	return out
}

// before says why v is before g.
func (v *member) before(g *member) string {
	switch {
	case v.Priority > g.Priority:
		return fmt.Sprintf("priority %d", v.Priority)
	case v.Queue != g.Queue:
		return fmt.Sprintf("queue %s has the smaller share", v.Queue)
	case v.Priority < g.Priority:
		return fmt.Sprintf("priority %d, and waits for very long", v.Priority)
	case v.User != g.User && v.number > g.number:
		return fmt.Sprintf("user %s has the smaller share", v.User)
	}
	return fmt.Sprintf("priority %d", v.Priority)
}

// changes lists what would let q be placed now, were it at the head.
func (s *Scheduler) changes(g *member, q place.Claim, fresh bool) []string {
	if _, ok := s.fleet.Choose(&q); ok {
		return nil // only those ahead are in the way
	}
	var out []string
	if n, need, ok := s.fleet.Relief(&q); ok {
		out = append(out, fmt.Sprintf("%s freed on node %s", s.fleet.Words(need), n))
	}
	if other := s.blocker(g, q); other != nil {
		out = append(out, fmt.Sprintf("the end of %s", other.Gang))
	}
	if fresh {
		out = append(out, s.fleet.Shrink(&q)...)
	}
	return out
}

// blocker is a gang other than self whose end alone would make room: the one
// that holds the fewest ranks, then the first by number. It tries a bounded
// number of them.
func (s *Scheduler) blocker(self *member, q place.Claim) *member {
	const tries = 64
	var best *member
	after := s.fleet.Future()
	defer after.Done()
	view := after.Watch(&q)
	for i, g := range s.granted.list {
		if i == tries {
			break
		}
		if g == self || best != nil && len(g.nodes) >= len(best.nodes) {
			continue
		}
		g.giveAll(after)
		if view.Roomy() {
			if _, ok := view.Choose(&q); ok {
				best = g
			}
		}
		g.takeAll(after)
	}
	return best
}

// Check tells whether a request would be refused at once, whatever waits.
func (s *Scheduler) Check(q Request) (Refuse, bool) {
	_, refuse, no := s.check(&q)
	return refuse, no
}

// check is Check and what q asks, nil if it was refused before that was looked up.
func (s *Scheduler) check(q *Request) (*ask, Refuse, bool) {
	if why := q.malformed(); why != "" {
		return nil, Refuse{Gang: q.Gang, Kind: core.Invalid, Why: why}, true
	}
	if q.When.Deadline != 0 && s.now > q.When.Deadline-q.Walltime {
		return nil, tooLate(q), true
	}
	if refuse, no := s.unoffered(q); no {
		return nil, refuse, true
	}
	a, err := s.asks.of(q, s.fleet)
	if err != nil {
		return nil, Refuse{Gang: q.Gang, Kind: core.Invalid, Why: err.Error(), Remedy: "see gang.constraints and gang.generic"}, true
	}
	c := queue.Claim{Queue: q.Queue, User: q.User, Need: a.need, Count: 1}
	if q.Array != nil {
		c.Count = q.Array.Len()
	}
	if err := s.tree.Check(c, s.fleet.Kinds()); err != nil {
		e := core.AsError(err)
		return a, Refuse{Gang: q.Gang, Kind: e.Kind, Why: e.What, Remedy: e.Remedy}, true
	}
	if s.described == 0 || s.asked(a, &a.ever, place.Ever) {
		return a, Refuse{}, false
	}
	return a, s.tooLarge(q, a), true
}

// nodeCount is "1 node", "12 nodes".
func (s *Scheduler) nodeCount() string {
	if s.fleet.Len() == 1 {
		return "1 node"
	}
	return fmt.Sprintf("%d nodes", s.fleet.Len())
}

// tooLarge refuses q, which all nodes, empty, could not hold.
func (s *Scheduler) tooLarge(q *Request, a *ask) Refuse {
	where := s.nodeCount()
	c := a.Claim
	c.View = place.Ever
	changes := s.fleet.Shrink(&c)
	r := Refuse{
		Gang: q.Gang,
		Kind: core.Unplaceable,
		Why:  fmt.Sprintf("%s is larger than the cluster (%s on %s)", q.String(), s.total.Resources(), where),
	}
	if why := s.fleet.Explain(&c); len(why) > 0 && (q.Placement != (core.PlacementAsk{}) || len(q.Constraints)+len(q.Generic)+len(q.Roles) > 0) {
		r.Why = fmt.Sprintf("%s does not fit the cluster (%s on %s): %s", q.String(), s.total.Resources(), where, why[0].Reason)
	}
	if len(changes) > 0 {
		// "size 2 would fit, or size 16 with cpu 125m"
		changes[0] += " would fit"
		r.Remedy = strings.Join(changes, ", or ")
	}
	return r
}
