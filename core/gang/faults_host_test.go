package gang

import (
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/capstan-run/capstan/core"
)

func keys[K comparable, V any](m map[K]V) iter.Seq[K] { return maps.Keys(m) }

// happen draws one thing that happens.
func (w *faultyWorld) happen() {
	roll := w.roll
	w.now += int64(pick(roll, 0, 0, 0, 1, 500, 3000, 20_000))
	switch roll(0, 25) {
	case 0, 1, 2, 3, 4, 5:
		q := w.request()
		w.jobs = append(w.jobs, q.Job)
		w.step(Submit{Now: w.now, Request: q})
	case 6:
		w.step(NodeUp{w.now, w.node(roll(0, 7))})
	case 7:
		w.step(NodeDown{w.now, w.anyNode()})
	case 8:
		e := NodeDrain{Now: w.now, ID: w.anyNode(), Drain: roll.oneIn(2)}
		if e.Drain && roll.oneIn(2) {
			e.Until = w.now + int64(roll(0, 30))*1000
		}
		w.step(e)
	case 9:
		w.happenRarely()
	case 10:
		w.step(Tick{w.now})
	case 11:
		w.now = max(w.now, w.s.Next())
		w.step(Tick{w.now})
	case 12:
		w.endJob()
	default:
		w.answer()
	}
}

func (w *faultyWorld) anyNode() core.NodeID { return core.NodeID(rune('a' + w.roll(0, 7))) }

func (w *faultyWorld) happenRarely() {
	roll := w.roll
	switch roll(0, 9) {
	case 0:
		w.step(Configure{w.now, anyQueues(roll)})
	case 1:
		w.step(Supply{w.now, map[string]int64{"l": int64(roll(0, 4))}})
	case 2:
		start := w.now + int64(roll(0, 20))*1000
		w.step(Reserve{Now: w.now, Name: pick(roll, "r", "s"), Start: start, End: start + int64(roll(1, 30))*1000,
			Nodes: []core.NodeID{w.anyNode(), w.anyNode()}})
	case 3:
		w.step(Unreserve{w.now, pick(roll, "r", "s")})
	case 4:
		w.step(restarted{Tick{w.now}})
	case 5:
		w.step(NodeClear{w.now, w.anyNode()})
	case 6, 7:
		if len(w.jobs) > 0 {
			w.step(Hold{w.now, pick(roll, w.jobs...), roll.oneIn(3)})
		}
	default:
		if list := w.m.ordered(); len(list) > 0 {
			id := pick(roll, list...).Gang
			if roll.oneIn(4) {
				id = Element(id, int64(roll(0, 5)))
			}
			w.step(Cancel{w.now, id, ""})
		}
	}
}

// endJob says that a job of which nothing runs any more has ended.
func (w *faultyWorld) endJob() {
	var over []core.JobID
	for _, job := range w.jobs {
		if w.m.ended[job] == Unsaid && !w.known(job) {
			over = append(over, job)
		}
	}
	if len(over) > 0 {
		w.step(JobEnded{w.now, pick(w.roll, over...), pick(w.roll, OK, Failed)})
	}
}

func (w *faultyWorld) known(job core.JobID) bool {
	for _, g := range w.m.gangs {
		if g.Job == job {
			return true
		}
	}
	return false
}

