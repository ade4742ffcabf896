package place

import "sort"

// cull places up to n ranks of role k, the roomiest nodes first, as far as what
// counts ranks lets it, and reports whether all found a place. Caps whose
// groups nest make that exact: any ranks that cannot be added to are then as
// many as any. It spends rooms, of which the first is at position lo.
func (s *sight) cull(k, lo int, rooms []int32, n int) bool {
	r := &s.roles[k]
	order := s.work.roomiest(rooms, r.images, lo)
	even := false
	for j, p := range s.caps {
		if r.binds(j) && p.quota != nil {
			s.deal(p, r, lo, rooms, n)
			even = true
		}
	}
	from := len(s.puts)
	rest := s.reap(k, lo, order, rooms, n, even)
	if even {
		rest = s.reap(k, lo, order, rooms, rest, false)
	}
	for _, p := range s.puts[from:] {
		s.hold(p, -1)
	}
	return rest == 0
}

// reap takes up to n ranks from rooms in the given order, within quotas if it
// has to be even, and returns how many found no place.
func (s *sight) reap(k, lo int, order, rooms []int32, n int, even bool) int {
	for _, i := range order {
		if n == 0 {
			break
		}
		m := min(int(rooms[i]), n, s.allowed(&s.roles[k], lo+int(i), even))
		if m <= 0 {
			continue
		}
		p := put{role: k, pos: lo + int(i), n: m}
		s.puts = append(s.puts, p)
		s.cover(p)
		rooms[i] -= int32(m)
		n -= m
	}
	return n
}

// allowed is how many ranks of r the caps let node i take.
func (s *sight) allowed(r *role, i int, even bool) int {
	m := endless
	for j, p := range s.caps {
		if !r.binds(j) {
			continue
		}
		m = min(m, int(p.left(i)))
		if g := p.group[i]; even && p.quota != nil && g >= 0 {
			m = min(m, int(p.quota[g]))
		}
	}
	return m
}

// cover counts p and spends quotas on it.
func (s *sight) cover(p put) {
	s.hold(p, 1)
	for j, c := range s.caps {
		if c.quota != nil && s.roles[p.role].binds(j) {
			c.quota[c.group[p.pos]] -= int32(p.n)
		}
	}
}

// deal gives each group of p a quota of n ranks, so that the groups come to
// hold as equal numbers as their room allows.
func (s *sight) deal(p *partition, r *role, lo int, rooms []int32, n int) {
	room := make([]int64, p.groups)
	for i, m := range rooms {
		if g := p.group[lo+i]; g >= 0 {
			room[g] += int64(min(int(m), s.allowed(r, lo+i, false)))
		}
	}
	total, most := int64(0), int64(0)
	for g := range room {
		total += int64(p.held[g])
		most += room[g]
	}
	ranks := min(int64(n), most)
	// Water rises evenly: level is the highest that the ranks reach everywhere.
	level := int64(sort.Search(int(ranks+total), func(h int) bool {
		return p.volume(room, int64(h)+1) > ranks
	}))
	rest := ranks - p.volume(room, level)
	for g := range room {
		q := min(room[g], max(0, level-int64(p.held[g])))
		if rest > 0 && q < room[g] && int64(p.held[g])+q == level {
			q++
			rest--
		}
		p.quota[g] = int32(q)
	}
}

// volume is how many ranks bring every group to a level, as far as its room
// goes.
func (p *partition) volume(room []int64, level int64) (sum int64) {
	for g := range room {
		sum += min(room[g], max(0, level-int64(p.held[g])))
	}
	return sum
}
