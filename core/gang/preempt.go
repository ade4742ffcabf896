package gang

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/place"
	"github.com/capstan-run/capstan/core/queue"
)

// displacement is room that others make for a gang: it keeps the nodes until
// the gang starts, or until everybody had time to go.
type displacement struct {
	by    *member
	nodes []place.Ref
	until int64
}

// victim is ranks first, first+1, … of a gang that could give way: its last
// ones, which it can do without, or the others and so the gang.
type victim struct {
	gang  *member
	first int
	end   int
	lost  int64 // work, in milliseconds of a thousandth of a core
}

// minute is the window of Config.Evictions.
const minute = 60_000

// preempt makes room for gangs that may displace others: the first of each
// queue, the most urgent first.
func (s *Scheduler) preempt(r *Result) {
	s.forgetEvictions()
	if !s.tree.Preempts() {
		return
	}
	heads := s.tree.Heads()
	s.effort += headCost * len(heads)
	slices.SortStableFunc(heads, func(a, b queue.Claim) int {
		return cmp.Or(cmp.Compare(b.Priority, a.Priority), cmp.Compare(a.Arrival, b.Arrival))
	})
	for _, c := range heads {
		g := s.byNumber[c.ID]
		if s.standsBack(g) || !s.licensed(g) || s.reservationPends(g) != "" || s.displaces(g) || g.tried == s.attempt() {
			continue
		}
		g.tried = s.attempt()
		s.displace(g, c, r)
	}
}

// attempt changes whenever trying to displace may have another outcome.
func (s *Scheduler) attempt() uint64 { return s.granted.version + s.topology }

// endDisplacements forgets those that are over, or whose gang waits no more.
func (s *Scheduler) endDisplacements() {
	s.displacing = slices.DeleteFunc(s.displacing, func(d displacement) bool {
		return d.by.phase != waiting || d.by.gone || d.until <= s.now
	})
}

func (s *Scheduler) displaces(g *member) bool {
	return slices.ContainsFunc(s.displacing, func(d displacement) bool { return d.by == g })
}

// displace makes room for g, if gangs that it may displace hold enough: it
// takes the cheapest of them, and leaves out again whoever turns out not to be
// in the way.
func (s *Scheduler) displace(g *member, c queue.Claim, r *Result) {
	list := s.victims(g, c)
	if len(list) == 0 {
		return
	}
	t := s.newTrial(g, c, list)
	defer t.end()
	n, ok := t.least()
	if !ok {
		return
	}
	chosen := t.contract(n)
	if len(chosen) == 0 {
		return // not nodes are in its way, but those before it
	}
	if n := len(s.evictions); n > 0 && n+len(chosen) > s.config.Evictions {
		s.wakes.add(s.evictions[0] + minute)
		return
	}
	choice, _ := t.fleet.Choose(&t.claim)
	t.end()
	s.evict(g, chosen, distinct(choice.Nodes), r)
}

// serveDisplacers starts the gangs that others have made room for, whoever is
// before them in line: else they went in vain.
func (s *Scheduler) serveDisplacers(r *Result) {
	for _, d := range slices.Clone(s.displacing) {
		if g := d.by; g.inLine && len(s.tree.Admits(s.claim(g))) == 0 {
			s.serve(g, nil, r)
		}
	}
}

// victims lists what g may displace, the cheapest first: ranks that a gang can
// do without, then gangs of low priority, seldom displaced, with little work
// lost.
func (s *Scheduler) victims(g *member, c queue.Claim) []victim {
	var list []victim
	for _, d := range s.tree.Reclaimable(c) {
		list = s.victimsIn(list, g, d.Queue, d.Lower)
	}
	if s.tree.MayPreempt(c.Queue) {
		list = s.victimsIn(list, g, c.Queue, true)
	}
	s.effort += trialCost * len(list)
	slices.SortFunc(list, func(a, b victim) int {
		return cmp.Or(
			cmp.Compare(min(a.first, 1)*-1, min(b.first, 1)*-1),
			cmp.Compare(a.gang.Priority, b.gang.Priority),
			cmp.Compare(a.gang.evicted, b.gang.evicted),
			cmp.Compare(a.lost, b.lost),
			cmp.Compare(b.gang.number, a.gang.number),
		)
	})
	return list
}

// victimsIn appends the gangs of a queue that g could displace, if they have to
// be of lower priority only those.
func (s *Scheduler) victimsIn(list []victim, g *member, queue string, lower bool) []victim {
	s.effort += len(s.granted.byQueue[queue])
	for _, v := range s.granted.byQueue[queue] {
		if lower && v.Priority >= g.Priority || v.shrink != nil || v.phase != running && v.phase != starting {
			continue
		}
		lost := int64(0)
		if v.phase == running {
			lost = (s.now - v.since) * v.counted[0]
		}
		least := len(v.nodes)
		if v.elastic() && v.phase == running && v.leastSize() < least {
			least = v.leastSize()
			list = append(list, victim{gang: v, first: least, end: len(v.nodes)})
		}
		list = append(list, victim{v, 0, least, lost})
	}
	return list
}

