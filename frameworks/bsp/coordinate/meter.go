package coordinate

import (
	"github.com/capstan-run/capstan/frameworks/bsp/task"
)

// meter keeps what supersteps cost, bounded: the sum of each rank over all
// incarnations, and the last few supersteps of all.
type meter struct {
	ranks []gauge
	steps []step // oldest first, at most keptSteps
}

// gauge is one rank's.
type gauge struct {
	spent task.Superstep // of ended incarnations
	total task.Superstep // of the one under way; its Number is the last superstep
	far   int64          // the farthest superstep it ended in any
}

// step is a superstep as all ranks saw it.
type step struct {
	number int64
	ranks  []task.Superstep // Number 0: not heard of
}

// keptSteps is how many supersteps the progress shows.
const keptSteps = 16

func (m *meter) resize(size int) {
	if len(m.ranks) != size {
		*m = meter{ranks: make([]gauge, size)}
	}
}

// begin starts the next incarnation.
func (m *meter) begin() {
	for r := range m.ranks {
		g := &m.ranks[r]
		g.spent.Add(g.total)
		g.total = task.Superstep{}
	}
	m.steps = nil
}

func (m *meter) take(r int, s *task.Steps) {
	m.total(r, s.Total)
	for _, one := range s.Last {
		m.step(r, one)
	}
}

func (m *meter) total(r int, t task.Superstep) {
	m.ranks[r].total = t
	m.reached(r, t.Number)
}

func (m *meter) reached(r int, superstep int64) {
	m.ranks[r].far = max(m.ranks[r].far, superstep)
}

// step files a superstep. Numbers ascend for each rank; one that has left the
// window is dropped.
func (m *meter) step(r int, s task.Superstep) {
	at := len(m.steps)
	for at > 0 && m.steps[at-1].number >= s.Number {
		at--
	}
	if at == len(m.steps) || m.steps[at].number != s.Number {
		if at == 0 && len(m.steps) == keptSteps {
			return
		}
		m.steps = append(m.steps, step{})
		copy(m.steps[at+1:], m.steps[at:])
		m.steps[at] = step{number: s.Number, ranks: make([]task.Superstep, len(m.ranks))}
	}
	m.steps[at].ranks[r] = s
	if n := len(m.steps) - keptSteps; n > 0 {
		m.steps = append(m.steps[:0], m.steps[n:]...)
	}
}

// farthest is the farthest superstep that any rank has ended.
func (m *meter) farthest() int64 {
	var far int64
	for _, g := range m.ranks {
		far = max(far, g.far)
	}
	return far
}

// edgesPerSecond is how many edges all ranks followed in a second of those
// supersteps in which they followed any, 0 if they never did.
func (m *meter) edgesPerSecond() float64 {
	var edges, nanos int64
	for _, g := range m.ranks {
		edges += g.spent.Edges + g.total.Edges
		nanos = max(nanos, g.spent.Following+g.total.Following)
	}
	if nanos == 0 {
		return 0
	}
	return float64(edges) / float64(nanos) * 1e9
}

// slowest is the rank that computes most, and how many times the median of all
// that is; of one rank, or where all wait for the same, 0.
func slowest(ranks []task.Superstep) (rank int, times float64) {
	if len(ranks) < 2 {
		return 0, 0
	}
	list := make([]int64, 0, len(ranks))
	for r, s := range ranks {
		if s.Compute > ranks[rank].Compute {
			rank = r
		}
		list = append(list, s.Compute)
	}
	m := median(list)
	if m <= 0 {
		return rank, 0
	}
	return rank, float64(ranks[rank].Compute) / float64(m)
}
