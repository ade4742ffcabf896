package gang

import (
	"slices"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/place"
)

// plan is the reservations of the gangs that wait at the head of the line, and
// what follows from them for those behind. It is made anew in every pass in
// which something became free.
type plan struct {
	version uint64 // changes with what is reserved
	booked  []*booking
	ends    []moment // of what runs, earliest first, as far as known
	turns   []moment // of booked, in order
	known   bool     // ends is made
	// standing is how many of booked are not of gangs that wait by themselves.
	standing int
	shutFor  *member       // who that is
	shut     bool          // nothing more may start: whoever is next has no place of its own yet
	marks    []int32       // by Ref: index into a list of limits, plus one
	left     []place.Limit // what limits answered last
}

// booking is a reservation: gang starts at from on nodes. Of a gang whose start
// cannot be known, and of a reservation in advance, whole nodes are kept free
// of others.
type booking struct {
	gang  *member // nil for a repair or a reservation in advance
	name  string  // of a reservation in advance
	kept  bool    // whole nodes
	from  int64
	until int64
	ranks []place.Ref
	shape []place.ShapeID
	nodes []place.Ref   // each once
	laid  []stretch     // what ranks and shape say
	slack []core.Vector // by nodes: what is left beside it when it starts
}

// Reserved is how many gangs hold a reservation beside the head of the line.
const Reserved = 64

func (p *plan) renew(s *Scheduler) {
	p.booked, p.ends, p.turns, p.known, p.shut = p.booked[:0], p.ends[:0], p.turns[:0], false, false
	p.shutFor = nil
	p.version++
	if len(p.marks) < s.fleet.Len() {
		p.marks = append(p.marks, make([]int32, s.fleet.Len()-len(p.marks))...)
	}
	for _, name := range s.reservations {
		v := s.reserved[name]
		p.keep(&booking{name: name, from: v.from, until: v.until}, v.nodes)
	}
	for _, v := range s.displacing {
		p.keep(&booking{gang: v.by, from: s.now, until: forever}, v.nodes)
	}
	p.standing = len(p.booked)
}

// reserve keeps the earliest start for g that the walltimes allow to know; if
// they do not, it keeps nodes free for it.
func (p *plan) reserve(s *Scheduler, g *member) {
	if !p.keeps() {
		return
	}
	if !p.known {
		p.foresee(s)
	}
	if p.of(g) != nil {
		return
	}
	if b := p.earliest(s, g); b != nil {
		p.book(s, b)
		return
	}
	q := g.ask.Claim
	q.Job = s.beside(g)
	if !p.pin(s, g, &q) && s.couldRun(g) {
		p.shut, p.shutFor = true, g
	}
}

// keeps reports whether one more may hold a reservation.
func (p *plan) keeps() bool { return len(p.booked)-p.standing <= Reserved }

// pin keeps nodes free on which q would fit if they were empty. It reports
// whether there are such that nobody else has pinned.
func (p *plan) pin(s *Scheduler, g *member, q *place.Claim) bool {
	q.View = place.Empty
	q.Limit = p.limits(s, s.now, forever, g)
	c, ok := s.fleet.Choose(q)
	if !ok {
		return false
	}
	p.keep(&booking{gang: g, from: s.now, until: forever}, distinct(c.Nodes))
	return true
}

// keep adds a booking of whole nodes.
func (p *plan) keep(b *booking, nodes []place.Ref) {
	b.kept, b.nodes, b.slack = true, nodes, make([]core.Vector, len(nodes))
	p.add(b)
}

// unkeep ends the booking of whole nodes for a gang that starts.
func (p *plan) unkeep(g *member) {
	for i, b := range p.booked {
		if b.gang == g && b.kept {
			p.booked = slices.Delete(p.booked, i, i+1)
			p.turns = slices.DeleteFunc(p.turns, func(m moment) bool { return m.book == b })
			if i < p.standing {
				p.standing--
			}
			p.version++
			return
		}
	}
}

func distinct(nodes []place.Ref) []place.Ref {
	out := slices.Clone(nodes)
	slices.Sort(out)
	return slices.Compact(out)
}

func (p *plan) add(b *booking) {
	p.booked = append(p.booked, b)
	p.turn(b)
	p.version++
}

// earliest finds the first moment from which g has room for as long as it may
// run; nil if that cannot be known.
func (p *plan) earliest(s *Scheduler, g *member) *booking {
	line := p.moments()
	if len(line) == 0 {
		return nil
	}
	q := g.ask.Claim
	q.Avoid, q.Job = g.avoid, s.beside(g)
	_, q.Relax = g.relaxation(s.now)
	later := s.fleet.Future()
	defer later.Done()
	view := later.Watch(&q)
	for i := 0; i < len(line); {
		at := line[i].at
		for ; i < len(line) && line[i].at == at; i++ {
			s.effort += 2 * runCost * line[i].apply(later)
		}
		if at <= s.now || !view.Roomy() || s.pendsAt(g, at) != "" {
			continue
		}
		until := g.endIf(at)
		q.Limit = p.limits(s, at, until, g)
		s.effort += s.choosing(q.Limit)
		c, ok := view.Choose(&q)
		if !ok {
			continue
		}
		b := &booking{gang: g, from: at, until: until, ranks: c.Nodes, nodes: distinct(c.Nodes)}
		for role, n := range c.Counts {
			for range n {
				b.shape = append(b.shape, g.ask.Roles[role].Shape)
			}
		}
		b.lay()
		b.takeAll(later)
		for _, n := range b.nodes {
			b.slack = append(b.slack, later.Free(n))
		}
		return b
	}
	return nil
}

