package gang

import (
	"fmt"
	"strings"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/place"
	"github.com/capstan-run/capstan/core/queue"
)

// Explanation says why a gang, or a rank to be replaced, waits (law G9).
type Explanation struct {
	Gang     ID       `json:"gang"`
	Rank     int      `json:"rank"`  // queue.Whole, or the rank that waits for a new node
	State    string   `json:"state"` // as GangView.State; "unknown" for a gang that is not known
	What     string   `json:"what"`  // the ask in words
	Blockers []string `json:"blockers"`
	// Remedy is the smallest changes that would unblock it, each enough by
	// itself; "" if none is known.
	Remedy string `json:"remedy,omitempty"`
	// Estimate is the latest start, in Unix milliseconds, if every walltime is
	// used in full and nothing more urgent comes; 0 if that cannot be known, or
	// if very many wait before it.
	Estimate int64 `json:"estimate,omitempty"`
	Now      int64 `json:"now"` // when this was so
}

// String is several lines, the first the ask.
func (x Explanation) String() string {
	var b strings.Builder
	b.WriteString(string(x.Gang))
	if x.Rank != queue.Whole {
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
		fmt.Fprintf(&b, "\n  starts within %s", millis(x.Estimate-x.Now))
	}
	return b.String()
}

func millis(ms int64) time.Duration { return time.Duration(ms) * time.Millisecond }

// Waits reports whether the gang, or a rank of it, waits for room.
func (x Explanation) Waits() bool { return len(x.Blockers) > 0 }

// Why explains why a gang, or the first of its ranks to be replaced, waits. If
// nothing of it does, the explanation holds only its state.
func (s *Scheduler) Why(id ID) Explanation {
	g := s.gangs[id]
	if g == nil {
		return Explanation{Gang: id, Rank: queue.Whole, State: "unknown", Now: s.now}
	}
	if i := s.position(g); i >= 0 {
		return s.explain(g, i)
	}
	return Explanation{Gang: id, Rank: queue.Whole, State: string(g.phase), What: g.Request.String(), Now: s.now}
}

// position is the first place in the line of a gang or one of its ranks, or -1.
func (s *Scheduler) position(g *member) int {
	if g.phase == waiting {
		return s.line.Position(g.entry())
	}
	for i := 0; i < s.line.Len() && s.line.At(i).Repair(); i++ {
		if s.line.At(i).Gang == string(g.Gang) {
			return i
		}
	}
	return -1
}

// explain is about the i-th entry of the line, which is g's.
func (s *Scheduler) explain(g *member, i int) Explanation {
	e := s.line.At(i)
	ask := g.claim(e)
	x := Explanation{Gang: g.Gang, Rank: e.Rank, State: string(g.phase), What: g.Request.String(), Now: s.now}
	if e.Repair() {
		x.What = fmt.Sprintf("a new node for 1 x (%s)", g.Each)
	}
	if ahead := s.ahead(i); ahead != "" {
		x.Blockers = append(x.Blockers, ahead)
	}
	for _, b := range place.Explain(s.fleet.nodes(), ask) {
		x.Blockers = append(x.Blockers, b.String())
	}
	if s.stalled(e) {
		x.Blockers = append(x.Blockers, "the nodes that are up could not hold it even if they were empty")
	}
	x.Remedy = strings.Join(s.changes(g, e, ask), ", or ")
	x.Estimate = s.estimate(e)
	return x
}

// ahead names who holds up the i-th entry: the one that waits for room and all
// behind it. Those before it are stalled and hold up nobody (law G4).
func (s *Scheduler) ahead(i int) string {
	first := s.head()
	if i <= first {
		return ""
	}
	e := s.line.At(first)
	if e.Repair() {
		return fmt.Sprintf("%d ahead in line, first the repair of %s rank %d", i-first, e.Gang, e.Rank)
	}
	return fmt.Sprintf("%d ahead in line, first %s (priority %d)", i-first, e.Gang, e.Priority)
}

// head is the position of the entry that waits for room; past the end if none
// does.
func (s *Scheduler) head() int {
	if s.stuck == nil {
		return s.line.Len()
	}
	return s.line.Position(*s.stuck)
}

// changes lists what would let e run now, were it at the head.
func (s *Scheduler) changes(g *member, e queue.Entry, ask place.Ask) []string {
	nodes := s.fleet.nodes()
	if place.Fits(nodes, ask) {
		return nil // only those ahead are in the way
	}
	var out []string
	if id, need, ok := place.Relief(nodes, ask); ok {
		out = append(out, fmt.Sprintf("%s freed on node %s", place.Amount(need), id))
	}
	if other := s.blocker(g, ask); other != nil {
		out = append(out, fmt.Sprintf("the end of %s", other.Gang))
	}
	if !e.Repair() {
		out = append(out, place.Shrink(nodes, ask)...)
	}
	return out
}

// blocker is a gang other than self whose end alone would make room: the one
// that holds the fewest ranks, then the first by ID. It tries a bounded number
// of them.
func (s *Scheduler) blocker(self *member, ask place.Ask) *member {
	const tries = 64
	var best *member
	after := s.fleet.sketch()
	tried := 0
	for _, g := range s.ordered() {
		if g == self || g.phase == waiting || best != nil && g.Size >= best.Size {
			continue
		}
		if tried++; tried > tries {
			break
		}
		held := g.held()
		after.give(held, g.Each)
		if place.Fits(after.nodes, ask) {
			best = g
		}
		after.take(held, g.Each)
	}
	return best
}

// held is the node of each living rank.
func (g *member) held() []core.NodeID {
	held := make([]core.NodeID, 0, len(g.nodes))
	for rank, id := range g.nodes {
		if !g.lost[rank] {
			held = append(held, id)
		}
	}
	return held
}

// tooLarge refuses q, which all nodes, empty, could not hold: ever looks at
// them so.
func tooLarge(q Request, nodes []place.Node, ever place.Ask) Refuse {
	var total core.Resources
	for i := range nodes {
		total = total.Add(nodes[i].Capacity)
	}
	where := fmt.Sprintf("%d nodes", len(nodes))
	if len(nodes) == 1 {
		where = "1 node"
	}
	changes := place.Shrink(nodes, ever)
	r := Refuse{
		Gang: q.Gang,
		Kind: core.Unplaceable,
		Why:  fmt.Sprintf("%s is larger than the cluster (%s on %s)", q, total, where),
	}
	if q.Placement != (core.PlacementAsk{}) {
		r.Why = fmt.Sprintf("%s does not fit the cluster (%s on %s)", q, total, where)
		r.Why += ": " + place.Explain(nodes, ever)[0].Reason
	}
	if len(changes) > 0 {
		// "size 2 would fit, or size 16 with cpu 125m"
		changes[0] += " would fit"
		r.Remedy = strings.Join(changes, ", or ")
	}
	return r
}
