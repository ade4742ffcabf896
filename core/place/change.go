package place

import (
	"fmt"
	"sort"

	"github.com/capstan-run/capstan/core"
)

// Fits reports whether Choose would find a placement, and is quicker.
func Fits(nodes []Node, ask Ask) bool { return Largest(nodes, ask) == ask.Size }

// Largest is how many ranks, up to ask.Size, could be placed.
func Largest(nodes []Node, ask Ask) int { return survey(nodes, ask).largest() }

func (f *field) largest() int {
	if l, ok := levelOf(f.ask.Policy.Spread); ok {
		return min(f.ask.Size, len(f.roomiest(l)))
	}
	top, ok := levelOf(f.ask.Policy.Pack)
	if !ok {
		top = cluster
	}
	most := 0
	for lo := 0; lo < len(f.nodes); {
		hi := domainEnd(f.nodes, top, lo)
		most = max(most, f.sum(lo, hi))
		lo = hi
	}
	return min(f.ask.Size, most)
}

// Shrink names the changes of ask, each as small as it can be and enough by
// itself, that would make a placement possible: "size 2", "size 16 with cpu
// 125m", "no pack host". It is empty if there is none.
func Shrink(nodes []Node, ask Ask) []string {
	var out []string
	if k := Largest(nodes, ask); k > 0 && k < ask.Size {
		out = append(out, fmt.Sprintf("size %d", k))
	}
	cpu, cpuFits := thinner(nodes, ask, true)
	memory, memoryFits := thinner(nodes, ask, false)
	if cpuFits {
		out = append(out, fmt.Sprintf("size %d with cpu %s", ask.Size, cpu.Each.CPU))
	}
	if memoryFits {
		out = append(out, fmt.Sprintf("size %d with memory %s", ask.Size, memory.Each.Memory))
	}
	if both, ok := thinnerBoth(nodes, ask); ok && !cpuFits && !memoryFits {
		out = append(out, fmt.Sprintf("size %d with cpu %s and memory %s", ask.Size, both.Each.CPU, both.Each.Memory))
	}
	free := ask
	free.Policy = core.PlacementAsk{}
	switch {
	case !Fits(nodes, free):
	case ask.Policy.Pack != "":
		out = append(out, "no pack "+ask.Policy.Pack)
	case ask.Policy.Spread != "":
		out = append(out, "no spread "+ask.Policy.Spread)
	}
	return out
}

// The steps in which Shrink looks for less: amounts that people write.
const (
	cpuStep    = core.MilliCPU(5)
	memoryStep = core.Bytes(1 << 20)
)

// thinner is ask with the most cpu (or memory) per rank that has a placement,
// if that is less than asked and more than nothing.
func thinner(nodes []Node, ask Ask, cpu bool) (Ask, bool) {
	with := func(steps int) Ask {
		a := ask
		if cpu {
			a.Each.CPU = core.MilliCPU(steps) * cpuStep
		} else {
			a.Each.Memory = core.Bytes(steps) * memoryStep
		}
		return a
	}
	top := int((ask.Each.CPU - 1) / cpuStep)
	if !cpu {
		top = int((ask.Each.Memory - 1) / memoryStep)
	}
	// Less per rank never makes a placement impossible, so the search may halve.
	steps := sort.Search(max(top, 0), func(k int) bool {
		return !Fits(nodes, with(k+1))
	})
	return with(steps), steps > 0
}

// thinnerBoth is ask with less cpu and less memory per rank.
func thinnerBoth(nodes []Node, ask Ask) (Ask, bool) {
	light := ask
	light.Each.Memory = memoryStep
	light, ok := thinner(nodes, light, true)
	if !ok {
		return ask, false
	}
	light.Each.Memory = ask.Each.Memory
	return thinner(nodes, light, false)
}

// Relief is what would have to get free on one node for ask to have a
// placement: the least such amount, or false if no single node can do it.
func Relief(nodes []Node, ask Ask) (core.NodeID, core.Resources, bool) {
	f := survey(nodes, ask)
	l, spread := levelOf(ask.Policy.Spread)
	if !spread {
		l, _ = levelOf(ask.Policy.Pack) // cluster for neither
	}
	oneShort := spread && ask.Size-f.largest() == 1
	best, least := -1, core.Resources{}
	for lo := 0; lo < len(nodes); {
		hi := domainEnd(nodes, l, lo)
		sum := f.sum(lo, hi)
		for i := lo; i < hi; i++ {
			ranks := f.room[i] + ask.Size - sum
			if spread {
				ranks = 1
			}
			need, ok := f.relief(i, ranks)
			if ok && (!spread || oneShort && sum == 0) && (best < 0 || less(need, least)) {
				best, least = i, need
			}
		}
		lo = hi
	}
	if best < 0 {
		return "", core.Resources{}, false
	}
	return nodes[best].ID, least, true
}

// relief is what would have to get free on node i for so many ranks; false if
// it does not hold that much.
func (f *field) relief(i, ranks int) (core.Resources, bool) {
	if f.closed(i) != "" || f.excluded(i) {
		return core.Resources{}, false
	}
	need := f.shortfall(i, ranks)
	return need, need.Fits(f.nodes[i].Capacity.Sub(f.free(i)))
}
