package place

import (
	"cmp"
	"slices"
)

// part is a domain of the slices' level, or what of it lies in the interval
// that is being filled.
type part struct {
	lo, hi int   // of the rooms
	room   int64 // of all its nodes
	runs   int   // whole slices that it takes
}

// left is the room of p besides the runs it takes.
func (p *part) left(slice int) int64 { return p.room - int64(p.runs)*int64(slice) }

// sliced fills, and keeps each run of a slice's ranks in one domain. It puts
// nothing if that cannot be.
func (s *sight) sliced(k, lo int, rooms []int32, n int) bool {
	if s.slice <= 1 || n == 0 {
		return s.filled(k, lo, rooms, n)
	}
	parts := s.parts(lo, rooms)
	runs, rest := n/s.slice, n%s.slice
	if !s.allot(parts, runs) {
		return false
	}
	short := s.short(parts, rest)
	if rest > 0 && short < 0 {
		return false
	}
	for j, p := range parts {
		ranks, from := p.runs*s.slice, len(s.puts)
		if j == short {
			ranks += rest
		}
		if ranks > 0 {
			s.fill(k, lo+p.lo, rooms[p.lo:p.hi], ranks)
		}
		if j == short {
			s.detach(from, rest)
		}
	}
	return true
}

// parts cuts rooms, of which the first is at position lo, into domains.
func (s *sight) parts(lo int, rooms []int32) []part {
	var parts []part
	for i := 0; i < len(rooms); {
		_, end := s.f.domain(s.slices, lo+i)
		p := part{lo: i, hi: min(end-lo, len(rooms))}
		for _, r := range rooms[p.lo:p.hi] {
			p.room += int64(r)
		}
		parts, i = append(parts, p), p.hi
	}
	return parts
}

// allot gives runs to parts as fill gives ranks to nodes; false if they do not
// suffice.
func (s *sight) allot(parts []part, runs int) bool {
	counts, whole := make([]int32, len(parts)), int64(0)
	for j, p := range parts {
		counts[j] = int32(min(p.room/int64(s.slice), unlimited))
		whole += int64(counts[j])
	}
	if whole < int64(runs) {
		return false
	}
	if runs > 0 {
		for _, p := range s.work.spend(counts, runs, nil, 0) {
			parts[p.i].runs += p.n
		}
	}
	return true
}

// short is the part in which a run of rest ranks fits most tightly, -1 for none.
func (s *sight) short(parts []part, rest int) int {
	best := -1
	for j := range parts {
		left := parts[j].left(s.slice)
		if rest > 0 && left >= int64(rest) && (best < 0 || left < parts[best].left(s.slice)) {
			best = j
		}
	}
	return best
}

// detach numbers the last n ranks of the puts from the given one on after all
// others: they are the run that is short.
func (s *sight) detach(from, n int) {
	slices.SortFunc(s.puts[from:], func(a, b put) int { return cmp.Compare(a.pos, b.pos) })
	for i := len(s.puts) - 1; n > 0; i-- {
		p := &s.puts[i]
		take := min(n, p.n)
		n -= take
		if take == p.n {
			p.last = true
			continue
		}
		p.n -= take
		s.puts = append(s.puts, put{p.role, p.pos, take, true})
	}
}
