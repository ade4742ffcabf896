package gang

import (
	"fmt"
	"maps"
	"slices"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/queue"
)

// model is the books of an outsider: what must be so after the events that the
// scheduler was told of and the actions it answered with. It decides nothing.
type model struct {
	now        int64
	lease      uint64 // last granted
	nodes      map[core.NodeID]*modelNode
	gangs      map[ID]*modelGang
	ended      map[core.JobID]Ending
	elements   map[core.JobID]map[int64]Ending // of arrays, by index
	wasArray   map[core.JobID]bool
	refusedJob map[core.JobID]bool
	singles    map[single][]core.JobID
	licences   map[string]int64
	reserved   map[string]Reserve
	queues     queue.Config
	number     int
}

type modelNode struct {
	core.Node
	down, draining bool
	until          int64
}

// modelGang is a gang or an array that waits or runs. Elements of an array are
// gangs of their own while they hold nodes.
type modelGang struct {
	Request
	number  int
	lease   uint64
	nodes   []core.NodeID
	roles   []int
	lost    []bool
	since   int64
	up      bool
	shrink  int // the first rank that a Shrink named; 0 for none
	waits   map[int64]bool
	whole   ID // of an element
	index   int64
	expired bool
}

func newModel() *model {
	return &model{
		nodes: map[core.NodeID]*modelNode{}, gangs: map[ID]*modelGang{}, ended: map[core.JobID]Ending{},
		elements: map[core.JobID]map[int64]Ending{}, wasArray: map[core.JobID]bool{}, refusedJob: map[core.JobID]bool{}, singles: map[single][]core.JobID{},
		licences: map[string]int64{}, reserved: map[string]Reserve{},
	}
}

func (m *model) ordered() []*modelGang {
	return slices.SortedFunc(maps.Values(m.gangs), func(a, b *modelGang) int { return a.number - b.number })
}

// hear takes note of an event, before the scheduler answers.
func (m *model) hear(e Event) {
	m.now = max(m.now, e.at())
	switch e := e.(type) {
	case NodeUp:
		n := m.node(e.Node.ID)
		n.Node, n.down = e.Node, false
	case NodeDown:
		if n := m.nodes[e.ID]; n != nil {
			n.down = true
		}
	case NodeDrain:
		if n := m.nodes[e.ID]; n != nil {
			n.draining, n.until = e.Drain, 0
			if e.Drain {
				n.until = e.Until
			}
		}
	case Submit:
		m.submit(e.Request)
	case Adopt:
		m.adopt(e)
	case Started:
		if g := m.gangs[e.Gang]; g != nil && g.lease == e.Lease && g.lease != 0 && !g.up {
			g.up, g.since = true, m.now
		}
	case Release:
		m.release(e)
	case Cancel:
		m.cancel(e.Gang)
	case MemberLost:
		m.lose(e.Gang, e.Lease, e.Rank)
	case MemberReplace:
		m.lose(e.Gang, e.Lease, e.Rank)
	case Shrunk:
		if g := m.gangs[e.Gang]; g != nil && g.shrink > 0 {
			for _, rank := range e.Ranks {
				if g.shrink > 0 && rank >= g.shrink {
					m.lose(e.Gang, e.Lease, rank)
				}
			}
		}
	default:
		m.hearRest(e)
	}
}

func (m *model) hearRest(e Event) {
	switch e := e.(type) {
	case JobEnded:
		m.ended[e.Job] = e.Ended
		for key, list := range m.singles {
			m.singles[key] = slices.DeleteFunc(list, func(j core.JobID) bool { return j == e.Job })
		}
	case ElementsEnded:
		for _, list := range []struct {
			ranges []core.ArrayRange
			how    Ending
		}{{e.OK, OK}, {e.Failed, Failed}} {
			for _, r := range list.ranges {
				for i := r.First; i <= r.Last; i += r.Step {
					m.endElement(e.Gang, i, list.how)
				}
			}
		}
	case Hold:
		for _, g := range m.gangs {
			if g.Job == e.Job && g.lease == 0 {
				g.When.Hold = e.Hold
			}
		}
	case Supply:
		m.licences = e.Licences
	case Configure:
		m.queues = e.Queues
	case Reserve:
		if e.End > e.Start && e.End > m.now {
			m.reserved[e.Name] = e
		}
	case Unreserve:
		delete(m.reserved, e.Name)
	}
}

