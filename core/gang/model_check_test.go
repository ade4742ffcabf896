package gang

import (
	"fmt"
	"slices"

	"github.com/capstan-run/capstan/core"
)

// granted checks a grant against all that was asked, and books it.
func (m *model) granted(a Grant) error {
	g, err := m.taker(a.Gang)
	if err != nil {
		return err
	}
	if a.Lease <= m.lease {
		return fmt.Errorf("lease %d was granted before", m.lease)
	}
	m.lease = a.Lease
	if err := m.mayRun(g); err != nil {
		return err
	}
	if err := m.sized(g, a.Nodes, a.Roles); err != nil {
		return err
	}
	if g.whole != "" {
		whole := m.gangs[g.whole]
		delete(whole.waits, g.index)
		m.number++
		g.number = m.number
		m.gangs[g.Gang] = g
		if most := whole.Array.AtOnce; most > 0 && m.elementsUp(whole) >= most {
			return fmt.Errorf("%d elements hold nodes", m.elementsUp(whole))
		}
	}
	g.lease, g.nodes, g.roles, g.lost = a.Lease, slices.Clone(a.Nodes), slices.Clone(a.Roles), make([]bool, len(a.Nodes))
	if err := m.licensed(g); err != nil {
		return err
	}
	if err := m.within(g, true); err != nil {
		return err
	}
	return m.placed(g, 0)
}

// taker is the gang that a grant is for; of an array a new element.
func (m *model) taker(id ID) (*modelGang, error) {
	if g := m.gangs[id]; g != nil {
		if g.lease != 0 || g.Array != nil {
			return nil, fmt.Errorf("it holds lease %d, or is an array", g.lease)
		}
		return g, nil
	}
	whole, index, ok := ElementOf(id)
	g := m.gangs[whole]
	if !ok || g == nil || !g.waits[index] {
		return nil, fmt.Errorf("it does not wait")
	}
	e := &modelGang{Request: g.Request, whole: whole, index: index}
	e.Gang, e.Array = id, nil
	return e, nil
}

func (m *model) elementsUp(whole *modelGang) int {
	n := 0
	for _, v := range m.gangs {
		if v.whole == whole.Gang && v.lease != 0 {
			n++
		}
	}
	return n
}

// heldBack is what holds a gang back. It is written out only if somebody reads
// it: every step asks for it, of every gang.
type heldBack struct {
	why  string
	now  int64
	when *When
}

func (h *heldBack) Error() string { return fmt.Sprintf("%s, at %d: %+v", h.why, h.now, *h.when) }

// mayRun says what other than room holds g back; nil if nothing.
func (m *model) mayRun(g *modelGang) error {
	w := g.When
	if w.Hold || w.Begin > m.now || w.Deadline != 0 && m.now > w.Deadline-g.Walltime {
		return &heldBack{"it is held, too early or too late", m.now, &g.When}
	}
	if !m.depends(g) && !m.unclear(g) {
		return &heldBack{"not all that it comes after has come true", m.now, &g.When}
	}
	for _, job := range m.singles[single{g.User, g.Name}] {
		if job == g.Job || !w.Singleton {
			break
		}
		if !m.refusedJob[job] {
			return fmt.Errorf("it is not its turn: %s is before it", job)
		}
	}
	if v, ok := m.reserved[g.Reservation]; g.Reservation != "" && (!ok || v.Start > m.now || v.End <= m.now) {
		return fmt.Errorf("its reservation is not now")
	}
	return nil
}

// depends reports whether all dependencies of g have come true; of an array
// those of an element that waits.
func (m *model) depends(g *modelGang) bool {
	unmet := func(d core.Dependency) bool { return !m.met(g, d) }
	if g.Array == nil {
		return !slices.ContainsFunc(g.When.After, unmet)
	}
	for i := range g.waits {
		if g.index = i; !slices.ContainsFunc(g.When.After, unmet) {
			return true
		}
	}
	return false
}

// unclear reports whether g depends on elements of an array that was refused, or
// comes after a single job that was: whether they came far enough to be known is
// not for the model to say.
func (m *model) unclear(g *modelGang) bool {
	list := m.singles[single{g.User, g.Name}]
	return g.When.Singleton && len(list) > 0 && list[0] != g.Job || slices.ContainsFunc(g.When.After, func(d core.Dependency) bool { return d.Each && m.refusedJob[d.Job] })
}

// met reports whether a dependency has come true.
func (m *model) met(g *modelGang, d core.Dependency) bool {
	how := m.ended[d.Job]
	if d.Each && m.wasArray[d.Job] && (g.whole != "" || g.Array != nil) {
		how = m.elements[d.Job][g.index]
	}
	return matches(d, how)
}

