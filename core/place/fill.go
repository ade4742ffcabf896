package place

import (
	"cmp"
	"slices"

	"github.com/capstan-run/capstan/core"
)

// scratch is buffers that a sight keeps.
type scratch struct {
	room        []int32
	hosts, full []int
	order, want []int
	ranked      []int32
	spare       []int32
	arena       []int32
}

// ints is n zeroes, good until the sight is done.
func (w *scratch) ints(n int) []int32 {
	if len(w.arena)+n > cap(w.arena) {
		w.arena = make([]int32, 0, 2*cap(w.arena)+n)
	}
	from := len(w.arena)
	w.arena = w.arena[:from+n]
	clear(w.arena[from:])
	return w.arena[from : from+n : from+n]
}

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

// fill spends rooms, of which the first is at position lo, on n ranks: the
// roomiest first, and for the last ranks the node they fit most tightly. Of
// equal ones those that hold the image win. The rooms must suffice.
func (s *sight) fill(k, lo int, rooms []int32, n int) {
	hosts, full := s.tiers(rooms, n)
	rest := n
	for r := n; r > 0; r-- {
		full[r] = min(hosts[r], (rest-1)/r)
		rest -= full[r] * r
		if full[r] < hosts[r] {
			break // the rest fits on one that is left
		}
	}
	role := &s.roles[k]
	last, lastHeld := -1, false
	passes := []bool{false}
	if role.images != nil {
		passes = []bool{true, false}
	}
	for _, held := range passes {
		for i, room := range rooms {
			r := int(room)
			if role.images != nil && s.holds(role, lo+i) != held {
				continue
			}
			if r < n && full[r] > 0 {
				full[r]--
				s.puts = append(s.puts, put{role: k, pos: lo + i, n: r})
			} else if r >= rest && (last < 0 || held == lastHeld && room < rooms[last]) {
				last, lastHeld = i, held
			}
		}
	}
	s.puts = append(s.puts, put{role: k, pos: lo + last, n: rest})
}

// tiers counts rooms by size, up to n, and clears as many counters.
func (s *sight) tiers(rooms []int32, n int) (hosts, full []int) {
	w := &s.work
	w.hosts, w.full = slices.Grow(w.hosts[:0], n+1)[:n+1], slices.Grow(w.full[:0], n+1)[:n+1]
	clear(w.hosts)
	clear(w.full)
	for _, r := range rooms {
		w.hosts[min(int(r), n)]++
	}
	return w.hosts, w.full
}

// sliced fills, and keeps each run of a slice's ranks in one domain.
func (s *sight) sliced(k, lo int, rooms []int32, n int) bool {
	if s.slice <= 1 || n == 0 {
		return s.filled(k, lo, rooms, n)
	}
	type part struct {
		lo, hi, slices int
		sum            int64
	}
	var parts []part
	var counts []int32
	whole := int64(0)
	for i := 0; i < len(rooms); {
		_, end := s.f.domain(s.slices, lo+i)
		p := part{lo: i, hi: min(end-lo, len(rooms))}
		for _, r := range rooms[p.lo:p.hi] {
			p.sum += int64(r)
		}
		whole += p.sum / int64(s.slice)
		counts = append(counts, int32(min(p.sum/int64(s.slice), unlimited)))
		parts, i = append(parts, p), p.hi
	}
	runs, rest := n/s.slice, n%s.slice
	if whole < int64(runs) {
		return false
	}
	if runs > 0 {
		from := len(s.puts)
		s.fill(k, 0, counts, runs)
		for _, p := range s.puts[from:] {
			parts[p.pos].slices += p.n
		}
		s.puts = s.puts[:from]
	}
	short := -1
	for j := range parts {
		left := parts[j].sum - int64(parts[j].slices*s.slice)
		if rest > 0 && left >= int64(rest) && (short < 0 || left < parts[short].sum-int64(parts[short].slices*s.slice)) {
			short = j
		}
	}
	if rest > 0 && short < 0 {
		return false
	}
	for j, p := range parts {
		ranks := p.slices * s.slice
		if j == short {
			ranks += rest
		}
		if ranks == 0 {
			continue
		}
		from := len(s.puts)
		s.fill(k, lo+p.lo, rooms[p.lo:p.hi], ranks)
		if j == short {
			s.detach(from, rest)
		}
	}
	return true
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

// cull places up to n ranks, the roomiest nodes first, as far as what counts
// ranks lets it, and reports whether all found a place. Caps whose groups nest
// make that exact: any ranks that cannot be added to are then as many as any.
func (s *sight) cull(k, lo int, rooms []int32, n int) bool {
	r := &s.roles[k]
	var held func(int) bool
	if r.images != nil {
		held = func(i int) bool { return s.holds(r, lo+i) }
	}
	order := s.work.roomiest(rooms, held)
	even := false
	for j, p := range s.caps {
		if r.binds(j) && p.quota != nil {
			s.deal(p, r, lo, rooms, n)
			even = true
		}
	}
	from, rest := len(s.puts), n
	var used []int32
	for pass := 0; pass < 2 && rest > 0; pass++ {
		for _, at := range order {
			if rest == 0 {
				break
			}
			i := int(at)
			m := min(int(rooms[i]), rest)
			if pass == 1 && used != nil {
				m = min(int(rooms[i]-used[i]), rest)
			}
			for j, p := range s.caps {
				if !r.binds(j) {
					continue
				}
				m = min(m, int(p.left(lo+i)))
				if pass == 0 && p.quota != nil && p.group[lo+i] >= 0 {
					m = min(m, int(p.quota[p.group[lo+i]]))
				}
			}
			if m <= 0 {
				continue
			}
			p := put{role: k, pos: lo + i, n: m}
			s.puts = append(s.puts, p)
			s.cover(p)
			rest -= m
			if even {
				if used == nil {
					used = s.work.ints(len(rooms))
				}
				used[i] += int32(m)
			}
		}
		if !even {
			break
		}
	}
	for _, p := range s.puts[from:] {
		s.hold(p, -1)
	}
	return rest == 0
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
		g := p.group[lo+i]
		if g < 0 || m == 0 {
			continue
		}
		for j, c := range s.caps {
			if r.binds(j) {
				m = min(m, c.left(lo+i))
			}
		}
		room[g] += int64(m)
	}
	total, most := 0, int64(0)
	for g := range room {
		total += int(p.held[g])
		most += room[g]
	}
	n = int(min(int64(n), most))
	// Water rises evenly: the highest level that n ranks reach everywhere.
	need := func(height int64) (sum int64) {
		for g := range room {
			sum += min(room[g], max(0, height-int64(p.held[g])))
		}
		return sum
	}
	lowest, highest := int64(0), int64(n+total+1)
	for highest-lowest > 1 {
		if mid := (lowest + highest) / 2; need(mid) <= int64(n) {
			lowest = mid
		} else {
			highest = mid
		}
	}
	rest := int64(n) - need(lowest)
	for g := range room {
		q := min(room[g], max(0, lowest-int64(p.held[g])))
		if rest > 0 && q < room[g] && int64(p.held[g])+q == lowest {
			q++
			rest--
		}
		p.quota[g] = int32(q)
	}
}
