package gang

import (
	"math"
	"math/bits"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/place"
)

// supply is for how many ranks of each ask in line there is room, node by node
// and in domains that can hold the gang, as what runs now ends. It is worked out
// as far as somebody asks, for what ran when the pass began: room only grows.
//
// What is planned has no nodes yet. It counts as the share of the cluster that it
// takes, so that among gangs of one ask the count is exact, and among others as
// good as they pack.
type supply struct {
	later  *place.Future // nil if nobody is in line
	ends   []moment      // of what ran
	next   int           // the first of ends that is not given back yet
	offers map[*ask]*offer
	list   []*offer // the same, in order
	effort int
}

// offer is the room for one ask: from each moment on there is room for the gang
// beside so much that is planned, in shares. Both rise.
type offer struct {
	view  *place.Prospect
	least int64 // ranks of the gang
	share int64 // what a rank takes of the cluster, in parts of whole
	room  int64 // ranks, from the last moment on
	at    []int64
	most  []int64 // -1: no room for the gang by itself
}

// whole is the whole cluster, in shares. Shares are cut to integers, and so
// compare to an 1/exactness of a rank.
const (
	whole     = 1 << 40
	exactness = 16
)

// open begins a pass for the gangs in line, each ask once.
func (u *supply) open(s *Scheduler, line []*member) {
	u.close()
	if len(line) == 0 {
		return
	}
	if u.offers == nil {
		u.offers = map[*ask]*offer{}
	}
	u.later = s.fleet.Future()
	u.ends, u.next = append(u.ends[:0], s.plan.ends...), 0
	for _, g := range line {
		if u.offers[g.ask] != nil || len(g.ask.Roles) > 1 {
			continue // the roles of a gang compete for nodes
		}
		q := g.ask.Claim
		q.Relax = levels
		o := &offer{view: u.later.Watch(&q), least: int64(g.ask.Roles[0].Min), share: s.shares(g.ask).rank}
		o.add(s.now, o.view.Room())
		u.offers[g.ask] = o
		u.list = append(u.list, o)
		u.effort += watchCost + s.fleet.Len()/watchedPerLook
	}
}

// close ends a pass.
func (u *supply) close() {
	if u.later != nil {
		u.later.Done()
		u.later = nil
	}
	clear(u.offers)
	clear(u.list)
	u.list = u.list[:0]
}

// shares is what a takes of the cluster as it is.
func (s *Scheduler) shares(a *ask) shares {
	if a.share.open == s.open {
		return a.share
	}
	v := shares{open: s.open}
	for i, role := range a.Roles {
		share := shareOf(s.fleet.Amount(role.Shape), s.open)
		v.gang += share * int64(role.Size)
		if i == 0 {
			v.rank = share
		}
	}
	a.share = v
	return v
}

// keep notes that nodes are about to change.
func (u *supply) keep(nodes []place.Ref) {
	if u.later != nil {
		u.later.Keep(nodes)
	}
}

// shareOf is the largest part of the cluster's open resources that a rank takes.
func shareOf(each, open core.Vector) int64 {
	share := int64(0)
	for d, n := range each {
		if n <= 0 {
			continue
		}
		if open[d] <= n {
			return whole
		}
		hi, lo := bits.Mul64(uint64(n), whole)
		q, _ := bits.Div64(hi, lo, uint64(open[d]))
		share = max(share, int64(q))
	}
	return share
}

// add notes for how many ranks there is room from a moment on.
func (o *offer) add(at, room int64) {
	o.room = room
	most := int64(-1)
	if beside := room - o.least; beside >= 0 {
		hi, lo := bits.Mul64(uint64(beside), uint64(o.share))
		if most = math.MaxInt64; hi == 0 && lo < math.MaxInt64-whole {
			most = int64(lo) + o.share/exactness
		}
	}
	o.at, o.most = append(o.at, at), append(o.most, most)
}

// lookout asks for one gang, of moments that rise, whether it has room.
type lookout struct {
	u     *supply
	o     *offer // nil: nothing is known that could say no
	i     int    // the last of the offer's moments that has come
	most  int64  // of that moment
	until int64  // when it is over, as far as is known
}

// lookout is that for a gang of an ask.
func (u *supply) lookout(a *ask) lookout {
	o := u.offers[a]
	if o == nil || o.share == 0 {
		return lookout{most: math.MaxInt64, until: math.MaxInt64}
	}
	return lookout{u: u, o: o, most: -1}
}

// holds reports whether the gang has room at a moment beside what is planned,
// which takes so much of the cluster.
func (v *lookout) holds(at, planned int64) bool {
	return at < v.until && planned <= v.most || v.look(at, planned)
}

// look is holds where what is known of the moment before does not do.
func (v *lookout) look(at, planned int64) bool {
	o := v.o
	if o == nil {
		return true
	}
	for planned > o.most[len(o.most)-1] {
		if !v.u.extend(at) {
			return false
		}
	}
	for v.i+1 < len(o.at) && o.at[v.i+1] <= at {
		v.i++
	}
	v.most, v.until = o.most[v.i], math.MaxInt64
	if v.i+1 < len(o.at) {
		v.until = o.at[v.i+1]
	}
	return planned <= v.most
}

// extend gives back what ends next, if it ends by a moment.
func (u *supply) extend(by int64) bool {
	if u.next == len(u.ends) || u.ends[u.next].at > by {
		return false
	}
	at := u.ends[u.next].at
	for ; u.next < len(u.ends) && u.ends[u.next].at == at; u.next++ {
		g := u.ends[u.next].gang
		g.giveAll(u.later)
		u.effort += runCost * len(g.lie()) * (1 + len(u.list))
	}
	for _, o := range u.list {
		if n := o.view.Room(); n > o.room {
			o.add(at, n)
		}
	}
	return true
}