func (m *model) node(id core.NodeID) *modelNode {
	n := m.nodes[id]
	if n == nil {
		n = &modelNode{Node: core.Node{ID: id}, down: true}
		m.nodes[id] = n
	}
	return n
}

func (m *model) add(q Request) *modelGang {
	m.number++
	g := &modelGang{Request: q, number: m.number}
	m.gangs[q.Gang] = g
	delete(m.ended, q.Job)
	if q.Array != nil {
		m.wasArray[q.Job] = true
		g.waits = map[int64]bool{}
		for n := range q.Array.Len() {
			g.waits[q.Array.Index(n)] = true
		}
	}
	if q.When.Singleton {
		key := single{q.User, q.Name}
		if !slices.Contains(m.singles[key], q.Job) {
			m.singles[key] = append(m.singles[key], q.Job)
		}
	}
	return g
}

func (m *model) submit(q Request) {
	if m.gangs[q.Gang] != nil {
		return
	}
	g := m.add(q)
	for i := range m.elements[q.Job] { // that ended in an earlier life
		delete(g.waits, i)
	}
	for _, e := range m.gangs {
		if whole, index, ok := ElementOf(e.Gang); ok && whole == q.Gang && e.lease != 0 {
			e.whole, e.index = whole, index
			delete(g.waits, index)
		}
	}
}

func (m *model) adopt(e Adopt) {
	if m.gangs[e.Request.Gang] != nil {
		return
	}
	g := m.add(e.Request)
	m.lease = max(m.lease, e.Lease)
	g.lease, g.nodes, g.lost = e.Lease, slices.Clone(e.Placement), make([]bool, len(e.Placement))
	g.roles, g.up, g.since = slices.Clone(e.Roles), e.Since > 0, e.Since
	for _, id := range e.Placement {
		m.node(id)
	}
	for _, rank := range e.Lost {
		g.lost[rank] = true
	}
}

func (m *model) release(e Release) {
	g := m.gangs[e.Gang]
	if g == nil || e.Lease != 0 && g.lease != e.Lease {
		return
	}
	m.drop(g)
	switch {
	case g.whole == "":
	case e.Ended == Unsaid: // it will run again
		m.gangs[g.whole].waits[g.index] = true
	default:
		m.endElement(g.whole, g.index, e.Ended)
	}
}

// drop forgets a gang, and of an array its elements.
func (m *model) drop(g *modelGang) {
	delete(m.gangs, g.Gang)
	for id, v := range m.gangs {
		if v.whole == g.Gang {
			delete(m.gangs, id)
		}
	}
}

func (m *model) cancel(id ID) {
	if g := m.gangs[id]; g != nil {
		if g.whole != "" {
			m.endElement(g.whole, g.index, Failed)
		}
		m.drop(g)
		return
	}
	if whole, index, ok := ElementOf(id); ok && m.gangs[whole] != nil && m.gangs[whole].waits[index] {
		m.endElement(whole, index, Failed)
	}
}

func (m *model) endElement(whole ID, index int64, how Ending) {
	if g := m.gangs[whole]; g != nil {
		delete(g.waits, index)
	}
	job := core.JobID(whole[:slices.Index([]byte(whole), '/')])
	if m.elements[job] == nil {
		m.elements[job] = map[int64]Ending{}
	}
	m.elements[job][index] = how
}

func (m *model) lose(id ID, lease uint64, rank int) {
	if g := m.gangs[id]; g != nil && g.up && (lease == 0 || g.lease == lease) && rank >= 0 && rank < len(g.nodes) {
		g.lost[rank] = true
		m.endShrink(g)
	}
}

