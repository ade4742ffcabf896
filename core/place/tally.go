package place

import "slices"

// tally is how many ranks of a shape each node has room for in one view, and
// the sums over domains. It follows the fleet's changes when it is asked for.
type tally struct {
	shared  bool
	version uint64 // of the plant
	read    uint64 // entries of the log up to here are followed
	grown   uint64 // changes when the room of some node grows
	room    []int32
	racks   []int64
	zones   []int64
	total   int64
}

// slot is a place for a tally, and when it was last asked for.
type slot struct {
	tally *tally
	used  uint64
}

// tally is that of a shape, up to date.
func (f *Fleet) tally(s *shape, v View) *tally {
	f.settle()
	for int(s.id) >= len(f.tallies[v]) {
		f.tallies[v] = append(f.tallies[v], slot{})
	}
	at := &f.tallies[v][s.id]
	f.uses++
	at.used = f.uses
	log := &f.logs[v]
	if t := at.tally; t != nil && t.version == f.version && t.read == log.next() {
		return t
	}
	f.refresh(at, s, v)
	log.read = log.next()
	at.tally.read = log.next()
	return at.tally
}

// refresh brings the tally at a slot up to date: one by one, or by counting
// anew if that is cheaper.
func (f *Fleet) refresh(at *slot, s *shape, v View) {
	if t := at.tally; t != nil && t.version == f.version {
		changed, ok := f.logs[v].since(t.read)
		if ok && len(changed) <= f.reach() {
			if t.shared {
				at.tally = t.clone()
			}
			f.follow(at.tally, s, v, changed)
			return
		}
	}
	if at.tally == nil {
		f.evict()
	}
	at.tally = f.count(s, v)
}

// reach is how many changes are followed one by one before counting anew is
// cheaper.
func (f *Fleet) reach() int { return max(64, len(f.nodes)/4) }

// keep is how many tallies a fleet holds on to.
func (f *Fleet) keep() int {
	if f.most > 0 {
		return f.most
	}
	return min(4096, max(32, 1<<24/(len(f.nodes)+1)))
}

// evict makes room for one more tally: that of longest ago goes.
func (f *Fleet) evict() {
	f.kept++
	if f.kept <= f.keep() {
		return
	}
	var oldest *slot
	for v := range views {
		for i := range f.tallies[v] {
			if at := &f.tallies[v][i]; at.tally != nil && (oldest == nil || at.used < oldest.used) {
				oldest = at
			}
		}
	}
	if oldest != nil {
		oldest.tally = nil
		f.kept--
	}
}

func (t *tally) clone() *tally {
	c := *t
	c.shared = false
	c.room, c.racks, c.zones = slices.Clone(t.room), slices.Clone(t.racks), slices.Clone(t.zones)
	return &c
}

// count makes a tally from nothing.
func (f *Fleet) count(s *shape, v View) *tally {
	f.clock++
	t := &tally{
		version: f.version,
		grown:   f.clock,
		room:    make([]int32, len(f.order)),
		racks:   make([]int64, len(f.racks)-1),
		zones:   make([]int64, len(f.zones)-1),
	}
	sieve := f.sieve(s)
	for i := range t.room {
		if sieve == nil || sieve.admits.has(i) {
			t.room[i] = f.roomAt(s, v, i)
		}
		t.racks[f.rackOf[i]] += int64(t.room[i])
	}
	for d, sum := range t.racks {
		t.zones[f.zoneOf[f.racks[d]]] += sum
		t.total += sum
	}
	return t
}

// follow counts the changed nodes again.
func (f *Fleet) follow(t *tally, s *shape, v View, changed []Ref) {
	sieve := f.sieve(s)
	grown := false
	for _, r := range changed {
		i := int(f.pos[r])
		if sieve != nil && !sieve.admits.has(i) {
			continue
		}
		was, is := t.room[i], f.roomAt(s, v, i)
		if was == is {
			continue
		}
		grown = grown || is > was
		d := int64(is - was)
		t.room[i] = is
		t.racks[f.rackOf[i]] += d
		t.zones[f.zoneOf[i]] += d
		t.total += d
	}
	if grown {
		f.clock++
		t.grown = f.clock
	}
}

// roomAt is the room of the node at position i, filters aside.
func (f *Fleet) roomAt(s *shape, v View, i int) int32 {
	r := f.order[i]
	if v != Ever && f.closed[r] != 0 {
		return 0
	}
	if v != Present {
		return s.room(f.capacity[r][:f.dims])
	}
	n := s.room(f.free[int(r)*f.dims : (int(r)+1)*f.dims])
	if n > 0 && f.clashes(s, r) {
		return 0
	}
	return n
}

// clashes reports whether ranks on node r keep those of s away.
func (f *Fleet) clashes(s *shape, r Ref) bool {
	if !s.tenant() {
		return false
	}
	for i := f.tenants.head[r]; i >= 0; i = f.tenants.arena[i].next {
		if s.clash(f.shapes[f.tenants.arena[i].shape]) {
			return true
		}
	}
	return false
}

// Room is the sum over all nodes of the ranks of a shape that fit: no claim
// places more. It costs nothing when nothing changed since it was last asked.
func (f *Fleet) Room(id ShapeID, v View) int64 { return f.tally(f.shapes[id], v).total }

// Grown is a number that changes whenever the room for a shape may have grown
// on some node since it was last asked. While it does not change, a claim of
// one role of that shape that had no place has none. For claims of several
// roles, or whose limits or ranks in place change, see Freed.
func (f *Fleet) Grown(id ShapeID) uint64 { return f.tally(f.shapes[id], Present).grown }