// roomy is a quick no for an ask that has no room anywhere.
func roomy(f *place.Fleet, a *ask) bool {
	for i := range a.Roles {
		if f.Room(a.Roles[i].Shape, place.Present) < int64(a.Roles[i].Min) {
			return false
		}
	}
	return true
}

// book adds a reservation and takes it off the slack of those it overlaps.
func (p *plan) book(s *Scheduler, b *booking) {
	p.charge(s, b.from, b.until, b.ranks, b.shape)
	p.add(b)
}

// started takes a gang that starts now off the slack of the reservations that
// begin while it may run.
func (p *plan) started(s *Scheduler, g *member) {
	if at := g.endIf(s.now); p.known && at != forever {
		v := moment{at: at, gang: g}
		i, _ := slices.BinarySearchFunc(p.ends, v, moment.compare)
		p.ends = slices.Insert(p.ends, i, v)
	}
	if len(p.booked) == 0 {
		return
	}
	shapes := make([]place.ShapeID, len(g.nodes))
	for rank := range g.nodes {
		shapes[rank] = g.shape(rank)
	}
	p.charge(s, s.now, g.endIf(s.now), g.nodes, shapes)
}

func (p *plan) charge(s *Scheduler, from, until int64, ranks []place.Ref, shapes []place.ShapeID) {
	for _, b := range p.booked {
		if b.kept || b.from <= from || b.from >= until {
			continue
		}
		for i, n := range ranks {
			if k, ok := slices.BinarySearch(b.nodes, n); ok {
				b.slack[k] = b.slack[k].Sub(s.fleet.Amount(shapes[i]))
			}
		}
	}
}

// limits is what reservations leave free on their nodes for g, if it runs from
// one time until another. Its own do not count. g is nil for somebody who has
// none. The list is p's own, and good until the next is asked for.
func (p *plan) limits(s *Scheduler, from, until int64, g *member) []place.Limit {
	if g != nil && g.Reservation != "" {
		return p.within(s, g)
	}
	out := p.left[:0]
	for _, b := range p.booked {
		if b.over(from, until) || g != nil && b.gang == g {
			continue
		}
		for i, n := range b.nodes {
			if k := p.marks[n]; k > 0 {
				out[k-1].Free = out[k-1].Free.Min(b.slack[i])
				continue
			}
			out = append(out, place.Limit{Node: n, Free: b.slack[i]})
			p.marks[n] = int32(len(out))
		}
	}
	for i := range out {
		p.marks[out[i].Node] = 0
	}
	p.left = out
	return out
}

// standingLimits is the limits for g that are not of gangs that wait by
// themselves.
func (p *plan) standingLimits(s *Scheduler, g *member) []place.Limit {
	all := p.booked
	p.booked = all[:p.standing]
	defer func() { p.booked = all }()
	return p.limits(s, s.now, g.endIf(s.now), g)
}

// foreignLimits is the limits for g that stay even if gangs give way to it:
// reservations in advance, repairs, and what others have displaced for.
func (p *plan) foreignLimits(s *Scheduler, g *member) []place.Limit {
	all := p.booked
	p.booked = nil
	for _, b := range all {
		if b.gang == nil || b.kept && s.displaces(b.gang) {
			p.booked = append(p.booked, b)
		}
	}
	defer func() { p.booked = all }()
	return p.limits(s, s.now, g.endIf(s.now), g)
}

// over reports whether b does not matter to who runs from one time until
// another. A gang that is booked to start before from is counted as running.
func (b *booking) over(from, until int64) bool {
	if b.kept {
		return b.until <= from || b.from >= until
	}
	return b.from <= from || b.from >= until
}

// within is the limits for the holder of a reservation in advance: no other
// nodes than that one's.
func (p *plan) within(s *Scheduler, g *member) []place.Limit {
	v := s.reserved[g.Reservation]
	var out []place.Limit
	for _, n := range s.fleet.Order() {
		if v == nil || !slices.Contains(v.nodes, n) {
			out = append(out, place.Limit{Node: n})
		}
	}
	return out
}

// couldRun reports whether g would find room if the nodes that take executors
// were empty, so that waiting for others to end is of use.
func (s *Scheduler) couldRun(g *member) bool {
	return s.asked(g.ask, &g.ask.empty, place.Empty) && !s.crowded(g)
}

// crowded reports whether g's own job keeps it out for good: with gangs that run
// without an end that is known, and beside which its constraints leave it no node.
func (s *Scheduler) crowded(g *member) bool {
	if !g.ask.counts() {
		return false
	}
	q := g.ask.Claim
	q.View, q.Relax = place.Empty, levels
	for _, v := range s.jobOf(g).gangs {
		if (v.phase == running || v.phase == starting) && v.Walltime == 0 {
			q.Job = append(q.Job, v.living()...)
		}
	}
	if len(q.Job) == 0 {
		return false
	}
	_, ok := s.fleet.Choose(&q)
	return !ok
}

// asked answers from memory whether an ask fits in a view, if the nodes are as
// they were.
func (s *Scheduler) asked(a *ask, v *verdict, view place.View) bool {
	if v.topology != s.topology {
		q := a.Claim
		q.View = view
		q.Relax = levels
		_, v.yes = s.fleet.Choose(&q)
		v.topology = s.topology
	}
	return v.yes
}
