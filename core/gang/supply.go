package gang

import (
	"math/bits"
	"sort"

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

// offer is the room for one ask: from each moment on for so many ranks.
type offer struct {
	view  *place.Prospect
	share int64 // what a rank takes of the cluster, in parts of whole
	at    []int64
	room  []int64 // rising
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
		o := &offer{view: u.later.Watch(&q), share: s.shares(g.ask).rank}
		o.at, o.room = append(o.at, s.now), append(o.room, o.view.Room())
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

// holds reports whether a gang of an ask has room at a moment beside what is
// planned, which takes so much of the cluster.
func (u *supply) holds(a *ask, at, planned int64) bool {
	o := u.offers[a]
	if o == nil || o.share == 0 {
		return true
	}
	ranks := int64(a.Roles[0].Min)
	if more := planned - o.share/exactness; more > 0 {
		ranks += (more + o.share - 1) / o.share
	}
	for {
		i := sort.Search(len(o.room), func(i int) bool { return o.room[i] >= ranks })
		if i < len(o.room) {
			return o.at[i] <= at
		}
		if !u.extend(at) {
			return false
		}
	}
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
		if n := o.view.Room(); n > o.room[len(o.room)-1] {
			o.at, o.room = append(o.at, at), append(o.room, n)
		}
	}
	return true
}
