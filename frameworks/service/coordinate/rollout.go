package coordinate

import (
	"fmt"
	"slices"
)

// judge decides whether a rollout is over, and how.
func (m *Machine) judge() {
	r := m.Rollout
	if r == nil || r.Paused {
		return
	}
	update := m.target().Update
	for i, s := range m.Slots[:m.Size] {
		if s.Version == m.Target && s.Tries >= update.Tries {
			m.failRollout(fmt.Sprintf("%s did not get ready in %d tries: %s", m.copyName(i), s.Tries, s.Last))
			return
		}
	}
	if m.now-r.Progress >= millis(update.Within) {
		m.failRollout(fmt.Sprintf("no copy got ready within %s", update.Within))
		return
	}
	switch {
	case r.Canary && m.sung():
		r.Canary, r.Progress = false, m.now
		m.say("version %d: its canaries are well; the other copies follow", m.Target)
	case !r.Canary && m.complete():
		m.version(m.Target).State = good
		m.Good, m.Rollout = m.Target, nil
		m.say("version %d: all copies are ready", m.Target)
	}
}

// sung reports whether the canaries have been ready for as long as they should.
func (m *Machine) sung() bool {
	hold := millis(m.target().Update.Canary.Hold)
	m.pickCanaries()
	for _, i := range m.Rollout.Canaries {
		well := func(c *Copy) bool {
			return c.Version == m.Target && m.settled(c) && m.now-c.readySince >= hold
		}
		if !slices.ContainsFunc(m.Slots[i].Copies, well) {
			return false
		}
	}
	return true
}

// pickCanaries sees to it that there are as many canaries as there should be.
// Slots without a ready copy come first: a new version that mends them takes
// nothing away. One that has not begun is picked anew each time, for its old copy
// may be needed by now.
func (m *Machine) pickCanaries() {
	r, order := m.Rollout, m.order()
	poor := func(i int) int {
		if i < len(m.Slots) && slices.ContainsFunc(m.Slots[i].Copies, m.settled) {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(order, func(a, b int) int { return poor(a) - poor(b) })
	r.Canaries = slices.DeleteFunc(r.Canaries, func(i int) bool { return i >= m.Size || !m.begun(i) })
	for _, i := range order {
		if len(r.Canaries) < m.target().Update.Canary.Copies && !slices.Contains(r.Canaries, i) {
			r.Canaries = append(r.Canaries, i)
		}
	}
}

// begun reports whether a slot has tried the target version.
func (m *Machine) begun(i int) bool {
	if i >= len(m.Slots) {
		return false
	}
	s := m.Slots[i]
	return s.Version == m.Target && s.Tries > 0 || slices.ContainsFunc(s.Copies, func(c *Copy) bool { return c.Version == m.Target })
}

// complete reports whether every slot has a ready copy of the target version,
// and no other.
func (m *Machine) complete() bool {
	for _, s := range m.Slots[:m.Size] {
		if len(s.Copies) != 1 || s.Copies[0].Version != m.Target || !m.settled(s.Copies[0]) {
			return false
		}
	}
	return true
}

// failRollout gives the target version up, and goes back to the good one if
// that is wanted and there is one.
func (m *Machine) failRollout(why string) {
	r, v := m.Rollout, m.version(m.Target)
	v.State, v.Note = failed, why
	m.say("version %d failed: %s", m.Target, why)
	if r.From == 0 || r.From == m.Target || !*v.body.Update.Rollback {
		m.Rollout = nil // its copies are tried on, after pauses
		return
	}
	m.say("going back to version %d", r.From)
	m.roll(r.From)
	m.Rollout.Back = true
}

// roll begins to bring all copies to a version.
func (m *Machine) roll(to int) {
	if m.Rollout != nil {
		if v := m.version(m.Target); v.State == rolling {
			v.State = superseded
		}
	}
	m.Target = to
	v := m.version(to)
	m.Rollout = &Rollout{From: m.Good, Progress: m.now}
	// What was good before needs no trial.
	m.Rollout.Canary = v.body.Update.Canary != nil && m.Good != 0 && v.State != good
	if m.Rollout.Canary {
		m.pickCanaries()
	}
	v.State = rolling
	for _, s := range m.Slots {
		s.Tries, s.Failures, s.RetryAt = 0, 0, 0
	}
}

// trim forgets the oldest versions that no copy has and nobody goes back to.
func (m *Machine) trim() {
	used := func(n int) bool {
		return n == m.Target || n == m.Good || slices.ContainsFunc(m.Slots, func(s *Slot) bool {
			return s.Version == n || slices.ContainsFunc(s.Copies, func(c *Copy) bool { return c.Version == n })
		})
	}
	for i := 0; len(m.Versions) > keptVersions && i < len(m.Versions); {
		if used(m.Versions[i].Number) {
			i++
			continue
		}
		m.Versions = slices.Delete(m.Versions, i, i+1)
	}
}
