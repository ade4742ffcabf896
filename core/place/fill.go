package place

import (
	"cmp"
	"slices"

	"github.com/capstan-run/capstan/core"
)

// attempt places want ranks of each role between positions lo and hi, the
// scarcest role first, or leaves nothing.
func (s *sight) attempt(lo, hi int, want []int) bool {
	s.puts = s.puts[:0]
	if s.taken == nil {
		s.taken = map[int]core.Vector{}
	}
	clear(s.taken)
	ok := true
	for _, k := range s.scarcest(lo, hi, want) {
		if ok = want[k] == 0 || s.seat(k, lo, hi, want[k]); !ok {
			break
		}
	}
	for _, p := range s.puts {
		s.hold(p, -1)
	}
	if !ok {
		s.puts = s.puts[:0]
	}
	return ok
}

// scarcest is the roles in the order in which they are placed: the less room
// there is for each rank, the earlier.
func (s *sight) scarcest(lo, hi int, want []int) []int {
	order := s.work.order[:0]
	for k := range s.roles {
		order = append(order, k)
	}
	s.work.order = order
	if len(order) > 1 {
		slices.SortStableFunc(order, func(a, b int) int {
			x, y := s.between(&s.roles[a], lo, hi), s.between(&s.roles[b], lo, hi)
			return cmp.Compare(x*int64(want[b]), y*int64(want[a]))
		})
	}
	return order
}

// hold counts what p puts, or with sign -1 takes it back.
func (s *sight) hold(p put, sign int) {
	r := &s.roles[p.role]
	for j, c := range s.caps {
		if g := c.group[p.pos]; g >= 0 && r.binds(j) {
			c.held[g] += int32(sign * p.n)
		}
	}
}

// seat places n ranks of role k between lo and hi.
func (s *sight) seat(k, lo, hi, n int) bool {
	r := &s.roles[k]
	from := len(s.puts)
	room := s.remaining(k, lo, hi)
	switch {
	case !s.counted(r):
		if !s.sliced(k, lo, room, n) {
			return false // it left nothing
		}
	case s.slice > 1:
		s.cull(k, lo, room, endless)
		for i := range room {
			room[i] = 0
		}
		for _, p := range s.puts[from:] {
			room[p.pos-lo] = int32(p.n)
		}
		s.puts = s.puts[:from]
		if !s.sliced(k, lo, room, n) {
			return false
		}
	default:
		if !s.cull(k, lo, room, n) {
			s.puts = s.puts[:from]
			return false
		}
	}
	for _, p := range s.puts[from:] {
		s.hold(p, 1)
		if len(s.roles) > 1 {
			s.taken[p.pos] = s.taken[p.pos].Add(r.shape.each.Times(int64(p.n)))
		}
	}
	for j, p := range s.caps {
		if r.binds(j) && !p.wide() {
			return false
		}
	}
	return true
}

// counted reports whether something besides the room of single nodes limits r.
func (s *sight) counted(r *role) bool {
	if s.spread {
		return true
	}
	for j, p := range s.caps {
		if r.binds(j) && !p.alone {
			return true
		}
	}
	return false
}

// remaining is the room of role k from lo to hi after what the claim's other
// roles took.
func (s *sight) remaining(k, lo, hi int) []int32 {
	r := &s.roles[k]
	rooms := r.cap
	if s.counted(r) {
		rooms = r.room
	}
	s.work.room = append(s.work.room[:0], rooms[lo:hi]...)
	for _, p := range s.puts {
		n := &s.work.room[p.pos-lo]
		if *n == 0 {
			continue
		}
		if r.shape.clash(s.roles[p.role].shape) {
			*n = 0
			continue
		}
		*n = min(*n, s.roomIn(r, s.vector(p.pos).Sub(s.taken[p.pos])))
	}
	return s.work.room
}

// fill spends rooms, of which the first is at position lo, on n ranks of role k
// (law P2). The rooms must suffice.
func (s *sight) fill(k, lo int, rooms []int32, n int) {
	for _, p := range s.work.spend(rooms, n, s.roles[k].images, lo) {
		s.puts = append(s.puts, put{role: k, pos: lo + p.i, n: p.n})
	}
}

// filled fills if the rooms suffice.
func (s *sight) filled(k, lo int, rooms []int32, n int) bool {
	sum := int64(0)
	for _, r := range rooms {
		if sum += int64(r); sum >= int64(n) {
			s.fill(k, lo, rooms, n)
			return true
		}
	}
	return n == 0
}
