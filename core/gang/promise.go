package gang

import (
	"cmp"
	"slices"

	"github.com/capstan-run/capstan/core"
)

// promises is backfilling under promises. The oldest gangs in line, as
// far as the walltimes of others allow, [Reserved] and one, each have a promise: a latest start, quoted
// once. It is where the gang stands in the plan by walltimes when it is quoted,
// and Config.Slack walltimes of its own. What is left of the slack is room to
// let others pass: gangs start in the order of the queues as long as a plan
// remains that keeps every promise. The first Config.Heads of that order have
// nodes of their own kept besides, so that narrow gangs do not push wide ones
// to the end of their slack.
//
// A promise bounds a wait only as well as walltimes are known: the slack of one
// who asks for days is days. So a gang that was passed by more work than a part of
// the most that ever waited (Config.Budget) is aged: it stands before all that
// were passed by less, and what is left of its slack is nobody's any more. Its
// planned start only comes nearer, and whoever is quoted a start later is planned
// around it. The measure is the load's own: under strict order of arrival the
// longest wait is at least the time in which the cluster does the most that ever
// waited, so a part of that is a part of a wait that had to be.
//
// Plans count what is free in the whole cluster, and for how many ranks of the
// gang's own ask the nodes have room (see supply), but give nobody nodes. Whether
// a gang finds them is seen when it is its turn; one that should and does not
// keeps nodes as a head, and plans count it from then on.
//
// Planning in the order of planned starts keeps every promise: each gang finds
// its planned time free, for all before it end no later than planned. What has no
// nodes yet counts by its share of the cluster, so where ranks of several sizes
// pack worse than that, a promise may break.
type promises struct {
	list []*member // in order of planned starts
	news []*member // that came into line and have none, by arrival
	old  []*member // all in line, by arrival; those that left are skipped

	on     bool     // somebody waits
	full   bool     // there are enough to be quoted before whoever comes into line behind last
	last   uint64   // number of the gang that was looked at last
	base   *profile // what is free by walltimes, with what this pass started
	work   *profile // to lay plans on
	late   overtaken
	line   backlog
	supply supply  // of room on nodes
	halt   *member // for which this pass quoted nobody behind it

	heads []*member
	dead  []tried
	start []int64 // of the plan laid last
	order []*member

	effort int // see rest
}

// tried is a gang that could not start without breaking a promise: none that
// takes as much for as long can, but for whom the promise is to.
type tried struct {
	broken   *member
	need     *core.Vector
	length   int64
	priority int
}

// length is how long g may hold nodes.
func (g *member) length() int64 {
	if g.Walltime == 0 {
		return forever
	}
	return g.StartTimeout + g.Walltime
}

// join notes that g came into line.
func (p *promises) join(g *member) {
	p.news = insertByNumber(p.news, g)
	p.old = insertByNumber(p.old, g)
}

func insertByNumber(list []*member, g *member) []*member {
	if n := len(list); n == 0 || list[n-1].number < g.number {
		return append(list, g)
	}
	i, found := slices.BinarySearchFunc(list, g, byNumber)
	if found {
		return list
	}
	return slices.Insert(list, i, g)
}

// leave notes that g is in line no more.
func (p *promises) leave(g *member) {
	if i := slices.Index(p.list, g); i >= 0 {
		p.list = slices.Delete(p.list, i, i+1)
	}
	if i := slices.Index(p.heads, g); i >= 0 {
		p.heads = slices.Delete(p.heads, i, i+1)
	}
	g.promised, p.full = false, false
}

// begin starts a pass: it works out what is free over time and quotes whoever
// has come up.
func (p *promises) begin(s *Scheduler) {
	p.heads, p.dead = p.heads[:0], p.dead[:0]
	p.sweep(s)
	p.on = len(p.list) > 0 || len(p.news) > 0
	if !p.on {
		return
	}
	p.age(s)
	p.suspend(s)
	p.base = s.foreseeFree()
	if p.work == nil {
		p.work = &profile{}
	}
	p.quote(s)
}

// suspend takes their promises from gangs that other things than room hold back
// now, so that nobody waits for them in vain.
func (p *promises) suspend(s *Scheduler) {
	for _, g := range slices.Clone(p.list) {
		if !s.onlyRoom(g) {
			p.leave(g)
			p.news = insertByNumber(p.news, g)
		}
	}
}

// onlyRoom reports whether g, which is in line, could start if it had room.
func (s *Scheduler) onlyRoom(g *member) bool {
	return s.licensed(g) && s.reservationPends(g) == "" && s.tree.Allows(g.wants())
}

// sweep forgets who left the line.
func (p *promises) sweep(s *Scheduler) {
	gone := func(g *member) bool { return !g.inLine }
	p.old, p.news = inLineFrom(p.old), inLineFrom(p.news)
	if len(p.old) > 2*s.tree.Len()+64 {
		p.old = slices.DeleteFunc(p.old, gone)
		p.news = slices.DeleteFunc(p.news, gone)
	}
}

// inLineFrom is the list from the first that is in line on.
func inLineFrom(list []*member) []*member {
	i := 0
	for i < len(list) && !list[i].inLine {
		list[i] = nil
		i++
	}
	if i == len(list) {
		return list[:0] // its room is used again
	}
	return list[i:]
}

// foreseeFree is what is free in the whole cluster over time.
func (s *Scheduler) foreseeFree() *profile {
	if !s.plan.known {
		s.plan.foresee(s)
	}
	p := newProfile(s.fleet.Kinds().Len(), s.now, s.open.Sub(s.busy))
	for _, m := range s.plan.ends {
		p.release(max(m.at, s.now+1), &m.gang.counted)
	}
	return p
}