// answer is what the host says of a gang, true or not.
func (w *faultyWorld) answer() {
	list := w.m.ordered()
	roll := w.roll
	if !roll.oneIn(10) { // who holds nothing has little to say
		list = slices.DeleteFunc(list, func(g *modelGang) bool { return g.lease == 0 && g.Array == nil })
	}
	if len(list) == 0 {
		return
	}
	g := pick(roll, list...)
	lease := g.lease
	switch roll(0, 11) {
	case 0:
		lease -= min(lease, uint64(roll(0, 2))) // of an earlier grant, perhaps of another gang
	case 1:
		lease = 0
	}
	if g.Array != nil {
		if len(g.waits) == 0 && w.m.elementsUp(g) == 0 {
			w.step(Release{Now: w.now, Gang: g.Gang})
		}
		return
	}
	rank := roll(-1, len(g.nodes))
	kind := roll(0, 15)
	switch {
	case kind > 9 && g.up && g.Max != 0: // an elastic gang is told to go up and down
		kind = roll(8, 9)
	case kind > 5 && kind < 14 && !g.up:
		kind = 0
	}
	switch kind {
	case 0, 1, 2, 3:
		w.step(Started{w.now, g.Gang, lease})
	case 4:
		node := w.anyNode()
		if rank >= 0 && rank < len(g.nodes) {
			node = g.nodes[rank]
		}
		w.step(StartFailed{w.now, g.Gang, lease, node, "it broke"})
	case 5:
		w.step(MemberJoined{w.now, g.Gang, lease, rank})
	case 6:
		if g.up {
			w.step(MemberLost{w.now, g.Gang, lease, rank, "it died"})
		}
	case 7:
		if g.up {
			w.step(MemberReplace{w.now, g.Gang, lease, rank})
		}
	case 8:
		w.step(Resize{w.now, g.Gang, roll(0, 8)})
	case 9:
		w.step(w.shrunk(g, lease))
	default:
		if g.lease != 0 {
			w.step(Release{Now: w.now, Gang: g.Gang, Lease: lease, Ended: pick(roll, OK, OK, Failed, Unsaid)})
		}
	}
}

func (w *faultyWorld) shrunk(g *modelGang, lease uint64) Shrunk {
	e := Shrunk{Now: w.now, Gang: g.Gang, Lease: lease}
	for rank := range g.nodes {
		if g.shrink > 0 && rank >= g.shrink && w.roll.oneIn(2) || w.roll.oneIn(20) {
			e.Ranks = append(e.Ranks, rank)
		}
	}
	return e
}

// settle lets everything that runs end well and time pass, and nothing new
// come. What still waits then has to have a reason.
func (w *faultyWorld) settle() {
	for _, g := range w.m.ordered() {
		if g.When.Hold {
			w.step(Hold{w.now, g.Job, false})
		}
	}
	for range 400 {
		if w.fault != nil || !w.obey() {
			break
		}
	}
	if w.fault == nil && w.obey() {
		w.fault = fmt.Errorf("it does not come to rest:\n%v", w.s)
	}
	for _, g := range w.m.ordered() {
		if w.fault == nil {
			w.fault = w.reason(g)
		}
	}
}

// obey does what a good host does once for each gang, and lets time pass. It
// reports whether anything may still happen.
func (w *faultyWorld) obey() bool {
	busy := false
	for _, g := range w.m.ordered() {
		if w.m.gangs[g.Gang] != g {
			continue
		}
		switch {
		case g.Array != nil && len(g.waits) == 0 && w.m.elementsUp(g) == 0:
			w.step(Release{Now: w.now, Gang: g.Gang})
		case g.lease == 0:
			continue
		case !g.up:
			w.step(Started{w.now, g.Gang, g.lease})
		default:
			w.step(Release{Now: w.now, Gang: g.Gang, Ended: OK})
		}
		busy = true
	}
	for _, job := range w.jobs {
		if w.m.ended[job] == Unsaid && !w.known(job) {
			w.step(JobEnded{w.now, job, OK})
			busy = true
		}
	}
	if next := w.s.Next(); !busy && next > 0 && w.fault == nil {
		w.now = max(w.now, next)
		w.step(Tick{w.now})
		return true
	}
	return busy
}

// reason reports that g waits without one: the empty nodes could hold it, its
// queue admits it, and nothing else holds it back.
func (w *faultyWorld) reason(g *modelGang) error {
	s := w.s.gangs[g.Gang]
	if !w.s.couldRun(s) || w.m.mayRun(g) != nil || w.m.unclear(g) {
		return nil
	}
	for name, n := range g.Licences {
		if n > w.m.licences[name] {
			return nil
		}
	}
	if g.Reservation != "" || len(w.s.tree.Admits(w.s.claim(s))) > 0 || w.s.ask0(s) {
		return nil
	}
	return fmt.Errorf("at rest %s waits:\n%v\n%v", g.Gang, w.s.Why(g.Gang), w.s)
}

