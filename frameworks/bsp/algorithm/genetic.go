package algorithm

import (
	"context"
	"slices"
	"strings"

	"github.com/capstan-run/capstan/frameworks/bsp/genetic"
	"github.com/capstan-run/capstan/frameworks/bsp/graph"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
)

// searches are the algorithms that look for an optimum and read no input.
func searches() []Algorithm {
	c := genetic.Config{}
	c.Defaults()
	a := define("genetic", "looks for the least value of a benchmark function by islands of individuals that evolve and migrate",
		geneticOptions{
			Function: "rastrigin", Dimensions: 10, Islands: c.Islands, Population: c.Population, Generations: c.Generations,
			Elite: c.Elite, Tournament: c.Tournament, Crossover: *c.Crossover,
			MigrationEvery: c.Migration.Every, Migrants: c.Migration.Count, Topology: c.Migration.Topology,
		}, newGenetic)
	a.alone = true
	return []Algorithm{a}
}

type geneticOptions struct {
	Function       string   `json:"function" about:"ackley, griewank, rastrigin, rosenbrock, schwefel or sphere"`
	Dimensions     int      `json:"dimensions" about:"of the function"`
	Islands        int      `json:"islands" about:"populations of their own; the result does not depend on the number of ranks"`
	Population     int      `json:"population" about:"individuals on an island"`
	Generations    int64    `json:"generations" about:"at most"`
	Elite          int      `json:"elite" about:"individuals that a generation takes over from the one before"`
	Tournament     int      `json:"tournament" about:"individuals of which the best becomes a parent"`
	Crossover      float64  `json:"crossover" about:"probability that two parents are crossed"`
	MigrationEvery int64    `json:"migrationEvery" about:"generations between two migrations"`
	Migrants       int      `json:"migrants" about:"individuals that leave an island each time, the best ones"`
	Topology       string   `json:"topology" about:"where they go: ring, all or random"`
	Target         *float64 `json:"target" about:"the value at which the search ends early"`
	Patience       int64    `json:"patience" about:"generations without a better value after which the search ends; 0: none"`
	Tolerance      float64  `json:"tolerance" about:"the job fails unless it comes as near to the known optimum; 0: it does not"`
	Seed           int64    `json:"seed" about:"of all that is drawn by chance"`
}

func (o *geneticOptions) config() genetic.Config {
	return genetic.Config{
		Islands: o.Islands, Population: o.Population, Generations: o.Generations, Elite: o.Elite, Tournament: o.Tournament,
		Crossover: &o.Crossover, Migration: genetic.Migration{Every: o.MigrationEvery, Count: o.Migrants, Topology: o.Topology},
		Target: o.Target, Patience: o.Patience, Seed: uint64(o.Seed),
	}
}

func (o *geneticOptions) check(f *faults) {
	var names []string
	for _, fn := range genetic.Functions() {
		names = append(names, fn.Name)
	}
	if !slices.Contains(names, o.Function) {
		f.add("function", "use one of "+strings.Join(names, ", "), "there is no function %q", o.Function)
	}
	atLeast(f, "dimensions", o.Dimensions, 1)
	atLeast(f, "tolerance", o.Tolerance, 0)
	flat := map[string]string{"migration.every": "migrationEvery", "migration.count": "migrants", "migration.topology": "topology"}
	for _, d := range o.config().Validate() {
		path := d.Path
		if p, ok := flat[path]; ok {
			path = p
		}
		f.add(path, d.Remedy, "%s", d.Message)
	}
}

func newGenetic(_ graph.Config, o geneticOptions) peer.Program {
	// check has found every fault.
	p, err := genetic.Minimise(o.Function, o.Dimensions, o.Tolerance, o.config())
	if err != nil {
		return failed{err}
	}
	return p
}

// failed is a program that cannot run.
type failed struct{ err error }

func (f failed) Run(context.Context, *peer.Peer) error { return f.err }
