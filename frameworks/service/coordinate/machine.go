package coordinate

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/service/spec"
	"github.com/capstan-run/capstan/frameworks/service/wire"
)

const (
	keptVersions = 10
	repeatAfter  = 3_000  // an order without an answer is repeated after so long
	doubtFor     = 20_000 // a copy of an earlier coordinator is in doubt for so long
	forgetAfter  = 3_000  // and when the service ends
)

// Machine decides for one service. It is not safe for concurrent use.
type Machine struct {
	State
	job     core.JobID
	name    string
	planned []string // gangs that the host may have started by itself
	now     int64
	out     []Effect
	ending  string // why the service ends; "" if it does not
	done    bool
	names   string // what the copies were told last of each other
}

// New makes a machine of a fresh job, or of what an earlier one left in saved.
// planned are the gangs of the job's plan, which the host starts by itself.
func New(job *core.Job, saved *State, planned []string) (*Machine, error) {
	m := &Machine{job: job.ID, name: job.Spec.Metadata.Name, planned: planned}
	if saved != nil {
		m.State = *saved
		return m, nil
	}
	body, err := spec.Of(&job.Spec)
	if err != nil {
		return nil, err
	}
	m.Size, m.Target = job.Spec.Gang.Size, 1
	m.Versions = []*Version{{Number: 1, Spec: job.Spec, State: rolling, body: body}}
	m.Rollout = &Rollout{}
	return m, nil
}

// Step takes one event at a time in Unix milliseconds. Effects belong to the
// caller; the state has changed, and is to be saved before they are carried out.
func (m *Machine) Step(now int64, e Event) []Effect {
	m.now, m.out = max(now, m.now), nil
	if m.done {
		return nil
	}
	switch e := e.(type) {
	case Begin:
		m.begin()
	case Up:
		m.up(e)
	case Lost:
		m.lost(e.Gang, e.Reason)
	case Refused:
		m.lost(e.Gang, e.Reason)
	case Heard:
		m.heard(e)
	case Asked:
		m.command(e.Command)
	case Yield:
		if c := m.copy(e.Gang); c != nil {
			m.say("%s gives way: %s", m.gang(c), e.Reason)
			m.endCopy(c)
			c.EndBy = min(c.EndBy, e.Until)
		}
	case End:
		m.ending = e.Reason
		if m.ending == "" {
			m.ending = "asked to end"
		}
	}
	m.reconcile()
	return m.out
}

// begin finds out what became of the copies of an earlier coordinator.
func (m *Machine) begin() {
	if m.Rollout != nil && m.Rollout.Progress == 0 {
		m.Rollout.Progress = m.now
	}
	for _, v := range m.Versions {
		if v.Since == 0 {
			v.Since = m.now
		}
	}
	mine := map[string]bool{}
	for _, c := range m.copies() {
		c.doubt = m.now + doubtFor
		mine[m.gang(c)] = true
		m.emit(Want{m.ask(c)})
	}
	if len(mine) == 0 && m.Good == 0 && m.Command == 0 {
		return // the first of all: what is planned is what will be wanted
	}
	for _, gang := range m.planned {
		if !mine[gang] {
			m.emit(Release{gang})
		}
	}
}

func (m *Machine) emit(e Effect) { m.out = append(m.out, e) }

func (m *Machine) say(format string, args ...any) { m.emit(Say{fmt.Sprintf(format, args...)}) }

// copies lists all of them, by ordinal, the older first.
func (m *Machine) copies() []*Copy {
	var list []*Copy
	for _, s := range m.Slots {
		list = append(list, s.Copies...)
	}
	return list
}

// copyName is what a copy is called by others.
func (m *Machine) copyName(ordinal int) string { return fmt.Sprintf("%s-%d", m.name, ordinal) }

// gang is the name of a copy's gang.
func (m *Machine) gang(c *Copy) string {
	if c.Generation == 1 {
		return m.copyName(c.Ordinal)
	}
	return fmt.Sprintf("%s.g%d", m.copyName(c.Ordinal), c.Generation)
}

// copy is the copy whose gang has a name; nil if there is none (any more).
func (m *Machine) copy(gang string) *Copy {
	rest, ok := strings.CutPrefix(gang, m.name+"-")
	if !ok {
		return nil
	}
	number, _, _ := strings.Cut(rest, ".")
	i, err := strconv.Atoi(number)
	if err != nil || i < 0 || i >= len(m.Slots) {
		return nil
	}
	for _, c := range m.Slots[i].Copies {
		if m.gang(c) == gang {
			return c
		}
	}
	return nil
}

func (m *Machine) ask(c *Copy) core.GangAsk {
	v := m.version(c.Version)
	return Ask(m.job, v.Spec, v.body, c.Ordinal, m.gang(c), m.Slots[c.Ordinal].Node)
}

// up begins the life of a copy, or takes it up.
func (m *Machine) up(e Up) {
	c := m.copy(e.Gang)
	if c == nil {
		m.emit(Release{e.Gang})
		return
	}
	if e.Lost {
		m.lost(e.Gang, "ended while nobody looked")
		return
	}
	c.up, c.node = true, e.Node
	m.Slots[c.Ordinal].Node = e.Node
	if !e.Resumed {
		c.doubt = 0
	}
	m.tell(c, wire.Order{})
}

// tell sends an order and remembers when.
func (m *Machine) tell(c *Copy, o wire.Order) {
	c.asked = m.now
	m.emit(Tell{m.gang(c), o})
}

// lost forgets a copy whose executor is gone, and lets its slot pause.
func (m *Machine) lost(gang, reason string) {
	c := m.copy(gang)
	if c == nil {
		return
	}
	m.emit(Release{gang})
	m.drop(c)
	if !c.Ending {
		m.slotFailed(c, reason)
	}
}

// drop takes a copy out of its slot.
func (m *Machine) drop(c *Copy) {
	s := m.Slots[c.Ordinal]
	for i, o := range s.Copies {
		if o == c {
			s.Copies = append(s.Copies[:i:i], s.Copies[i+1:]...)
			return
		}
	}
}