// endShrink forgets the ranks that a Shrink named, if they are gone.
func (m *model) endShrink(g *modelGang) {
	if g.shrink == 0 {
		return
	}
	for rank := g.shrink; rank < len(g.nodes); rank++ {
		if !g.lost[rank] {
			return
		}
	}
	g.nodes, g.lost, g.shrink = g.nodes[:g.shrink], g.lost[:g.shrink], 0
}

// see takes note of an action, and reports what is wrong with it.
func (m *model) see(a Action) error {
	switch a := a.(type) {
	case Grant:
		return m.granted(a)
	case Grow:
		return m.grown(a)
	case Replace:
		return m.replaced(a)
	case Shrink:
		g, err := m.holder(a.Gang, a.Lease)
		if err != nil || !g.up || g.shrink != 0 {
			return fmt.Errorf("shrinks what does not run or shrinks already: %v", err)
		}
		g.shrink = a.Ranks[0]
		m.endShrink(g)
		return nil
	case GiveWay:
		g, err := m.holder(a.Gang, a.Lease)
		if err == nil && !g.up {
			err = fmt.Errorf("it has not started")
		}
		return err
	case Expire:
		g, err := m.holder(a.Gang, a.Lease)
		if err == nil {
			if g.expired || !g.up || g.Walltime == 0 || m.now < g.since+g.Walltime {
				return fmt.Errorf("its walltime is not over, or it was told before")
			}
			g.expired, g.shrink = true, 0
		}
		return err
	case Lost:
		return m.lostOn(a)
	case Revoke:
		return m.revoked(a)
	case Refuse:
		return m.refused(a)
	}
	return fmt.Errorf("unknown action")
}

func (m *model) holder(id ID, lease uint64) (*modelGang, error) {
	g := m.gangs[id]
	if g == nil || g.lease != lease || lease == 0 {
		return nil, fmt.Errorf("%s does not hold lease %d", id, lease)
	}
	return g, nil
}

func (m *model) lostOn(a Lost) error {
	g, err := m.holder(a.Gang, a.Lease)
	if err != nil {
		return err
	}
	if len(a.Ranks) == 0 {
		return fmt.Errorf("nothing was lost")
	}
	for _, rank := range a.Ranks {
		if g.nodes[rank] != a.Node || g.lost[rank] {
			return fmt.Errorf("rank %d is not there", rank)
		}
		g.lost[rank] = true
	}
	m.endShrink(g)
	return nil
}

func (m *model) revoked(a Revoke) error {
	g := m.gangs[a.Gang]
	if g == nil {
		return nil // it was cancelled
	}
	if g.lease != a.Lease {
		return fmt.Errorf("it holds lease %d", g.lease)
	}
	if g.whole != "" {
		delete(m.gangs, g.Gang)
		m.gangs[g.whole].waits[g.index] = true
		return nil
	}
	if _, _, element := ElementOf(a.Gang); element { // its array will come
		delete(m.gangs, g.Gang)
		return nil
	}
	g.lease, g.nodes, g.roles, g.lost, g.up, g.since, g.shrink, g.expired = 0, nil, nil, nil, false, 0, 0, false
	return nil
}

func (m *model) refused(a Refuse) error {
	if whole, index, ok := ElementOf(a.Gang); ok && m.gangs[whole] != nil {
		m.endElement(whole, index, Failed)
		return nil
	}
	g := m.gangs[a.Gang]
	if g == nil {
		return fmt.Errorf("it is not known")
	}
	if a.Elements == nil {
		if g.lease != 0 {
			return fmt.Errorf("it holds lease %d", g.lease)
		}
		m.refusedJob[g.Job] = true
		m.drop(g)
		return nil
	}
	for _, r := range a.Elements {
		for i := r.First; i <= r.Last; i += r.Step {
			if !g.waits[i] {
				return fmt.Errorf("element %d does not wait", i)
			}
			m.endElement(a.Gang, i, Failed)
		}
	}
	return nil
}