// ask0 reports whether g cannot be placed although nothing runs, as a
// reservation in advance is in the way or it keeps apart from itself.
func (s *Scheduler) ask0(g *member) bool {
	_, ok := s.chooseAmong(g, s.plan.standingLimits(s, g))
	return !ok
}

// clear ends all that is left, and reports what is still in the books.
func (w *faultyWorld) clear() {
	for _, g := range w.m.ordered() {
		w.step(Cancel{w.now, g.Gang, ""})
	}
	for _, job := range w.jobs {
		if w.m.ended[job] == Unsaid {
			w.step(JobEnded{w.now, job, OK})
		}
		w.step(JobForgotten{w.now, job})
	}
	w.step(Unreserve{w.now, "r"})
	w.step(Unreserve{w.now, "s"})
	w.now += 3600_000
	w.step(Tick{w.now})
	if w.fault == nil {
		w.fault = leftovers(w.s)
	}
}

// leftovers reports what a scheduler still has in its books when all is over.
func leftovers(s *Scheduler) error {
	for name, n := range map[string]int{
		"gangs": len(s.gangs), "byNumber": len(s.byNumber), "jobs": len(s.jobs), "singles": len(s.singles), "early": len(s.early),
		"dues": len(s.dues), "granted": len(s.granted.list), "repairs": len(s.repairs), "elastic": len(s.elastic),
		"displacing": len(s.displacing), "fresh": len(s.fresh), "refused": len(s.refused), "line": s.tree.Len(),
		"promises": len(s.promises.list), "reserved": len(s.reserved) + len(s.reservations), "evictions": len(s.evictions),
	} {
		if n != 0 {
			return fmt.Errorf("%d %s are left when all is over", n, name)
		}
	}
	if s.busy != (core.Vector{}) {
		return fmt.Errorf("%v is busy when all is over", s.busy)
	}
	for _, v := range s.tree.Shares() {
		if v.Used != (core.Vector{}) || v.Running != 0 || v.Pending != 0 {
			return fmt.Errorf("queue %q is charged when all is over: %+v", v.Queue, v)
		}
	}
	for name, l := range s.licences {
		if l.used != 0 {
			return fmt.Errorf("%d of licence %s are in use when all is over", l.used, name)
		}
	}
	for _, n := range s.fleet.Order() {
		if s.fleet.Free(n) != s.fleet.Capacity(n) {
			return fmt.Errorf("node %s has %v free when all is over", s.fleet.ID(n), s.fleet.Free(n))
		}
	}
	return nil
}

// agree compares a scheduler with the model.
func agree(s *Scheduler, m *model) error {
	if len(s.gangs) != len(m.gangs) {
		return fmt.Errorf("%v are known, and should be %v", slices.Sorted(keys(s.gangs)), slices.Sorted(keys(m.gangs)))
	}
	for id, g := range m.gangs {
		v := s.gangs[id]
		if v == nil || (v.shrink != nil) != (g.shrink > 0) || v.lease != g.lease || len(v.nodes) != len(g.nodes) {
			return fmt.Errorf("%s should hold lease %d: %v", id, g.lease, s)
		}
		for rank, n := range v.nodes {
			if s.fleet.ID(n) != g.nodes[rank] || v.lost[rank] != g.lost[rank] {
				return fmt.Errorf("%s has rank %d on %s, lost %v, and should have it on %s, lost %v", id, rank, s.fleet.ID(n), v.lost[rank], g.nodes[rank], g.lost[rank])
			}
			if !g.lost[rank] && m.nodes[g.nodes[rank]].down && m.nodes[g.nodes[rank]].Labels != nil {
				return fmt.Errorf("%s has rank %d on %s, which is down", id, rank, g.nodes[rank])
			}
		}
		if v.phase == held && m.mayRun(g) == nil && !m.unclear(g) {
			return fmt.Errorf("%s is held back, and nothing does", id)
		}
		if v.phase == waiting && v.inLine && g.Array == nil && m.mayRun(g) != nil && g.Reservation == "" {
			return fmt.Errorf("%s is in line: %w", id, m.mayRun(g))
		}
	}
	return nil
}