// evict gives notice to victims, and keeps nodes for g meanwhile.
func (s *Scheduler) evict(g *member, chosen []victim, nodes []place.Ref, r *Result) {
	reason := fmt.Sprintf("%s of priority %d needs the room", g.Gang, g.Priority)
	if g.queue != chosen[0].gang.queue {
		reason = fmt.Sprintf("queue %s takes back its quota for %s", g.queue, g.Gang)
	}
	d := displacement{by: g, nodes: nodes, until: s.now + 1}
	whole := map[*member]bool{}
	for _, v := range chosen {
		whole[v.gang] = whole[v.gang] || v.first == 0
	}
	for _, v := range chosen {
		d.until = max(d.until, s.now+max(0, v.gang.Grace)+minute)
		switch {
		case v.first > 0 && !whole[v.gang]:
			s.shrinkTo(v.gang, v.first, reason, r)
		case v.first > 0:
		case v.gang.phase == starting || v.gang.Grace < 0:
			v.gang.evicted++
			s.setBack(v.gang)
			s.revoke(v.gang, reason, r)
		default:
			v.gang.evicted++
			s.setBack(v.gang)
			v.gang.phase = leaving
			s.setDue(v.gang, earlier(s.now+v.gang.Grace, v.gang.wallEnd()))
			r.Actions = append(r.Actions, GiveWay{v.gang.Gang, v.gang.lease, s.now + v.gang.Grace, reason})
		}
		s.evictions = append(s.evictions, s.now)
	}
	s.displacing = append(s.displacing, d)
	s.wakes.add(d.until)
	s.plan.keep(&booking{gang: g, from: s.now, until: forever}, nodes)
	s.moved = true // those that went at once have made room
}

// forgetEvictions drops those of more than a minute ago, after which others may
// have to give way.
func (s *Scheduler) forgetEvictions() {
	n := len(s.evictions)
	s.evictions = slices.DeleteFunc(s.evictions, func(at int64) bool { return at <= s.now-minute })
	if len(s.evictions) < n {
		s.granted.version++
	}
}

// trial is a world in which victims are gone.
type trial struct {
	s     *Scheduler
	claim place.Claim
	queue queue.Claim
	fleet *place.Fleet
	list  []victim
	gone  []bool
	ended bool
}

func (s *Scheduler) newTrial(g *member, c queue.Claim, list []victim) *trial {
	t := &trial{s: s, queue: c, list: list, gone: make([]bool, len(list)), fleet: s.fleet.Clone()}
	t.claim = g.ask.Claim
	t.claim.Avoid, t.claim.Job = g.avoid, s.beside(g)
	_, t.claim.Relax = g.relaxation(s.now)
	t.claim.Limit = slices.Clone(s.plan.foreignLimits(s, g))
	return t
}

// set puts victim i out of the trial's world, or back.
func (t *trial) set(i int, gone bool) {
	if t.gone[i] == gone {
		return
	}
	t.gone[i] = gone
	v := t.list[i]
	v.gang.runs(v.first, v.end, func(n place.Ref, shape place.ShapeID, ranks int) {
		if gone {
			t.fleet.Give(n, shape, ranks)
		} else {
			t.fleet.Take(n, shape, ranks)
		}
	})
	t.charge(v, gone)
}

// charge takes what a victim holds off its queue, or puts it back.
func (t *trial) charge(v victim, gone bool) {
	c := v.gang.charged()
	c.Need = t.s.amount(v.gang, v.first, v.end)
	switch {
	case v.first > 0 && gone:
		t.s.tree.Resize(c, core.Vector{}.Sub(c.Need))
	case v.first > 0:
		t.s.tree.Resize(c, c.Need)
	case gone:
		t.s.tree.Refund(c)
	default:
		_ = t.s.tree.Charge(c) // of a queue that is gone nobody keeps count
	}
}

func (t *trial) end() {
	if t.ended {
		return
	}
	t.ended = true
	for i := range t.list {
		t.set(i, false)
	}
}

// fits reports whether the gang could start in the trial's world.
func (t *trial) fits() bool {
	return t.s.tree.Allows(t.queue) && t.fleet.Fits(&t.claim)
}

// least is how many of the first victims are enough: with more of them gone
// there is never less room.
func (t *trial) least() (int, bool) {
	lo, hi := 1, len(t.list)
	if !t.prefix(hi) {
		return 0, false
	}
	for lo < hi {
		mid := (lo + hi) / 2
		if t.prefix(mid) {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	t.prefix(lo)
	return lo, true
}

func (t *trial) prefix(n int) bool {
	for i := range t.list {
		t.set(i, i < n)
	}
	return t.fits()
}

// contract leaves out of the first n victims, the costliest first, each that is
// not in the way.
func (t *trial) contract(n int) []victim {
	var out []victim
	for i := n - 1; i >= 0; i-- {
		t.set(i, false)
		if !t.fits() {
			t.set(i, true)
			out = append(out, t.list[i])
		}
	}
	slices.Reverse(out)
	return out
}
