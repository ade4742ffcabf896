package coordinate

import (
	"fmt"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/stream/epoch"
	"github.com/capstan-run/capstan/frameworks/stream/snapshot"
	"github.com/capstan-run/capstan/frameworks/stream/topology"
	"github.com/capstan-run/capstan/frameworks/stream/wire"
)

// repairs is how often the gang goes back to one epoch.
const repairs = 5

// Machine coordinates one generation of an attempt. It is not safe for
// concurrent use.
type Machine struct {
	topology *topology.Topology
	owner    string             // of this generation
	last     *snapshot.Manifest // the last epoch; nil before the first

	ranks       []*rank // nil while there is no gang
	incarnation int
	epochs      *epoch.Machine // of the incarnation under way; nil: none is
	committing  bool
	repaired    int // since last was committed
	yielding    bool
	ended       bool
	now         int64
	note        string
	out         []Effect
}

// rank is one executor.
type rank struct {
	up    bool
	hello *wire.Hello
	runs  int // the incarnation that it has not ended; 0: none
}

// New makes the machine of a topology that was bound, from its last epoch. No
// other generation has its owner's name.
func New(t *topology.Topology, owner string, last *snapshot.Manifest) *Machine {
	return &Machine{topology: t, owner: owner, last: last}
}

// Step takes an event at now, in milliseconds since any fixed moment, and
// answers with what to do, in order. After an End effect it answers nothing.
func (m *Machine) Step(now int64, e Event) []Effect {
	m.now, m.out = max(m.now, now), nil
	if m.ended {
		return nil
	}
	switch e := e.(type) {
	case GangUp:
		m.gangUp(e)
	case FromRank:
		m.message(e.Rank, e.Up)
	case RankLost:
		m.lost(e.Rank, e.Reason)
	case RankReplaced:
		m.replaced(e.Rank)
	case Committed:
		m.committed(e)
	case GiveWay:
		m.yielding = true
		m.say("the gang gives way after this epoch: %s", e.Reason)
	case CancelAsked:
		m.end(core.Errorf(core.Cancelled, "cancelled: %s", e.Reason))
	case Tick:
		m.turn(epoch.Tick{})
	}
	m.advance()
	return m.out
}

func (m *Machine) emit(e Effect) { m.out = append(m.out, e) }

func (m *Machine) send(r int, d wire.Down) { m.emit(Send{Rank: r, Down: d}) }

func (m *Machine) say(format string, args ...any) {
	m.note = fmt.Sprintf(format, args...)
	m.emit(Note{Text: m.note})
}

func (m *Machine) end(err error) {
	m.ended = true
	m.emit(End{Err: err})
}

func (m *Machine) rank(r int) *rank {
	if r < 0 || r >= len(m.ranks) {
		return nil
	}
	return m.ranks[r]
}

func (m *Machine) gangUp(e GangUp) {
	m.epochs, m.yielding = nil, false
	m.ranks = make([]*rank, e.Size)
	for r := range m.ranks {
		m.ranks[r] = &rank{up: true}
	}
	for _, r := range e.Lost {
		if k := m.rank(r); k != nil {
			k.up = false
		}
	}
	for r, k := range m.ranks {
		if k.up {
			m.send(r, wire.Down{Query: &wire.Query{}})
		}
	}
}

func (m *Machine) lost(r int, reason string) {
	if k := m.rank(r); k != nil && k.up {
		m.ranks[r] = &rank{}
		m.say("rank %d was lost: %s", r, reason)
		m.breakUp(core.Errorf(core.Failed, "rank %d was lost: %s", r, reason).Do("see the rank's log; if it ran out of memory, raise gang.memory"))
	}
}

func (m *Machine) replaced(r int) {
	if m.rank(r) == nil {
		return
	}
	m.lost(r, "replaced")
	m.ranks[r] = &rank{up: true}
	m.send(r, wire.Down{Query: &wire.Query{}})
}

