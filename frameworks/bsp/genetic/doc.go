// Package genetic is genetic algorithms by islands, as a BSP program: each
// island has a population of its own, and sends its best individuals to others
// every few generations.
//
//	problem := genetic.Real{Dimensions: 10, Low: -5.12, High: 5.12, Value: rastrigin}
//	program := genetic.New(problem, genetic.Config{Islands: 8, Population: 60, Generations: 2000})
//
// # Model
//
//	island i ── generation, generation, … ──┬─ migrants ─→ island i+1 (ring), all, or one by chance
//	                                        └─ best ─→ aggregator ─→ go on?
//	           a superstep is Migration.Every generations of every island
//
// A [Problem] says what an individual is, how good it is, and how two make new
// ones. Islands are dealt out to ranks in turn; the islands of a rank share its
// cores.
//
// A generation keeps the Elite best. The others are made by two parents, each
// the best of Tournament individuals drawn by chance, which are crossed with
// probability Crossover and then mutated. Migrants take the places of the worst.
// Whitley, Rana and Heckendorn: The island model genetic algorithm (1999).
//
// # Laws
//
//	G1  The result depends on problem, configuration and seed alone: not on the
//	    number of ranks or cores, and not on what was lost and repaired. Each
//	    island draws from a generator of its own; migrants arrive in the order of
//	    the islands they come from.
//	G2  With Elite above 0 an island's best never gets worse.
//	G3  Lower is better. Of two that are as good, the one that was there first
//	    is better.
//
// # Left out
//
// Islands that differ in their parameters, and populations that are evaluated by
// several ranks: an island is small enough for a core.
package genetic
