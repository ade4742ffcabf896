package waits

import (
	"fmt"
	"slices"
	"strings"
)

// Wait is what a rank waits for.
type Wait struct {
	Op     string `json:"op"`              // "Recv", "Barrier"
	Peers  []int  `json:"peers,omitempty"` // of the world, any one of which would do; empty: anybody
	Tag    int    `json:"tag"`             // of point-to-point; -1: none, or any
	Comm   int    `json:"comm"`            // context of the communicator
	Name   string `json:"name,omitempty"`  // of the communicator
	Number uint64 `json:"number"`          // grows with each wait of the rank
}

// String is the wait in words: "Recv from rank 3, tag 7".
func (w Wait) String() string {
	who := "any rank"
	if len(w.Peers) > 0 {
		who = "rank " + strings.Trim(fmt.Sprint(w.Peers), "[]")
		if len(w.Peers) > 1 {
			who = "one of ranks " + strings.Join(strings.Fields(strings.Trim(fmt.Sprint(w.Peers), "[]")), ", ")
		}
	}
	s := w.Op + " " + w.preposition() + " " + who
	if w.Tag >= 0 {
		s += fmt.Sprintf(", tag %d", w.Tag)
	}
	if w.Name != "" && w.Name != "world" {
		s += " of " + w.Name
	}
	return s
}

func (w Wait) preposition() string {
	switch w.Op {
	case "Send", "Ssend":
		return "to"
	case "Recv", "Probe":
		return "from"
	}
	return "for"
}

// Deadlock are the ranks of a world of size ranks that can never go on, sorted:
// each waits for ranks all of which are among them. Ranks without a wait go on.
func Deadlock(waits map[int]Wait, size int) []int {
	free := make([]bool, size)
	for changed := true; changed; {
		changed = false
		for r := range free {
			w, waiting := waits[r]
			if !free[r] && (!waiting || someFree(w, r, free)) {
				free[r], changed = true, true
			}
		}
	}
	var stuck []int
	for r, f := range free {
		if !f {
			stuck = append(stuck, r)
		}
	}
	return stuck
}

func someFree(w Wait, rank int, free []bool) bool {
	if len(w.Peers) == 0 {
		for r, f := range free {
			if f && r != rank {
				return true
			}
		}
		return false
	}
	return slices.ContainsFunc(w.Peers, func(p int) bool { return p >= 0 && p < len(free) && free[p] })
}

// Cycle is a cycle among the waits of ranks that are all there are: each waits
// for the next, and the last for the first. It begins with its least rank; nil
// where there is none.
func Cycle(waits map[int]Wait) []int {
	size := 0
	for r, w := range waits {
		size = max(size, r+1)
		for _, p := range w.Peers {
			size = max(size, p+1)
		}
	}
	stuck := Deadlock(waits, size)
	if len(stuck) == 0 {
		return nil
	}
	// Every stuck rank leads to another, so some way comes back.
	var way []int
	for r := stuck[0]; ; {
		if i := slices.Index(way, r); i >= 0 {
			return fromLeast(way[i:])
		}
		way = append(way, r)
		r = next(waits[r], r, stuck)
		if r < 0 {
			return nil
		}
	}
}

// next is a stuck rank that a wait is for.
func next(w Wait, rank int, stuck []int) int {
	for _, p := range w.Peers {
		if slices.Contains(stuck, p) {
			return p
		}
	}
	if len(w.Peers) > 0 {
		return -1
	}
	for _, p := range stuck {
		if p != rank {
			return p
		}
	}
	return -1
}

func fromLeast(cycle []int) []int {
	i := slices.Index(cycle, slices.Min(cycle))
	return append(slices.Clone(cycle[i:]), cycle[:i]...)
}

// Same keeps the waits that are the same in two readings (law W3).
func Same(before, now map[int]Wait) map[int]Wait {
	kept := map[int]Wait{}
	for r, w := range now {
		if b, ok := before[r]; ok && b.Number == w.Number {
			kept[r] = w
		}
	}
	return kept
}
