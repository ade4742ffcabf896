package coordinate

import (
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/service/wire"
)

func millis(d core.Duration) int64 { return time.Duration(d).Milliseconds() }

// heard takes what a worker says of itself.
func (m *Machine) heard(e Heard) {
	c := m.copy(e.Gang)
	if c == nil || !c.up {
		return
	}
	c.heard, c.doubt, c.asked = true, 0, 0
	c.status = e.Status
	if e.Status.Number > c.number { // of an earlier coordinator
		c.number, c.startedAt = e.Status.Number, m.now
	}
	current := e.Status.Number == c.number && c.number > 0
	ready := current && e.Status.Phase == wire.Running && e.Status.Ready && e.Status.Sick == "" && !c.Ending
	switch {
	case ready && c.readySince == 0:
		c.readySince = m.now
	case !ready && c.readySince > 0:
		m.forgive(c)
		c.readySince = 0
	}
	if c.Ending && e.Status.Phase == wire.Running { // an earlier coordinator's word
		m.tell(c, wire.Order{Halt: &wire.Halt{Number: e.Status.Number, Drain: true}})
	}
	if !current || c.Ending || c.runAt > 0 {
		return
	}
	switch {
	case e.Status.Phase == wire.Ended:
		m.runFailed(c, e.Status.Why)
	case e.Status.Phase == wire.Running && e.Status.Sick != "":
		m.tell(c, wire.Order{Halt: &wire.Halt{Number: c.number}})
		m.runFailed(c, "unhealthy: "+e.Status.Sick)
	}
}

// forgive takes back failures of a slot for the time its copy was ready.
func (m *Machine) forgive(c *Copy) {
	s, r := m.Slots[c.Ordinal], m.version(c.Version).body.Restart
	forgiven := int((m.now - c.readySince) / max(1, millis(r.Decay)))
	s.Failures = max(0, s.Failures-forgiven)
	if forgiven > 0 {
		c.inPlace = 0
	}
}

// pause counts a failure of a slot and answers how long it pauses.
func (m *Machine) pause(c *Copy, why string) int64 {
	s, r := m.Slots[c.Ordinal], m.version(c.Version).body.Restart
	if c.readySince > 0 {
		m.forgive(c)
		c.readySince = 0
	}
	s.Last = why
	s.Restarts++
	s.Failures++
	if !c.wasReady {
		s.Tries++
	}
	pause, longest := millis(r.Backoff), millis(r.Max)
	for range s.Failures - 1 {
		if pause *= 2; pause >= longest {
			break
		}
	}
	return min(pause, longest)
}

// runFailed has a copy's command run again after a pause: in its executor, or
// after too many failures there in a new one.
func (m *Machine) runFailed(c *Copy, why string) {
	canary := c.wasReady && m.isCanary(c)
	pause := m.pause(c, why)
	m.say("%s failed: %s", m.gang(c), why)
	if c.inPlace++; c.inPlace > *m.version(c.Version).body.Restart.InPlace {
		m.emit(Release{m.gang(c)})
		m.drop(c)
		m.Slots[c.Ordinal].RetryAt = m.now + pause
	} else {
		c.number++
		c.runAt, c.startedAt = m.now+pause, 0
		c.wasReady = false
	}
	if canary {
		m.failRollout(m.copyName(c.Ordinal) + ", a canary, failed: " + why)
	}
}

// slotFailed has a slot's next copy wait, after its copy was lost.
func (m *Machine) slotFailed(c *Copy, why string) {
	canary := c.wasReady && m.isCanary(c)
	m.Slots[c.Ordinal].RetryAt = m.now + m.pause(c, why)
	m.say("%s is lost: %s", m.gang(c), why)
	if canary {
		m.failRollout(m.copyName(c.Ordinal) + ", a canary, was lost: " + why)
	}
}

func (m *Machine) isCanary(c *Copy) bool {
	return m.Rollout != nil && m.Rollout.Canary && c.Version == m.Target
}

// attend gives a copy what it is due: a run, a repeated order, or an end to its
// time to get ready.
func (m *Machine) attend(c *Copy) {
	if !c.up {
		return
	}
	if !c.heard || c.asked > 0 {
		if m.now-c.asked >= repeatAfter {
			m.repeat(c)
		}
		if !c.heard {
			return
		}
	}
	if c.Ending {
		return
	}
	m.settle(c)
	body := m.version(c.Version).body
	switch {
	case c.number == 0:
		c.number = 1
		m.run(c)
	case c.runAt > 0:
		if m.now >= c.runAt {
			m.run(c)
		}
	case c.readySince == 0 && c.startedAt > 0 && m.now-c.startedAt >= millis(body.StartWithin):
		why := "not ready within " + body.StartWithin.String()
		if c.status.Why != "" {
			why += ": " + c.status.Why
		}
		m.tell(c, wire.Order{Halt: &wire.Halt{Number: c.number}})
		m.runFailed(c, why)
	}
}

// settle notes that a copy has been ready for long enough to count.
func (m *Machine) settle(c *Copy) {
	if c.wasReady || !m.settled(c) {
		return
	}
	c.wasReady = true
	m.Slots[c.Ordinal].Tries = 0
	if m.Rollout != nil && c.Version == m.Target {
		m.Rollout.Progress = m.now
	}
}

// run has a copy's worker run the command.
func (m *Machine) run(c *Copy) {
	c.runAt = 0
	if c.startedAt == 0 {
		c.startedAt = m.now
	}
	v := m.version(c.Version)
	m.tell(c, wire.Order{Run: &wire.Run{
		Number: c.number, Service: m.name, Copy: m.copyName(c.Ordinal), Ordinal: c.Ordinal, Version: c.Version, Body: v.body,
	}})
}

// repeat says again what a worker should do.
func (m *Machine) repeat(c *Copy) {
	switch {
	case c.Ending && c.heard:
		m.tell(c, wire.Order{Halt: &wire.Halt{Number: c.status.Number, Drain: true}})
	case c.number > 0 && c.runAt == 0 && c.heard:
		m.run(c)
	default:
		m.tell(c, wire.Order{})
	}
}
