package gang

import (
	"slices"

	"github.com/capstan-run/capstan/core/place"
)

// repair is one rank of a running gang that waits for a new node. Repairs stand
// before fresh gangs: a gang that runs with a hole holds room and may do nothing
// with it until the hole is filled.
type repair struct {
	gang *member
	rank int
}

func (a repair) compare(b repair) int {
	switch {
	case a.gang.Priority != b.gang.Priority:
		return b.gang.Priority - a.gang.Priority
	case a.gang.number < b.gang.number:
		return -1
	case a.gang.number > b.gang.number:
		return 1
	}
	return a.rank - b.rank
}

func (s *Scheduler) addRepair(g *member, rank int) {
	v := repair{g, rank}
	if i, found := slices.BinarySearchFunc(s.repairs, v, repair.compare); !found {
		s.repairs = slices.Insert(s.repairs, i, v)
		s.moved = true
	}
}

func (s *Scheduler) dropRepair(g *member, rank int) {
	if i, found := slices.BinarySearchFunc(s.repairs, repair{g, rank}, repair.compare); found {
		s.repairs = slices.Delete(s.repairs, i, i+1)
		s.moved = true
	}
}

// mend serves the repairs, in order. One that waits for room keeps the nodes it
// could have from the gangs behind it.
func (s *Scheduler) mend(r *Result) {
	for i := 0; i < len(s.repairs); {
		v := s.repairs[i]
		q := s.repairAsk(v)
		c, ok := s.fleet.Choose(&q)
		if !ok {
			s.plan.pin(s, nil, &q)
			i++
			continue
		}
		s.repairs = append(s.repairs[:i], s.repairs[i+1:]...)
		g := v.gang
		s.promises.supply.keep(c.Nodes)
		g.nodes[v.rank], g.lost[v.rank], g.laid = c.Nodes[0], false, nil
		s.fleet.Take(c.Nodes[0], g.shape(v.rank), 1)
		s.settle(g)
		r.Actions = append(r.Actions, Replace{g.Gang, g.lease, v.rank, s.fleet.ID(c.Nodes[0])})
	}
}

// repairAsk asks for one rank of a gang, beside the others.
func (s *Scheduler) repairAsk(v repair) place.Claim {
	role := v.gang.ask.Roles[v.gang.role(v.rank)]
	role.Min, role.Size = 1, 1
	q := v.gang.ask.Claim
	q.Roles = []place.RoleAsk{role}
	q.Beside, q.Avoid = v.gang.living(), v.gang.avoid
	q.Job = s.beside(v.gang)
	return q
}
