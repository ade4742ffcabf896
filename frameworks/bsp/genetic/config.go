package genetic

import (
	"math"
	"math/rand/v2"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
)

// Problem is what is to be solved. G is an individual's genome. Its methods are
// called from several goroutines, each with its own r.
type Problem[G any] interface {
	// New draws a genome by chance.
	New(r *rand.Rand) G
	// Cost is how bad a genome is: lower is better. NaN is worse than all.
	Cost(g G) float64
	// Cross makes two genomes of two, which it does not change.
	Cross(r *rand.Rand, a, b G) (G, G)
	// Mutate changes g, or makes another of it.
	Mutate(r *rand.Rand, g G) G
	// Codec writes genomes, for migrants and checkpoints.
	Codec() peer.Codec[G]
}

// The topologies of migration.
const (
	Ring   = "ring"   // to the next island
	All    = "all"    // to every other island
	Random = "random" // to an island drawn each time
)

// Migration is who goes where, and when.
type Migration struct {
	Every    int64  `json:"every,omitempty"`    // generations; default 20
	Count    int    `json:"count,omitempty"`    // individuals, the best ones; default 2
	Topology string `json:"topology,omitempty"` // Ring (default), All, Random
}

// Config is how the algorithm runs. Zero fields have the defaults named.
type Config struct {
	Islands     int       `json:"islands,omitempty"`     // default 8
	Population  int       `json:"population,omitempty"`  // of an island; default 60
	Generations int64     `json:"generations,omitempty"` // at most; default 1000
	Elite       int       `json:"elite,omitempty"`       // default 2
	Tournament  int       `json:"tournament,omitempty"`  // default 3
	Crossover   *float64  `json:"crossover,omitempty"`   // probability; default 0.9
	Migration   Migration `json:"migration,omitzero"`
	// Target ends the search once the best costs no more.
	Target *float64 `json:"target,omitempty"`
	// Patience ends it after so many generations without a better best; 0: never.
	Patience int64  `json:"patience,omitempty"`
	Seed     uint64 `json:"seed,omitempty"`
}

// Defaults fills in what was left out.
func (c *Config) Defaults() {
	def(&c.Islands, 8)
	def(&c.Population, 60)
	def(&c.Generations, 1000)
	def(&c.Elite, 2)
	def(&c.Tournament, 3)
	def(&c.Migration.Every, 20)
	def(&c.Migration.Count, 2)
	def(&c.Migration.Topology, Ring)
	if c.Crossover == nil {
		c.Crossover = new(0.9)
	}
}

func def[T comparable](field *T, v T) {
	var zero T
	if *field == zero {
		*field = v
	}
}

// Validate reports every fault; paths are relative to the configuration's place
// in the document.
func (c Config) Validate() []core.Diagnostic {
	c.Defaults()
	var faults []core.Diagnostic
	add := func(bad bool, path, message, remedy string) {
		if bad {
			faults = append(faults, core.Diagnostic{Path: path, Message: message, Remedy: remedy})
		}
	}
	add(c.Islands < 1 || c.Islands > 1<<20, "islands", "not from 1 to 1048576", "give a few for each core")
	add(c.Population < 2 || c.Population > 1<<20, "population", "not from 2 to 1048576", "60 is usual")
	add(c.Generations < 1, "generations", "less than 1", "1000 is usual")
	add(c.Elite < 0 || c.Elite >= c.Population, "elite", "not from 0 to less than the population", "2 is usual")
	add(c.Tournament < 1, "tournament", "less than 1", "3 is usual")
	add(*c.Crossover < 0 || *c.Crossover > 1 || math.IsNaN(*c.Crossover), "crossover", "not a probability", "give a number from 0 to 1")
	add(c.Migration.Every < 1, "migration.every", "less than 1", "20 is usual")
	most := max(0, (c.Population-c.Elite)/max(1, senders(c)))
	add(c.Migration.Count < 0 || c.Migration.Count > most, "migration.count", "more migrants than an island has room for beside its elite",
		"send fewer, or raise the population")
	switch c.Migration.Topology {
	case Ring, All, Random:
	default:
		add(true, "migration.topology", "there is no such topology: "+c.Migration.Topology, "use ring, all or random")
	}
	add(c.Patience < 0, "patience", "negative", "0 is without end")
	return faults
}

// senders is how many islands may send to one at once.
func senders(c Config) int {
	if c.Migration.Topology == All {
		return c.Islands - 1
	}
	return 1
}