func (m *Machine) message(r int, up wire.Up) {
	k := m.rank(r)
	if k == nil || !k.up {
		return
	}
	switch {
	case up.Hello != nil:
		k.hello, k.runs = up.Hello, up.Hello.Running
		if k.runs != 0 { // of an earlier generation
			m.send(r, wire.Down{Stop: &wire.Stop{Incarnation: k.runs}})
		}
	case up.Told != nil && up.Told.Incarnation == m.incarnation:
		if e := up.Told.Event(); e != nil {
			m.turn(e)
		}
	case up.Ended != nil && up.Ended.Incarnation == k.runs:
		k.runs = 0
		if m.epochs != nil && up.Ended.Incarnation == m.incarnation {
			e := up.Ended.Err
			m.say("rank %d ended: %s", r, e.Error())
			m.breakUp(&e)
		}
	}
}

// breakUp ends the incarnation under way: all go back to the last epoch.
func (m *Machine) breakUp(why *core.Error) {
	if m.epochs == nil || m.ended {
		return
	}
	m.epochs = nil
	if m.repaired++; m.repaired > repairs || why.Kind == core.Invalid || why.Kind == core.Conflict || why.Kind == core.Denied {
		m.end(why)
		return
	}
	for r, k := range m.ranks {
		if k.up && k.runs != 0 {
			m.send(r, wire.Down{Stop: &wire.Stop{Incarnation: k.runs}})
		}
	}
}

// advance begins an incarnation when it can (law C1).
func (m *Machine) advance() {
	if m.ended || m.epochs != nil || m.committing || len(m.ranks) == 0 {
		return
	}
	var hosts []string
	for _, k := range m.ranks {
		if !k.up || k.hello == nil || k.runs != 0 {
			return
		}
		hosts = append(hosts, k.hello.Host)
	}
	m.incarnation++
	owner := fmt.Sprintf("%s-%d", m.owner, m.incarnation)
	m.epochs = epoch.New(m.topology, owner)
	for r, k := range m.ranks {
		k.runs = m.incarnation
		m.send(r, wire.Down{Begin: &wire.Begin{Incarnation: m.incarnation, Owner: owner, Hosts: hosts, From: m.last}})
	}
	m.turn(epoch.Begin{Last: m.last})
}

// turn tells the machine of epochs what happened.
func (m *Machine) turn(e epoch.Event) {
	if m.epochs == nil {
		return
	}
	for _, f := range m.epochs.Step(m.now, e) {
		switch f := f.(type) {
		case epoch.Trigger:
			for r := range m.ranks {
				m.send(r, wire.Down{Trigger: &wire.Trigger{Incarnation: m.incarnation, Epoch: f.Epoch}})
			}
		case epoch.Passed:
			for r := range m.ranks {
				m.send(r, wire.Down{Passed: &wire.Trigger{Incarnation: m.incarnation, Epoch: f.Epoch}})
			}
		case epoch.Publish:
			home := (f.Task - 1) % len(m.ranks)
			m.send(home, wire.Down{Publish: &wire.Publish{Incarnation: m.incarnation, Publish: f}})
		case epoch.Commit:
			m.committing = true
			m.emit(Commit{f.Manifest})
		case epoch.Done:
			m.end(nil)
			return
		}
	}
}

func (m *Machine) committed(e Committed) {
	m.committing = false
	if e.Err != nil {
		m.end(e.Err)
		return
	}
	m.last, m.repaired = e.Manifest, 0
	if m.yielding {
		m.yielding, m.epochs, m.ranks = false, nil, nil
		m.emit(Renew{})
		return
	}
	m.turn(epoch.Committed{Epoch: e.Manifest.Epoch})
}

// Progress is a snapshot for the user.
func (m *Machine) Progress() core.Progress {
	p := core.Progress{Note: m.note, Counters: map[string]int64{"stream/incarnations": int64(m.incarnation)}}
	if m.last != nil {
		p.Counters["stream/epoch"] = m.last.Epoch
		bytes := int64(0)
		for _, piece := range m.last.Pieces {
			bytes += piece.Bytes
		}
		p.Counters["stream/state bytes"] = bytes
	}
	return p
}
