package epoch

import (
	"time"

	"github.com/capstan-run/capstan/frameworks/stream/snapshot"
	"github.com/capstan-run/capstan/frameworks/stream/topology"
)

// Event is what happens: one of the types below.
type Event interface{ event() }

// Begin is the first event. Last is the epoch to go on from, if there is one.
type Begin struct{ Last *snapshot.Manifest }

// Tick lets time pass.
type Tick struct{}

// Handed is a task's piece of an epoch.
type Handed struct {
	Epoch int64
	Task  int
	Piece snapshot.Piece
}

// Committed says that the manifest of an epoch was written.
type Committed struct{ Epoch int64 }

// Published says that a sink's task has published a part of an epoch: that of
// the index which Piece had.
type Published struct {
	Epoch int64
	Task  int
	Index int
}

// Urged asks for an epoch at once: somebody waits for one to be committed.
type Urged struct{}

func (Urged) event() {}

// Exhausted says that a source's task is at its end. When all are, an epoch
// begins at once.
type Exhausted struct{ Task int }

func (Exhausted) event() {}
func (Begin) event()     {}
func (Tick) event()      {}
func (Handed) event()    {}
func (Committed) event() {}
func (Published) event() {}

// Effect is what is to be done: one of the types below.
type Effect interface{ effect() }

// Trigger has the sources begin an epoch.
type Trigger struct{ Epoch int64 }

// Commit writes a manifest; Committed answers.
type Commit struct{ Manifest *snapshot.Manifest }

// Publish has a sink's task publish its part of an epoch; Published answers.
type Publish struct {
	Epoch int64
	Task  int
	Piece snapshot.Piece
}

// Passed has the sources be told that an epoch was committed.
type Passed struct{ Epoch int64 }

func (Passed) effect() {}

// Done says that the topology has come to its end.
type Done struct{ Epoch int64 }

func (Trigger) effect() {}
func (Commit) effect()  {}
func (Publish) effect() {}
func (Done) effect()    {}

// wait is a part that a task has still to publish: it may have those of several
// tasks, where there were more before.
type wait struct{ task, index int }

type phase int

const (
	idle phase = iota
	begun
	committing
	publishing
	done
)

// Machine decides for one run of a topology. It is not safe for concurrent use.
type Machine struct {
	every  int64
	owner  string
	groups int
	tasks  []topology.Task

	phase   phase
	epoch   int64 // the one under way, or the last one
	since   int64
	pieces  []*snapshot.Piece // by task id - 1
	missing int
	waits   map[wait]bool // what has still to be published
	final   bool
	urged   bool         // an epoch was asked for while one was under way
	running map[int]bool // tasks of sources that are not at their end
	now     int64
	out     []Effect
}

// New makes the machine of a topology that was bound. owner is who runs it.
func New(t *topology.Topology, owner string) *Machine {
	m := &Machine{every: max(1, int64(t.Epoch/time.Millisecond)), owner: owner, groups: t.Groups, tasks: t.Tasks(), waits: map[wait]bool{}, running: map[int]bool{}}
	for _, task := range m.tasks {
		if task.Component.Role == topology.Source {
			m.running[task.ID] = true
		}
	}
	return m
}

// Epoch is the epoch under way, or the last one.
func (m *Machine) Epoch() int64 { return m.epoch }

// Step takes an event at now. The effects may be used until the next step.
func (m *Machine) Step(now int64, e Event) []Effect {
	m.now, m.out = max(m.now, now), nil
	switch e := e.(type) {
	case Begin:
		m.since = m.now
		if e.Last != nil {
			m.epoch, m.final = e.Last.Epoch, e.Last.Final
			m.publish(e.Last)
		}
	case Tick:
		if m.phase == idle && (m.now-m.since >= m.every || len(m.running) == 0 || m.urged) {
			m.begin()
		}
	case Urged:
		m.urged = m.phase != idle
		if m.phase == idle {
			m.begin()
		}
	case Exhausted:
		delete(m.running, e.Task)
		if m.phase == idle && len(m.running) == 0 {
			m.begin()
		}
	case Handed:
		m.handed(e)
	case Committed:
		if m.phase == committing && e.Epoch == m.epoch {
			m.emit(Passed{m.epoch})
			m.publish(m.manifest())
		}
	case Published:
		if m.phase == publishing && e.Epoch == m.epoch && m.waits[wait{e.Task, e.Index}] {
			delete(m.waits, wait{e.Task, e.Index})
			m.published()
		}
	}
	return m.out
}

func (m *Machine) emit(e Effect) { m.out = append(m.out, e) }

func (m *Machine) begin() {
	m.phase, m.since, m.urged = begun, m.now, false
	m.epoch++
	m.pieces, m.missing = make([]*snapshot.Piece, len(m.tasks)), len(m.tasks)
	m.emit(Trigger{m.epoch})
}

func (m *Machine) handed(e Handed) {
	if m.phase != begun || e.Epoch != m.epoch || e.Task < 1 || e.Task > len(m.pieces) || m.pieces[e.Task-1] != nil {
		return // law E4
	}
	m.pieces[e.Task-1] = &e.Piece
	if m.missing--; m.missing == 0 {
		m.phase = committing
		m.emit(Commit{m.manifest()})
	}
}

func (m *Machine) manifest() *snapshot.Manifest {
	man := &snapshot.Manifest{Version: snapshot.Version, Epoch: m.epoch, Owner: m.owner, Groups: m.groups, Final: true}
	for i, p := range m.pieces {
		man.Pieces = append(man.Pieces, *p)
		if m.tasks[i].Component.Role == topology.Source && !p.Exhausted {
			man.Final = false
		}
	}
	return man
}

// publish has the sinks publish what a manifest names. Its tasks may be those of
// another number: any task of the component can publish a part.
func (m *Machine) publish(man *snapshot.Manifest) {
	m.phase, m.final = publishing, man.Final
	for _, p := range man.Pieces {
		if len(p.Part) == 0 {
			continue
		}
		if task := m.publisher(p); task > 0 {
			m.waits[wait{task, p.Index}] = true
			m.emit(Publish{Epoch: m.epoch, Task: task, Piece: p})
		}
	}
	m.published()
}

// publisher is the task that publishes a piece; 0 if its component is gone.
func (m *Machine) publisher(p snapshot.Piece) int {
	for _, t := range m.tasks {
		if t.Component.ID == p.Component && t.Index == p.Index%t.Component.Tasks {
			return t.ID
		}
	}
	return 0
}

func (m *Machine) published() {
	if len(m.waits) > 0 {
		return
	}
	m.phase = idle
	if m.final {
		m.phase = done
		m.emit(Done{m.epoch})
	}
}
