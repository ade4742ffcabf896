package coordinate

import (
	"slices"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/service/spec"
	"github.com/capstan-run/capstan/frameworks/service/wire"
)

// reconcile compares what is with what should be, and does about it what may be
// done now.
func (m *Machine) reconcile() {
	for _, c := range m.copies() {
		m.attend(c)
	}
	m.bury()
	if m.ending != "" {
		m.endAll()
		return
	}
	for len(m.Slots) < m.Size {
		m.Slots = append(m.Slots, &Slot{Next: 1})
	}
	m.judge()
	m.shrink()
	for _, i := range m.order() {
		m.update(i)
	}
	for i := range m.Size {
		m.start(i)
	}
	m.announce()
}

func (m *Machine) target() *spec.Body { return m.version(m.Target).body }

// settled reports whether a copy is ready and has been for long enough.
func (m *Machine) settled(c *Copy) bool {
	return c.readySince > 0 && !c.Ending && m.now-c.readySince >= millis(*m.version(c.Version).body.Update.Settle)
}

// ready is how many copies count as ready.
func (m *Machine) ready() int {
	n := 0
	for _, c := range m.copies() {
		if m.settled(c) {
			n++
		}
	}
	return n
}

// doubtful reports whether c may be ready although nobody has heard of it.
func (m *Machine) doubtful(c *Copy) bool { return !c.heard && m.now < c.doubt }

// mayEnd reports whether the service can do without a copy (law S2).
func (m *Machine) mayEnd(c *Copy) bool {
	if m.doubtful(c) {
		return false
	}
	if c.readySince == 0 {
		return true
	}
	others := m.ready()
	if m.settled(c) {
		others--
	}
	return others >= m.Size-m.mayMiss()
}

// mayMiss is how many copies may be missing for an update's sake. Volumes that
// the old version has take part: their copies cannot be replaced by new ones
// beside them.
func (m *Machine) mayMiss() int {
	missing, _ := m.target().Room(m.Size)
	if missing == 0 && slices.ContainsFunc(m.copies(), m.sticky) {
		return min(1, m.Size)
	}
	return missing
}

func (m *Machine) sticky(c *Copy) bool { return m.version(c.Version).body.Sticky() }

// endCopy begins the end of a copy.
func (m *Machine) endCopy(c *Copy) {
	if c.Ending {
		return
	}
	body := m.version(c.Version).body
	c.Ending, c.EndBy, c.readySince = true, m.now+body.StopWithin().Milliseconds(), 0
	if c.up && c.heard {
		m.tell(c, wire.Order{Halt: &wire.Halt{Number: c.status.Number, Drain: true}})
	}
}

// bury releases the copies whose end is over.
func (m *Machine) bury() {
	for _, c := range m.copies() {
		if !c.Ending {
			continue
		}
		quiet := c.heard && (c.status.Phase == wire.Ended || c.status.Phase == wire.Idle)
		never := !c.up && m.now >= c.doubt
		if quiet || never || m.now >= c.EndBy {
			m.emit(Release{m.gang(c)})
			m.drop(c)
		}
	}
}

// endAll ends every copy, in reverse where there is an order, and then the service.
func (m *Machine) endAll() {
	for i := len(m.Slots) - 1; i >= 0; i-- {
		for _, c := range m.Slots[i].Copies {
			c.doubt = min(c.doubt, m.now+forgetAfter)
			m.endCopy(c)
		}
		if m.target().Ordered && len(m.Slots[i].Copies) > 0 {
			return
		}
	}
	if len(m.copies()) == 0 {
		m.done = true
		m.emit(Done{core.Errorf(core.Cancelled, "%s", m.ending)})
	}
}

// shrink ends the copies beyond the wanted number, the last first.
func (m *Machine) shrink() {
	for i := len(m.Slots) - 1; i >= m.Size; i-- {
		for _, c := range m.Slots[i].Copies {
			if !c.Ending && m.mayEnd(c) {
				m.endCopy(c)
			}
		}
		if m.target().Ordered && len(m.Slots[i].Copies) > 0 {
			return
		}
	}
}