// seen bounds how many without a promise one pass looks at.
const seen = 4 * Reserved

// quote promises a start to the oldest that have none.
func (p *promises) quote(s *Scheduler) {
	p.order = append(p.order[:0], p.list...)
	looked := min(len(p.news), seen)
	p.effort += quoteCost * looked
	p.last, p.full = 0, looked == seen
	for _, g := range p.news[:looked] {
		if len(p.order) > Reserved {
			break
		}
		p.last = g.number
		if g.inLine && !g.promised && s.onlyRoom(g) {
			p.order = append(p.order, g)
		}
	}
	p.full = p.full || len(p.order) > Reserved
	p.supply.open(s, p.order)
	p.lay(s, nil, false)
	p.settle()
	for _, g := range p.order {
		if !g.promised && g.planned == forever && s.couldRun(g) {
			p.halt = g
			break // nobody is promised what might have to come after g
		}
		if !g.promised && g.planned != forever {
			p.promise(s, g)
		}
	}
	p.drop(looked)
	p.sort()
}

// reaches reports whether g, which came into line, could be quoted a start.
func (p *promises) reaches(g *member) bool { return !p.full || g.number <= p.last }

func (p *promises) promise(s *Scheduler, g *member) {
	g.promised, g.latest = true, g.planned+s.config.Slack*g.Walltime
	if g.promise == 0 && g.planned > s.now { // else it starts at once, or does not find the nodes
		g.promise = g.latest
	}
	p.list = append(p.list, g)
}

// drop forgets those of the first so many of news that are none any more.
func (p *promises) drop(looked int) {
	to := looked
	for i := looked - 1; i >= 0; i-- {
		if g := p.news[i]; g.inLine && !g.promised {
			to--
			p.news[to] = g
		}
	}
	p.news = p.news[to:]
}

func (p *promises) sort() {
	slices.SortStableFunc(p.list, func(a, b *member) int { return cmp.Compare(a.planned, b.planned) })
}

// lay plans p.order on what is free, beside first, which starts at once if it
// is not nil. If it has to keep promises, those of gangs as urgent as first, it
// answers one that it cannot keep, and stops. A promise that the plan before
// could not keep any more binds nobody further.
func (p *promises) lay(s *Scheduler, first *member, keep bool) (broken *member) {
	p.work.copyFrom(p.base)
	if first != nil {
		p.work.take(p.base.at[0], s.piece(first))
	}
	p.start = p.start[:0]
	p.effort += len(p.order) * (layCost + len(p.base.at))
	for _, g := range p.order {
		if g == first || g.stuck {
			if g.stuck && g.booked != 0 {
				p.work.take(max(g.booked, p.base.at[0]), s.piece(g))
			}
			p.start = append(p.start, g.planned)
			continue
		}
		at := p.work.earliest(g, &p.supply)
		p.work.take(at, s.piece(g))
		if keep && g.promised && at > max(g.latest, g.planned) && (first == nil || g.Priority >= first.Priority) {
			return g
		}
		p.start = append(p.start, at)
	}
	return nil
}

// settle makes what was laid last the plan.
func (p *promises) settle() {
	for i, g := range p.order {
		g.planned = p.start[i]
		if g.aged && g.promised {
			g.latest = min(g.latest, g.planned)
		}
	}
	p.sort()
}

// arrange puts heads before the others, which follow in order of planned
// starts.
func (p *promises) arrange() {
	p.order = append(p.order[:0], p.heads...)
	for _, g := range p.list {
		if !slices.Contains(p.heads, g) {
			p.order = append(p.order, g)
		}
	}
}

// allows reports whether g may start now, and if so makes the plan without it
// the plan.
func (p *promises) allows(s *Scheduler, g *member) bool {
	need, length := &g.ask.need, g.length()
	for _, d := range p.dead {
		if d.broken != g && length >= d.length && g.Priority <= d.priority && d.need.Fits(*need) {
			return false
		}
	}
	if broken := p.breaks(s, g); broken != nil {
		p.dead = append(p.dead, tried{broken, need, length, g.Priority})
		return false
	}
	p.begins(s, g)
	return true
}

// breaks lays a plan beside first and returns whose promise it cannot keep, nil
// if it keeps all. Those of gangs that cannot start any more, since others took
// their queue's quota or their licences in this pass, do not count.
func (p *promises) breaks(s *Scheduler, first *member) *member {
	for {
		p.arrange()
		broken := p.lay(s, first, true)
		if broken == nil || s.onlyRoom(broken) {
			return broken
		}
		p.leave(broken)
		p.news = insertByNumber(p.news, broken)
	}
}

// force lets g start now whatever was promised.
func (p *promises) force(s *Scheduler, g *member) {
	p.arrange()
	p.lay(s, g, false)
	p.begins(s, g)
}

// begins makes what was laid last, without g, the plan.
func (p *promises) begins(s *Scheduler, g *member) {
	p.settle()
	p.base.take(p.base.at[0], s.piece(g))
}

// head makes g, which has to wait, one of those that nodes are kept for, if
// that breaks no promise.
func (p *promises) head(s *Scheduler, g *member) bool {
	if len(p.heads) >= s.config.Heads || !g.promised {
		return false
	}
	p.heads = append(p.heads, g)
	if p.breaks(s, nil) != nil {
		p.heads = p.heads[:len(p.heads)-1]
		return false
	}
	p.settle()
	return true
}

// due is the gangs whose planned start has come, in order.
func (p *promises) due(now int64) []*member {
	var out []*member
	for _, g := range p.list {
		if g.planned <= now && !g.stuck {
			out = append(out, g)
		}
	}
	return out
}
