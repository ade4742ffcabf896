package coordinate

import "github.com/capstan-run/capstan/frameworks/bsp/task"

// rank is one executor.
type rank struct {
	up      bool
	hello   *task.Hello // nil until it came
	runs    int         // the incarnation it was told to begin, and has not answered; else 0
	done    *task.Done  // of the incarnation under way
	brought bool        // the checkpoint that is brought to the store
}

func (m *Machine) gangUp(e GangUp) {
	if m.running {
		m.breakUp("the gang was started again")
		if m.ended {
			return
		}
	}
	m.yield = nil
	m.ranks = make([]*rank, e.Size)
	for r := range m.ranks {
		m.ranks[r] = &rank{up: true}
	}
	for _, r := range e.Lost {
		if k := m.rank(r); k != nil {
			k.up = false
		}
	}
	m.forgetOtherSizes(e.Size)
	m.meter.resize(e.Size)
	if m.state.Result != nil {
		return
	}
	m.adopting = true
	for r, k := range m.ranks {
		if k.up {
			m.ask(r)
		}
	}
}

// ask has a rank say hello. A worker does so only when asked: one that it sent by
// itself might have gone to an older generation.
func (m *Machine) ask(r int) { m.send(r, task.Down{Query: &task.Query{}}) }

// forgetOtherSizes strikes out checkpoints that have not a part for each rank.
func (m *Machine) forgetOtherSizes(size int) {
	if n := len(m.state.Kept); n > 0 && m.state.Kept[n-1].Size != size {
		m.note("the checkpoint after superstep %d is of %d ranks, the gang now has %d: the job begins anew",
			m.state.Kept[n-1].Superstep, m.state.Kept[n-1].Size, size)
		m.state.Kept = nil
	}
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
	was := *k
	*k = rank{done: was.done}
	if m.state.Result != nil {
		return // all that is left to do needs no executor
	}
	m.note("rank %d was lost: %s", r, reason)
	if m.running && was.done == nil {
		m.breakUp(reason)
	}
	m.leaveWhenBrought()
}

func (m *Machine) rankReplaced(r int) {
	k := m.rank(r)
	if k == nil {
		return // the gang has grown, and this job with it cannot
	}
	if k.up {
		m.rankLost(r, "replaced") // the loss was not told, but the new one holds nothing
		if m.ended {
			return
		}
	}
	k.up = true
	if m.state.Result == nil {
		m.ask(r)
	}
}

// ready is law C2.
func (m *Machine) ready() bool {
	for _, k := range m.ranks {
		if !k.up || k.hello == nil || k.runs != 0 {
			return false
		}
	}
	return len(m.ranks) > 0
}

// catchUp keeps a hello true of what the rank said since, while those of others
// are awaited: who adopts goes by hellos alone.
func (k *rank) catchUp(up task.Up) {
	if k.hello == nil {
		return
	}
	h := *k.hello
	switch {
	case up.Done != nil && up.Done.Incarnation == h.Running:
		h.Done = up.Done
	case up.Ended != nil && up.Ended.Incarnation == h.Running:
		h.Running, h.Written, h.Done = 0, nil, nil
	}
	k.hello = &h
}

// adopt goes on with the incarnation that all ranks are in (law C6).
func (m *Machine) adopt() {
	whole := m.state.Incarnation > 0
	for _, k := range m.ranks {
		if k.up && k.hello == nil {
			return
		}
		whole = whole && k.up && k.hello.Running == m.state.Incarnation
	}
	m.adopting = false
	for r, k := range m.ranks {
		if !k.up || k.hello.Running == 0 {
			continue
		}
		if k.hello.Done == nil {
			k.runs = k.hello.Running
		}
		if !whole && k.runs != 0 {
			m.send(r, task.Down{Stop: &task.Stop{Incarnation: k.hello.Running}})
		}
	}
	if !whole {
		m.advance()
		return
	}
	m.running = true
	for r, k := range m.ranks {
		for _, w := range k.hello.Written {
			m.written(r, &w)
		}
	}
	for _, k := range m.ranks {
		if k.hello.Done != nil && m.running {
			m.done(k, k.hello.Done)
		}
	}
}
