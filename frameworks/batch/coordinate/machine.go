package coordinate

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/batch/spec"
	"github.com/capstan-run/capstan/frameworks/batch/task"
)

// Config is what a machine decides by.
type Config struct {
	Job      core.JobID
	Body     *spec.Body
	Gang     core.GangAsk // of one element, if there is an array; Restart is set
	Array    *core.Array  // nil: none
	FirstTry int          // no try of an earlier generation has this number or a higher one
}

// defaultGrace is core.Gang.Grace's.
const defaultGrace = 30 * time.Second

func (c *Config) grace() time.Duration {
	if g := time.Duration(c.Gang.Grace); g > 0 {
		return g
	}
	return defaultGrace
}

// Machine decides. It belongs to one goroutine.
type Machine struct {
	cfg     Config
	gangs   map[string]*gang // that are up
	tally   Tally
	rows    rows
	tries   int
	writing int
	// ending is why the job is to end although it has work left.
	ending    *core.Error
	unwritten *core.Error // the first stream that could not be written
	first     *core.Error // the first element that failed
	note      string
	left      string // the gang of which note says that it gives way
	over      bool

	// Of an array, what has ended is saved before it is let go: else a new
	// coordinator would never hear of it.
	saving, unsaved []EndGang

	out []Effect // of the step under way
}

// New makes a machine that goes on from tally: the zero value at first.
func New(cfg Config, tally Tally) *Machine {
	return &Machine{cfg: cfg, gangs: map[string]*gang{}, tally: tally, tries: cfg.FirstTry}
}

// Step takes an event and answers what has to be done about it, in order. After
// End it answers nothing.
func (m *Machine) Step(e Event) []Effect {
	if m.over {
		return nil
	}
	m.out = nil
	switch e := e.(type) {
	case GangUp:
		m.up(e)
	case FromRank:
		m.heard(e)
	case RankLost:
		if g := m.gangs[e.Gang]; g.has(e.Rank) {
			m.lost(g, e.Rank, e.Reason)
		}
	case RankReplaced:
		if g := m.gangs[e.Gang]; g.has(e.Rank) {
			g.ranks[e.Rank].present = true
			m.proceed(g)
		}
	case GiveWay:
		m.giveWay(e)
	case Stay:
		m.stay(m.gangs[e.Gang])
	case Refused:
		m.refused(e)
	case CancelAsked:
		m.cancel(core.Errorf(core.Cancelled, "%s", e.Reason))
	case Saved:
		m.saved()
	case Written:
		m.writing--
		if e.Err != nil && m.unwritten == nil {
			m.unwritten = core.AsError(e.Err)
		}
	}
	m.finish()
	return m.out
}

func (m *Machine) do(e Effect) { m.out = append(m.out, e) }

func (m *Machine) say(format string, args ...any) {
	m.note, m.left = fmt.Sprintf(format, args...), ""
	m.do(Note{m.note})
}

// up takes a gang whose executors run: a new one, one of an earlier generation,
// or one that gave way and has a place again.
func (m *Machine) up(e GangUp) {
	index, place, ok := m.element(e.Gang)
	if !ok || m.ending != nil {
		return
	}
	if m.cfg.Array != nil && m.tally.Has(place) { // it ended, and only that was not heard
		named := func(o EndGang) bool { return o.Gang == e.Gang }
		if !slices.ContainsFunc(m.saving, named) && !slices.ContainsFunc(m.unsaved, named) {
			m.do(EndGang{e.Gang, !m.tally.Failed.Has(place)})
		}
		return
	}
	m.settled(e.Gang)
	g := newGang(&m.cfg, e, index, place)
	m.gangs[e.Gang] = g
	for r := range g.ranks {
		if k := &g.ranks[r]; e.Resumed && k.present && k.state != idle {
			k.state = asked
			m.do(Send{g.name, r, task.Down{Ask: true}})
		}
	}
	m.proceed(g)
}

// element is the index of a gang called name and its place in the array, both 0
// without one. ok is false for a gang that is none of this job's.
func (m *Machine) element(name string) (index, place int64, ok bool) {
	if m.cfg.Array == nil {
		return 0, 0, name == m.cfg.Gang.Name
	}
	whole, index, ok := core.ElementOf(name)
	n, has := m.cfg.Array.Place(index)
	return index, int64(n), ok && has && whole == m.cfg.Gang.Name
}

