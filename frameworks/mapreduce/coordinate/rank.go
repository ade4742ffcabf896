package coordinate

import (
	"slices"

	"github.com/capstan-run/capstan/frameworks/mapreduce/task"
)

// rank is one executor.
type rank struct {
	up       bool
	leaving  bool // it will be lost: it gets no task
	asked    bool // its inventory is awaited
	failures int
	tries    []*try
}

func (m *Machine) gangUp(e GangUp) {
	// A second gang of one generation is an empty one.
	for r := range m.ranks {
		m.rankLost(r, "the gang was started again")
		if m.ended {
			return
		}
	}
	m.leave, m.away = nil, false
	m.ranks = make([]*rank, e.Size)
	for r := range m.ranks {
		m.ranks[r] = &rank{up: true}
	}
	for _, r := range e.Lost {
		if k := m.rank(r); k != nil {
			k.up = false
		}
	}
	if !e.Resumed {
		return
	}
	m.askedUntil = m.now + inventoryWait
	for r, k := range m.ranks {
		if k.up {
			k.asked = true
			m.send(r, task.Down{Query: &task.Query{}})
		}
	}
}

// asking reports whether an inventory is still worth waiting for: a task
// started now might be done already.
func (m *Machine) asking() bool {
	if m.now >= m.askedUntil {
		return false
	}
	return slices.ContainsFunc(m.ranks, func(k *rank) bool { return k.asked })
}

// rank is nil for a number outside the gang.
func (m *Machine) rank(r int) *rank {
	if r < 0 || r >= len(m.ranks) {
		return nil
	}
	return m.ranks[r]
}

func (m *Machine) rankLost(r int, reason string) {
	k := m.rank(r)
	if k == nil || !k.up {
		return
	}
	k.up, k.asked = false, false
	if m.state.Result != nil {
		return // all that is left to do needs no executor
	}
	tries := k.tries
	k.tries = nil
	again := ""
	for _, t := range tries {
		t.drop()
		if t.leaving || t.done != nil {
			continue
		}
		if k.leaving { // nothing went wrong
			t.requeue()
			continue
		}
		t.stage.failed++
		t.deaths++
		if t.deaths >= 2*m.cfg.Attempts {
			m.note("rank %d was lost: %s", r, reason)
			m.end(died(t, reason))
			return
		}
		t.requeue()
		again += "; " + t.name() + " runs again"
		if len(again) > 200 {
			again = "; its tasks run again"
		}
	}
	m.note("rank %d was lost: %s%s", r, reason, again)
	if !slices.ContainsFunc(m.ranks, func(k *rank) bool { return k.up }) {
		m.note("no executor is left; waiting for another")
	}
}

func (m *Machine) rankReplaced(r int) {
	if m.away {
		return
	}
	if r == len(m.ranks) {
		m.ranks = append(m.ranks, &rank{})
		m.note("the gang has grown to %d executors", len(m.ranks))
	}
	k := m.rank(r)
	if k == nil {
		return
	}
	if k.up {
		// The loss was not told, but the new executor holds nothing.
		m.rankLost(r, "replaced")
		if m.ended {
			return
		}
	}
	*k = rank{up: true}
	if m.state.Result == nil {
		m.note("rank %d is back", r)
	}
}

// avoided reports whether a rank fails so much more than another one that it
// gets no tasks. The rank with the fewest failures is never avoided.
func (m *Machine) avoided(r int) bool {
	k := m.ranks[r]
	if k.failures < 3 {
		return false
	}
	return slices.ContainsFunc(m.ranks, func(o *rank) bool { return o.up && 2*o.failures < k.failures })
}

// free is the number of tries a rank could take now.
func (m *Machine) free(r int) int {
	k := m.ranks[r]
	if !k.up || k.leaving || m.winding() || m.avoided(r) {
		return 0
	}
	return m.cfg.Slots - len(k.tries)
}

// byFree lists the ranks that could take a try, the emptiest first.
func (m *Machine) byFree() []int {
	var list []int
	for r := range m.ranks {
		if m.free(r) > 0 {
			list = append(list, r)
		}
	}
	slices.SortStableFunc(list, func(a, b int) int { return m.free(b) - m.free(a) })
	return list
}

// accepts reports whether a task may be tried on a rank: where it failed, only
// if it failed everywhere else, too.
func (m *Machine) accepts(i *item, r int) bool {
	if !slices.Contains(i.failedOn, r) {
		return true
	}
	for o, k := range m.ranks {
		if k.up && !m.avoided(o) && !slices.Contains(i.failedOn, o) {
			return false
		}
	}
	return true
}

// drop takes the try out of its task.
func (t *try) drop() {
	t.item.tries = slices.DeleteFunc(t.item.tries, func(o *try) bool { return o == t })
}

// release frees the slot of a try that has answered; nil if it is unknown.
func (m *Machine) release(r int, id task.ID, no int) *try {
	k := m.rank(r)
	if k == nil {
		return nil
	}
	at := slices.IndexFunc(k.tries, func(t *try) bool { return t.id == id && t.no == no })
	if at < 0 {
		return nil
	}
	t := k.tries[at]
	k.tries = slices.Delete(k.tries, at, at+1)
	t.drop()
	return t
}
