package spec

import (
	"slices"

	"github.com/capstan-run/capstan/core"
)

// Layout is how ranks lie in executors (law S1).
type Layout struct {
	Ranks     int
	PPN       int
	Executors int
}

// Lay deals ranks out: ppn or size may be 0, for what follows from the other. With
// neither each rank has an executor of its own.
func Lay(ranks, ppn, size int) (Layout, error) {
	switch {
	case ranks == 0 && size == 0:
		size, ppn = 2, max(ppn, 1)
		ranks = size * ppn
	case ranks == 0:
		ppn = max(ppn, 1)
		ranks = size * ppn
	case ppn == 0 && size == 0:
		ppn = 1
	case ppn == 0:
		ppn = (ranks + size - 1) / size
	}
	l := Layout{Ranks: ranks, PPN: ppn, Executors: (ranks + ppn - 1) / ppn}
	if size != 0 && size != l.Executors {
		return l, core.Errorf(core.Invalid, "%d ranks, %d in each executor, fill %d executors, and the gang has %d", ranks, ppn, l.Executors, size).
			At("gang.size").Do("leave out gang.size, spec.ranks or spec.ppn: it follows from the others")
	}
	return l, nil
}

// Layout deals the body's ranks out to a gang of size executors; 0: as many as it
// takes.
func (b *Body) Layout(size int) (Layout, error) {
	ranks := b.Ranks
	if len(b.Programs) > 0 {
		ranks = 0
		for _, p := range b.Programs {
			ranks += p.Ranks
		}
	}
	return Lay(ranks, b.PPN, size)
}

// Of are the ranks of an executor: from first, so many.
func (l Layout) Of(executor int) (first, count int) {
	first = executor * l.PPN
	return first, max(0, min(l.PPN, l.Ranks-first))
}

// Executor is the one that has a rank.
func (l Layout) Executor(rank int) int { return rank / l.PPN }

// Numbers are the number of the program of each rank.
func Numbers(parts []Program, ranks int) []int {
	list := make([]int, 0, ranks)
	for n, p := range parts {
		count := p.Ranks
		if len(parts) == 1 {
			count = ranks
		}
		list = append(list, slices.Repeat([]int{n}, count)...)
	}
	return list
}