// start begins the next try of a rank's task.
func (m *Machine) start(g *gang, r int) {
	k := &g.ranks[r]
	m.tries++
	k.state, k.later, k.try = running, false, m.tries
	m.do(Send{g.name, r, task.Down{Run: &task.Run{Try: k.try, Nodes: g.nodes}}})
}

// stop tells a rank to end its task.
func (m *Machine) stop(g *gang, r int, grace time.Duration) { m.stopAfter(g, r, 0, grace) }

// stopAfter has a rank end its task unless it has ended by itself after a while.
func (m *Machine) stopAfter(g *gang, r int, after, grace time.Duration) {
	k := &g.ranks[r]
	if k.state == running || k.state == asked || k.state == stopping && k.later && after == 0 {
		k.state, k.later = stopping, after > 0
		m.do(Send{g.name, r, task.Down{Stop: &task.Stop{After: after, Grace: grace}}})
	}
}

func (m *Machine) heard(e FromRank) {
	g := m.gangs[e.Gang]
	if !g.has(e.Rank) {
		return
	}
	switch {
	case e.Up.Done != nil:
		m.done(g, e.Rank, e.Up.Done)
	case e.Up.Holds != nil:
		m.holds(g, e.Rank, e.Up.Holds)
	}
}

// holds takes a worker's answer to a new coordinator.
func (m *Machine) holds(g *gang, r int, h *task.Holds) {
	k := &g.ranks[r]
	if k.state != asked && k.state != stopping {
		return
	}
	switch {
	case h.Running > 0:
		k.try = h.Running
		if k.state == asked {
			k.state = running
		}
	case h.Done != nil:
		k.try = h.Done.Try
		m.done(g, r, h.Done)
	default:
		k.state = waiting
		m.proceed(g)
	}
}

// done takes the end of a try.
func (m *Machine) done(g *gang, r int, d *task.Done) {
	k := &g.ranks[r]
	if d.Try != k.try || !k.busy() {
		return
	}
	k.streams = d.Streams
	m.tally.Tries++
	m.rows.add(g, r, d)
	// An earlier generation may have told it to.
	stopped := d.Stopped || k.state == stopping && !k.later
	switch fault := m.fault(g, r, d); {
	case fault == nil && !d.Stopped:
		k.state = ended
	case stopped:
		k.state = waiting
	case m.again(k, d):
		m.say("%s; it is tried again", fault.What)
		if k.state = waiting; !g.giving { // else where the gang goes
			m.start(g, r)
		}
	default:
		k.state = failed
		m.fail(g, fault)
	}
	m.proceed(g)
}

// again reports whether a task that failed has a try left that may help, and
// takes it.
func (m *Machine) again(k *rank, d *task.Done) bool {
	k.failures++
	if d.Fault != nil && d.Fault.Kind == core.Invalid || k.failures > m.cfg.Body.Retries {
		return false
	}
	return d.Fault != nil || m.cfg.Body.WorthAnother(d.Code)
}

// fail has a gang end with a failure: the other tasks are told.
func (m *Machine) fail(g *gang, why *core.Error) {
	if g.failure != nil {
		return
	}
	g.failure = why
	for r := range g.ranks {
		m.stop(g, r, m.cfg.grace())
	}
}

// cancel has every gang end.
func (m *Machine) cancel(why *core.Error) {
	if m.ending != nil {
		return
	}
	m.ending = why
	for _, name := range slices.Sorted(maps.Keys(m.gangs)) {
		g := m.gangs[name]
		for r := range g.ranks {
			m.stop(g, r, m.cfg.grace())
		}
	}
}

// giveWay has a gang keep what it needs to go on elsewhere (law B5).
func (m *Machine) giveWay(e GiveWay) {
	g := m.gangs[e.Gang]
	if g == nil || g.giving || g.failure != nil || m.ending != nil {
		return
	}
	if e.Final {
		g.failure = m.expired(g)
		for r := range g.ranks {
			m.stop(g, r, e.Left)
		}
		m.proceed(g)
		return
	}
	g.giving = true
	m.say("gang %s gives way: %s", g.name, e.Reason)
	m.left = g.name
	grace := min(e.Left, m.cfg.grace())
	for r := range g.ranks {
		m.stopAfter(g, r, e.Left-grace, grace)
	}
	m.proceed(g)
}

