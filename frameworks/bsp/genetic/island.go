package genetic

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

// individual is a genome and what it costs.
type individual[G any] struct {
	genome G
	cost   float64
}

// island is a population, the best first.
type island[G any] struct {
	number int
	source *rand.PCG
	r      *rand.Rand
	people []individual[G]
}

// newIsland draws a population.
func newIsland[G any](p Problem[G], c *Config, number int) *island[G] {
	s := newDice[G](number)
	s.source.Seed(c.Seed, uint64(number))
	for range c.Population {
		s.people = append(s.people, assess(p, p.New(s.r)))
	}
	s.rank()
	return s
}

// newDice is an island without people.
func newDice[G any](number int) *island[G] {
	source := rand.NewPCG(0, 0)
	return &island[G]{number: number, source: source, r: rand.New(source)}
}

func assess[G any](p Problem[G], g G) individual[G] {
	cost := p.Cost(g)
	if math.IsNaN(cost) {
		cost = math.Inf(1)
	}
	return individual[G]{g, cost}
}

// rank puts the best first (law G3).
func (s *island[G]) rank() {
	slices.SortStableFunc(s.people, func(a, b individual[G]) int { return cmp.Compare(a.cost, b.cost) })
}

// evolve lives for a number of generations.
func (s *island[G]) evolve(p Problem[G], c *Config, generations int64) {
	next := make([]individual[G], 0, len(s.people))
	for range generations {
		next = append(next[:0], s.people[:c.Elite]...)
		for len(next) < len(s.people) {
			a, b := s.parent(c).genome, s.parent(c).genome
			if s.r.Float64() < *c.Crossover {
				a, b = p.Cross(s.r, a, b)
			}
			next = append(next, assess(p, p.Mutate(s.r, a)))
			if len(next) < len(s.people) {
				next = append(next, assess(p, p.Mutate(s.r, b)))
			}
		}
		s.people, next = next, s.people
		s.rank()
	}
}

// parent is the best of a few drawn by chance. The best come first, so that the
// lowest place wins.
func (s *island[G]) parent(c *Config) *individual[G] {
	best := s.r.IntN(len(s.people))
	for range c.Tournament - 1 {
		best = min(best, s.r.IntN(len(s.people)))
	}
	return &s.people[best]
}

// targets are the islands that migrants go to.
func (s *island[G]) targets(c *Config) []int {
	switch {
	case c.Islands == 1:
		return nil
	case c.Migration.Topology == All:
		var list []int
		for i := range c.Islands {
			if i != s.number {
				list = append(list, i)
			}
		}
		return list
	case c.Migration.Topology == Random:
		return []int{(s.number + 1 + s.r.IntN(c.Islands-1)) % c.Islands}
	}
	return []int{(s.number + 1) % c.Islands}
}

// welcome puts migrants in the places of the worst, but never of the elite.
func (s *island[G]) welcome(c *Config, migrants []individual[G]) {
	room := len(s.people) - c.Elite
	if len(migrants) > room {
		slices.SortStableFunc(migrants, func(a, b individual[G]) int { return cmp.Compare(a.cost, b.cost) })
		migrants = migrants[:room]
	}
	copy(s.people[len(s.people)-len(migrants):], migrants)
	s.rank()
}
