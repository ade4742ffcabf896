package coordinate

import "github.com/capstan-run/capstan/frameworks/bsp/task"

// yield is a gang on its way out: a checkpoint is made, brought to the store,
// and the gang let go.
type yield struct {
	asked int64 // when the notice came
	until int64
	bring *task.Checkpoint // is being brought to the store; nil while one is made
	over  bool             // the gang was let go
}

// giveWay has the gang make a checkpoint before it goes.
func (m *Machine) giveWay(e GiveWay) {
	if m.yield != nil || m.state.Result != nil || len(m.ranks) == 0 {
		return
	}
	m.yield = &yield{asked: m.now, until: e.Until}
	m.note("the gang gives way: %s", e.Reason)
	if !m.running {
		m.leaveWith()
		return
	}
	for r, k := range m.ranks {
		if k.up && k.runs != 0 {
			m.send(r, task.Down{Save: &task.Save{Incarnation: m.state.Incarnation}})
		}
	}
}

// stay has the gang go on where it is, unless it was let go. What is on its way to
// the store is not waited for.
func (m *Machine) stay() {
	if m.yield != nil && !m.yield.over {
		m.yield = nil
		m.note("the gang stays")
	}
}

// hurry gives up waiting for a new checkpoint when half of the time is over, and
// brings the last one there is.
func (m *Machine) hurry() {
	y := m.yield
	if y != nil && y.bring == nil && !y.over && m.now-y.asked >= (y.until-y.asked)/2 {
		m.leaveWith()
	}
}

// yieldAfter goes on giving way once a checkpoint counts.
func (m *Machine) yieldAfter() {
	if y := m.yield; y != nil && y.bring == nil && !y.over {
		m.leaveWith()
	}
}

// leaveWith has the newest checkpoint, if there is one, brought to the store, with
// what supersteps cost so far, then lets the gang go.
func (m *Machine) leaveWith() {
	c := m.state.resume()
	if c == nil {
		c = new(task.Checkpoint)
	}
	m.yield.bring = c
	for r, k := range m.ranks {
		k.brought = false
		if k.up {
			m.send(r, task.Down{Bring: &task.Bring{Checkpoint: *c}})
		}
	}
	m.leaveWhenBrought()
}

func (m *Machine) brought(k *rank, b *task.Brought) {
	y := m.yield
	if y == nil || y.bring == nil || y.over || b.Checkpoint != *y.bring {
		return
	}
	k.brought = true
	m.leaveWhenBrought()
}

// leaveWhenBrought lets the gang go when nothing more can be brought: the files of
// a rank that is gone go with the gang's folder.
func (m *Machine) leaveWhenBrought() {
	y := m.yield
	if y == nil || y.bring == nil || y.over || m.ended {
		return
	}
	for _, k := range m.ranks {
		if k.up && !k.brought {
			return
		}
	}
	m.leave()
}

// leave lets the gang go, and asks for it again. What is saved then says all
// that the next gang needs.
func (m *Machine) leave() {
	m.yield.over = true
	m.running = false
	m.ranks = nil
	if m.unsaved > 0 {
		m.unsaved = 0
		m.save(func() {})
	}
	m.emit(Renew{})
}