// stay has a gang that gives way go on where it is. A task that has its signal
// already runs once more.
func (m *Machine) stay(g *gang) {
	if g == nil || !g.giving || m.ending != nil {
		return
	}
	g.giving = false
	m.settled(g.name)
	for r := range g.ranks {
		if k := &g.ranks[r]; k.state == stopping && k.later {
			k.state, k.later = running, false
			m.do(Send{g.name, r, task.Down{Stop: &task.Stop{Off: true}}})
		}
	}
	m.proceed(g)
}

// settled takes back the note that a gang gives way.
func (m *Machine) settled(gang string) {
	if m.left == gang {
		m.left, m.note = "", ""
	}
}

// refused counts elements that will never come up.
func (m *Machine) refused(e Refused) {
	if m.cfg.Array == nil {
		m.cancel(e.Err)
		return
	}
	for _, run := range m.cfg.Array.Places(e.Elements) {
		for n := run[0]; n <= run[1]; n++ {
			if !m.tally.Has(n) {
				m.tally.add(n, false)
			}
		}
	}
	if m.first == nil {
		m.first = e.Err
	}
}

// proceed does what a gang's state allows: starts what waits, ends what is over.
func (m *Machine) proceed(g *gang) {
	switch {
	case m.ending != nil || m.gangs[g.name] != g:
	case g.failure != nil:
		if !g.running() {
			m.close(g, g.failure)
		}
	case g.complete():
		m.close(g, nil)
	case g.giving:
		if !g.running() {
			delete(m.gangs, g.name)
			if g.present() { // else its place was taken already
				m.do(Release{g.name})
			}
		}
	default:
		for _, r := range g.startable() {
			m.start(g, r)
		}
		g.started()
	}
}

// close ends a gang.
func (m *Machine) close(g *gang, err *core.Error) {
	delete(m.gangs, g.name)
	m.write(g)
	if m.cfg.Array == nil {
		m.first, m.ending = err, err
		m.tally.add(0, err == nil)
		return
	}
	if err != nil && m.first == nil {
		m.first = err
	}
	m.tally.add(g.place, err == nil)
	m.unsaved = append(m.unsaved, EndGang{g.name, err == nil})
	m.save()
}

// write has the streams of a gang's last tries put into their files.
func (m *Machine) write(g *gang) {
	for r := range g.ranks {
		k := &g.ranks[r]
		if len(k.streams) == 0 {
			continue
		}
		w := Write{Gang: g.name, Rank: r, Node: g.nodes[r], Try: k.try, Streams: k.streams}
		if g.array {
			w.Index = strconv.FormatInt(g.index, 10)
		}
		m.writing++
		m.do(w)
	}
}

// save makes the tally durable; many elements that end meanwhile share the next
// save.
func (m *Machine) save() {
	if len(m.saving) == 0 && len(m.unsaved) > 0 {
		m.saving, m.unsaved = m.unsaved, nil
		m.do(Save{m.tally.clone()})
	}
}

func (m *Machine) saved() {
	for _, e := range m.saving {
		m.do(e)
	}
	m.saving = nil
	m.save()
}

// finish ends the job when nothing is left to do.
func (m *Machine) finish() {
	if m.writing > 0 || len(m.saving) > 0 {
		return
	}
	if m.ending != nil {
		for _, name := range slices.Sorted(maps.Keys(m.gangs)) {
			g := m.gangs[name]
			if g.running() {
				return
			}
			delete(m.gangs, name)
			m.write(g)
		}
		if m.writing == 0 {
			m.end(m.ending)
		}
		return
	}
	all := 1
	if m.cfg.Array != nil {
		all = m.cfg.Array.Len()
	}
	if m.tally.Len() < all {
		return
	}
	err := m.elementsFailed()
	if err == nil {
		err = m.unwritten
	}
	m.end(err)
}

func (m *Machine) end(err *core.Error) {
	m.over = true
	if err == nil {
		m.do(End{})
		return
	}
	m.do(End{err})
}
