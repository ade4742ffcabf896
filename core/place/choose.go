package place

import (
	"cmp"
	"slices"

	"github.com/capstan-run/capstan/core"
)

// Ask is what to place.
type Ask struct {
	Size   int // ranks, at least 1
	Each   core.Resources
	Policy core.PlacementAsk
	// Beside are nodes that hold members of the same gang already. Pack stays
	// in their domain, spread keeps out of theirs, and neither goes as near as
	// it can to the first of them in topology order. Those that are not among
	// the nodes are passed over.
	Beside []core.NodeID
	// View is which state of the nodes to look at. Default Present.
	View View
	// Avoid are nodes to use only if there is no placement without them.
	Avoid []core.NodeID
}

// Choose returns the index in nodes of each rank's node, ascending, or false
// if there is no placement. nodes are in topology order; they are only read.
func Choose(nodes []Node, ask Ask) ([]int, bool) {
	f := survey(nodes, ask)
	if len(ask.Avoid) > 0 {
		g := f.without(ask.Avoid)
		if chosen, ok := g.choose(); ok {
			return chosen, true
		}
	}
	return f.choose()
}

// field is the nodes as one ask sees them.
type field struct {
	nodes []Node
	ask   Ask
	room  []int  // by node: ranks that fit
	out   []bool // by node: ruled out by the members in place; nil for none
	near  int    // the node to stay near, -1 for any
}

// survey counts the room of every node. Nodes that the members in place rule
// out have none.
func survey(nodes []Node, ask Ask) *field {
	f := &field{nodes: nodes, ask: ask, room: make([]int, len(nodes)), near: -1}
	for i := range nodes {
		if f.closed(i) == "" {
			f.room[i] = room(f.free(i), ask.Each)
		}
	}
	if len(ask.Beside) > 0 {
		f.keep()
	}
	return f
}

// free is what node i has free in the ask's view.
func (f *field) free(i int) core.Resources {
	if f.ask.View == Present {
		return f.nodes[i].Free
	}
	return f.nodes[i].Capacity
}

// closed is why node i takes no ranks in the ask's view.
func (f *field) closed(i int) string {
	if f.ask.View == Ever {
		return ""
	}
	return f.nodes[i].Closed
}

// keep holds f to what the members in place allow.
func (f *field) keep() {
	beside := make(map[core.NodeID]bool, len(f.ask.Beside))
	for _, id := range f.ask.Beside {
		beside[id] = true
	}
	f.near = slices.IndexFunc(f.nodes, func(n Node) bool { return beside[n.ID] })
	if f.near < 0 || f.ask.Policy == (core.PlacementAsk{}) {
		return
	}
	f.out = make([]bool, len(f.nodes))
	l, packed := levelOf(f.ask.Policy.Pack)
	if !packed {
		l, _ = levelOf(f.ask.Policy.Spread)
	}
	for lo := 0; lo < len(f.nodes); {
		hi := domainEnd(f.nodes, l, lo)
		held := slices.ContainsFunc(f.nodes[lo:hi], func(n Node) bool { return beside[n.ID] })
		if packed {
			held = lo > f.near || f.near >= hi // pack: out is any domain but the one
		}
		for i := lo; i < hi && held; i++ {
			f.out[i], f.room[i] = true, 0
		}
		lo = hi
	}
}

// excluded reports whether members in place rule node i out.
func (f *field) excluded(i int) bool { return f.out != nil && f.out[i] }

// without is f as if the nodes of ids had no room.
func (f *field) without(ids []core.NodeID) *field {
	g := *f
	g.room = slices.Clone(f.room)
	for i := range g.nodes {
		if slices.Contains(ids, g.nodes[i].ID) {
			g.room[i] = 0
		}
	}
	return &g
}

func (f *field) choose() ([]int, bool) {
	if l, ok := levelOf(f.ask.Policy.Spread); ok {
		return f.spread(l)
	}
	top, ok := levelOf(f.ask.Policy.Pack)
	if !ok {
		top = cluster
	}
	if f.near >= 0 {
		return f.around(f.near, top)
	}
	return f.pack(top)
}

// pack places all ranks in one domain of level top or below (law P2).
func (f *field) pack(top level) ([]int, bool) {
	for l := host; l <= top; l++ {
		best, bestEnd, least := -1, 0, 0
		for lo := 0; lo < len(f.nodes); {
			hi := domainEnd(f.nodes, l, lo)
			sum := f.sum(lo, hi)
			if sum >= f.ask.Size && (best < 0 || sum < least) {
				best, bestEnd, least = lo, hi, sum
			}
			lo = hi
		}
		if best >= 0 {
			return f.fill(best, bestEnd), true
		}
	}
	return nil, false
}

// around places all ranks in the lowest domain around node i that has room.
func (f *field) around(i int, top level) ([]int, bool) {
	for l := host; l <= top; l++ {
		lo := i
		for lo > 0 && same(f.nodes, l, lo-1, i) {
			lo--
		}
		hi := domainEnd(f.nodes, l, lo)
		if f.sum(lo, hi) >= f.ask.Size {
			return f.fill(lo, hi), true
		}
	}
	return nil, false
}

func (f *field) sum(lo, hi int) int {
	sum := 0
	for _, r := range f.room[lo:hi] {
		sum += r
	}
	return sum
}

// fill spends the room of nodes lo..hi on all ranks: the roomiest first, and
// for the last ranks the node they fit most tightly. The room must suffice.
func (f *field) fill(lo, hi int) []int {
	size := f.ask.Size
	hosts := make([]int, size+1) // by room, counted up to size
	for _, r := range f.room[lo:hi] {
		hosts[min(r, size)]++
	}
	full := make([]int, size+1) // how many hosts of that room are used up
	rest := size
	for r := size; r > 0; r-- {
		full[r] = min(hosts[r], (rest-1)/r)
		rest -= full[r] * r
		if full[r] < hosts[r] {
			break // the rest fits on one that is left
		}
	}
	chosen := make([]int, 0, size)
	last := -1
	for i := lo; i < hi; i++ {
		r := f.room[i]
		if r < size && full[r] > 0 {
			full[r]--
			chosen = appendTimes(chosen, i, r)
		} else if r >= rest && (last < 0 || r < f.room[last]) {
			last = i
		}
	}
	chosen = appendTimes(chosen, last, rest)
	slices.Sort(chosen)
	return chosen
}

func appendTimes(s []int, v, n int) []int {
	for range n {
		s = append(s, v)
	}
	return s
}

// spread places each rank in a domain of level l of its own (law P3).
func (f *field) spread(l level) ([]int, bool) {
	roomiest := f.roomiest(l)
	if len(roomiest) < f.ask.Size {
		return nil, false
	}
	slices.SortStableFunc(roomiest, func(a, b int) int { return cmp.Compare(f.room[b], f.room[a]) })
	chosen := roomiest[:f.ask.Size]
	slices.Sort(chosen)
	return chosen, true
}

// roomiest is the node with the most room in each domain of level l that has
// any.
func (f *field) roomiest(l level) []int {
	var out []int
	for lo := 0; lo < len(f.nodes); {
		hi := domainEnd(f.nodes, l, lo)
		best := lo
		for i := lo; i < hi; i++ {
			if f.room[i] > f.room[best] {
				best = i
			}
		}
		if f.room[best] > 0 {
			out = append(out, best)
		}
		lo = hi
	}
	return out
}
