package kernel

import (
	"unsafe"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/bsp/graph"
)

// Direction is whom a vertex hears.
type Direction int

const (
	FromSources Direction = iota // those with an edge to it
	FromTargets                  // those it has an edge to
)

// Kernel says what a program does. Values travel as C and are summed as A.
//
// Prepare and Apply get ranges of this rank's vertices. Ranges tile; the two are
// called for several at a time by several goroutines, and never for an edge.
// What they return is summed over all vertices of the graph, in an order that
// does not change.
type Kernel[C, A Number] struct {
	Sum  Semiring
	From Direction

	// Prepare sets say[i] to what vertex r.First+i says to its neighbours.
	Prepare func(s Step, r graph.Range, say []C) float64
	// Apply takes the new state of vertex r.First+i from sums[i], what it heard;
	// the semiring's zero if nothing: 0, or the greatest or least value of A for
	// minima and maxima.
	Apply func(s Step, r graph.Range, sums []A) float64

	// Iterations is the most there are; 0: until Until says so.
	Iterations int
	// Until ends the loop. It is asked before each iteration but the first, and
	// answers the same on all ranks, from s alone.
	Until func(s Step) bool
}

// Step is what is known of the whole graph.
type Step struct {
	Iteration int     // from 0
	Prepared  float64 // the sum of what Prepare returned in this iteration; in Apply and Until
	Applied   float64 // the sum of what Apply returned in the last one
}

// Need is what the kernel wants of its partition: its column, of own vertices
// also as the others have it, and what changed of it.
func (k *Kernel[C, A]) Need() graph.Need {
	var c C
	return graph.Need{In: k.From == FromSources, Out: k.From == FromTargets, Weights: k.Sum.weighted(), Cut: true,
		Room: graph.Room{Own: 2*int64(unsafe.Sizeof(c)) + 4, Others: int64(unsafe.Sizeof(c))}}
}

func (k *Kernel[C, A]) validate(part *graph.Partition) error {
	switch {
	case k.Prepare == nil || k.Apply == nil:
		return core.Errorf(core.Invalid, "a kernel without Prepare or without Apply").At("bsp kernel")
	case k.Iterations == 0 && k.Until == nil:
		return core.Errorf(core.Invalid, "a kernel that never ends").At("bsp kernel").Do("set Iterations or Until")
	}
	if rows, _ := k.rows(part); rows == nil {
		return core.Errorf(core.Invalid, "a partition without the edges that the kernel pulls over").At("bsp kernel").
			Do("load the graph with the kernel's Need")
	}
	return nil
}

func (k *Kernel[C, A]) rows(part *graph.Partition) (rows, cut *graph.CSR) {
	if k.From == FromSources {
		return part.In, part.CutIn
	}
	return part.Out, part.CutOut
}