func matches(d core.Dependency, how Ending) bool {
	switch d.Ended {
	case "any":
		return how != Unsaid
	case "failed":
		return how == Failed
	}
	return how == OK
}

// sized checks laws G1: all ranks, or the minimum of each role.
func (m *model) sized(g *modelGang, nodes []core.NodeID, roles []int) error {
	list := g.Request.roles()
	counts := make([]int, len(list))
	for rank := range nodes {
		if len(list) == 1 {
			counts[0]++
		} else {
			counts[roles[rank]]++
		}
	}
	for i, role := range list {
		if counts[i] < role.Min || counts[i] > role.Size {
			return fmt.Errorf("%d ranks of role %d, which has %d to %d", counts[i], i, role.Min, role.Size)
		}
	}
	if !slices.IsSorted(roles) {
		return fmt.Errorf("roles are mixed: %v", roles)
	}
	return nil
}

func (m *model) licensed(g *modelGang) error {
	used := map[string]int64{}
	for _, g := range m.gangs {
		if g.lease != 0 {
			for name, n := range g.Licences {
				used[name] += n
			}
		}
	}
	for name := range g.Licences {
		if n := used[name]; n > m.licences[name] {
			return fmt.Errorf("%d of %d licences %s are in use", n, m.licences[name], name)
		}
	}
	return nil
}

// within checks the limits of g's queue, if it has any: its own, a user's, and
// of a gang that starts how many run.
func (m *model) within(g *modelGang, starts bool) error {
	for _, q := range m.queues.Queues {
		if q.Name != g.Queue {
			continue
		}
		var used, users int64
		running, usersRun := 0, 0
		for _, v := range m.gangs {
			if v.lease == 0 || v.Queue != g.Queue {
				continue
			}
			cpu := int64(0)
			for rank := range v.nodes {
				if !v.lost[rank] {
					cpu += int64(v.role(rank).CPU)
				}
			}
			used, running = used+cpu, running+1
			if v.User == g.User {
				users, usersRun = users+cpu, usersRun+1
			}
		}
		limit, has := q.Limit["cpu"]
		maxUser, hasUser := q.MaxUser["cpu"]
		if has && used > limit || hasUser && users > maxUser ||
			starts && (q.MaxRunning > 0 && running > q.MaxRunning || q.MaxPerUser > 0 && usersRun > q.MaxPerUser) {
			return fmt.Errorf("queue %s uses %d cpu, its user %d, and %d and %d run: %+v", q.Name, used, users, running, usersRun, q)
		}
	}
	return nil
}

// living is how many ranks of g are not lost.
func (g *modelGang) living() int {
	n := 0
	for _, lost := range g.lost {
		if !lost {
			n++
		}
	}
	return n
}

func (g *modelGang) role(rank int) core.Role {
	list := g.Request.roles()
	i := 0
	if len(list) > 1 {
		i = g.roles[rank]
	}
	r := list[i]
	if r.Generic == nil {
		r.Generic = g.Generic
	}
	if r.Ports == nil {
		r.Ports = g.Ports
	}
	return r
}

func (m *model) grown(a Grow) error {
	g, err := m.holder(a.Gang, a.Lease)
	if err != nil {
		return err
	}
	if a.First != len(g.nodes) || !g.up || g.shrink != 0 || len(g.nodes)+len(a.Nodes) > max(g.Size, g.Max) {
		return fmt.Errorf("it has %d ranks, at most %d", len(g.nodes), max(g.Size, g.Max))
	}
	g.nodes, g.lost = append(g.nodes, a.Nodes...), append(g.lost, make([]bool, len(a.Nodes))...)
	if err := m.within(g, false); err != nil {
		return err
	}
	return m.placed(g, a.First)
}

func (m *model) replaced(a Replace) error {
	g, err := m.holder(a.Gang, a.Lease)
	if err != nil {
		return err
	}
	if !g.lost[a.Rank] || !g.up || g.shrink > 0 && a.Rank >= g.shrink {
		return fmt.Errorf("rank %d is not lost, or is to go", a.Rank)
	}
	g.nodes[a.Rank], g.lost[a.Rank] = a.Node, false
	if err := m.fits(a.Node); err != nil {
		return err
	}
	for _, c := range g.Constraints {
		if c.Operator == "UNIQUE" || c.Operator == "MAX_PER" {
			if err := m.constrained(g, c, len(g.nodes)); err != nil {
				return err
			}
		}
	}
	return nil
}
