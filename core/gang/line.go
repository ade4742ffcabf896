package gang

import (
	"github.com/capstan-run/capstan/core/queue"
)

// wants is what g asks of its queue.
func (g *member) wants() queue.Claim {
	return queue.Claim{ID: g.number, Queue: g.queue, User: g.User, Need: g.ask.need}
}

// claim is g's place in the line.
func (s *Scheduler) claim(g *member) queue.Claim {
	since := g.arrived
	if g.aged {
		since = 1 - forever
	}
	return queue.Claim{
		ID: g.number, Queue: g.queue, User: g.User, Priority: g.Priority, Arrival: g.Arrival, Since: since,
		Need: g.ask.need, Class: g.likeness(), Hint: g.Predicted, Count: g.count,
		Work: g.ask.need[0] * orElse(g.Walltime, 24*3600_000),
	}
}

// lineUp puts g into line, if it may run, or as many of its elements as may.
func (s *Scheduler) lineUp(g *member) {
	if g.phase != held && g.phase != waiting {
		return
	}
	g.phase = waiting
	count := 1
	if g.array != nil {
		count = s.elementsReady(g)
	}
	if g.inLine && count == g.count {
		return
	}
	if count == 0 {
		s.outOfLine(g)
		if len(g.array.waits) > 0 {
			s.expectChange(g) // its deadline passes out of line, too
		}
		return
	}
	fresh := !g.inLine
	if g.inLine {
		s.tree.Remove(g.number)
	}
	g.count, g.inLine = count, true
	if g.array == nil {
		s.asides.remove(g)
	}
	if g.arrived == 0 {
		g.arrived = s.now
	}
	g.kind()
	if err := s.tree.Add(s.claim(g)); err != nil {
		panic("gang: put into line what was checked: " + err.Error())
	}
	s.promises.join(g)
	s.promises.weigh(g)
	if fresh {
		s.byNumber[g.number] = g
		s.fresh = append(s.fresh, g)
		s.expectChange(g)
	}
}

// leaveLine takes g, or one element of it, out of line, and charges its queue.
func (s *Scheduler) leaveLine(g *member, w *queue.Walk) {
	if w != nil {
		w.Granted()
	} else {
		s.tree.Grant(g.number)
	}
	g.count--
	s.promises.leave(g)
	g.inLine = g.count > 0
	s.promises.weigh(g)
	if g.inLine {
		s.promises.join(g) // for its next element
	} else {
		delete(s.byNumber, g.number)
	}
}

// expectChange sees to it that g is looked at again when it may begin, when its
// deadline passes, and when it may give up levels of its placement.
func (s *Scheduler) expectChange(g *member) {
	var at int64
	if last := g.lastStart(); last != 0 {
		at = last + 1
	}
	if begin := g.When.Begin; begin > s.now {
		at = earlier(begin, at)
	}
	s.setDue(g, at)
	if p := g.Placement; g.inLine && p.Preferred && p.Wait > 0 {
		for k := int64(1); k <= levels; k++ {
			s.wakes.add(g.arrived + k*wait(p))
		}
	}
}

// outOfLine takes g out of line.
func (s *Scheduler) outOfLine(g *member) {
	if g.inLine {
		g.inLine, g.count = false, 0
		s.promises.weigh(g)
		s.tree.Remove(g.number)
		delete(s.byNumber, g.number)
		s.promises.leave(g)
		s.moved = true
	}
}