// order is the wanted ordinals as an update takes them.
func (m *Machine) order() []int {
	list := make([]int, m.Size)
	for i := range list {
		list[i] = i
	}
	if m.target().Update.Order == "descending" {
		slices.Reverse(list)
	}
	return list
}

// wanted is the version that a slot should have now.
func (m *Machine) wanted(i int) int {
	s, r := m.Slots[i], m.Rollout
	switch {
	case r == nil:
		return m.Target
	case r.Paused && s.Version != 0 && m.known(s.Version):
		return s.Version
	case r.Paused && r.From != 0:
		return r.From
	case r.Canary && !slices.Contains(r.Canaries, i):
		return r.From
	}
	return m.Target
}

// update brings a slot towards its version.
func (m *Machine) update(i int) {
	s, want := m.Slots[i], m.wanted(i)
	if s.Version != want {
		s.Version, s.Tries, s.Failures, s.RetryAt = want, 0, 0, 0
	}
	keeper := m.keeper(s, want)
	for _, c := range s.Copies {
		if c.Ending || c == keeper {
			continue
		}
		relieved := keeper != nil && m.settled(keeper) && !m.spared(i, c)
		switch {
		case relieved || c.Version != want && c.readySince == 0:
			if m.mayEnd(c) {
				m.endCopy(c)
			}
		case m.now < s.RetryAt: // the new version failed here a moment ago
		case keeper == nil && m.mayJoin(s):
			m.create(i) // beside it
			return
		case keeper == nil && m.mayEnd(c):
			m.endCopy(c)
		}
	}
}

// spared reports whether an old copy of slot i stays beside a canary that is on trial:
// if the canary fails, nothing is missing. It goes when another canary needs the room.
func (m *Machine) spared(i int, c *Copy) bool {
	r := m.Rollout
	if r == nil || !r.Canary || c.readySince == 0 || !slices.Contains(r.Canaries, i) {
		return false
	}
	begun := func(j int) bool { return j < len(m.Slots) && m.keeper(m.Slots[j], m.Target) != nil }
	return m.surge() > 0 || !slices.ContainsFunc(r.Canaries, func(j int) bool { return !begun(j) })
}

// keeper is the copy of the wanted version that stays: one that is ready, else
// the newest.
func (m *Machine) keeper(s *Slot, want int) *Copy {
	var found *Copy
	for _, c := range s.Copies {
		if c.Version == want && !c.Ending && (found == nil || found.readySince == 0) {
			found = c
		}
	}
	return found
}

// surge is how many more copies may run beside those there are, and those that
// every slot is to have.
func (m *Machine) surge() int {
	_, surge := m.target().Room(m.Size)
	for i, s := range m.Slots {
		surge -= len(s.Copies)
		if i < m.Size {
			surge += min(1, len(s.Copies))
		}
	}
	return surge
}

// mayJoin reports whether a slot's next copy may run beside those it has.
func (m *Machine) mayJoin(s *Slot) bool {
	return m.surge() > 0 && !m.version(s.Version).body.Sticky() && !slices.ContainsFunc(s.Copies, m.sticky)
}

// start asks for a slot's copy if it has none.
func (m *Machine) start(i int) {
	s := m.Slots[i]
	standing := slices.ContainsFunc(s.Copies, func(c *Copy) bool { return !c.Ending })
	if standing || m.now < s.RetryAt {
		return
	}
	if len(s.Copies) > 0 && !m.mayJoin(s) {
		return // the old one goes first
	}
	if m.version(s.Version).body.Ordered {
		for _, lower := range m.Slots[:i] {
			if !slices.ContainsFunc(lower.Copies, m.settled) {
				return
			}
		}
	}
	m.create(i)
}

func (m *Machine) create(i int) {
	s := m.Slots[i]
	c := &Copy{Ordinal: i, Generation: s.Next, Version: s.Version}
	s.Next++
	s.Copies = append(s.Copies, c)
	m.emit(Want{m.ask(c)})
}
