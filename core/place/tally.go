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
	hosts   *index
	holders *index // of the nodes that hold the shape's image; nil if none does
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
	c.hosts, c.holders = t.hosts.clone(), t.holders.clone()
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
	f.countRooms(t.room, s, v)
	for d := range t.racks {
		sum := int64(0)
		for _, n := range t.room[f.racks[d]:f.racks[d+1]] {
			sum += int64(n)
		}
		t.racks[d] = sum
		t.zones[f.zoneOf[f.racks[d]]] += sum
		t.total += sum
	}
	t.hosts = newIndex(t.room, nil)
	if s.image != "" && f.images[s.image] != nil {
		t.holders = newIndex(t.room, f.holders(s.image))
	}
	return t
}

// follow counts the changed nodes again.
func (f *Fleet) follow(t *tally, s *shape, v View, changed []Ref) {
	sieve, asked := f.sieve(s), newAcquaintance(f, s)
	grown := false
	for _, r := range changed {
		i := int(f.pos[r])
		if sieve != nil && !sieve.admits.has(i) {
			continue
		}
		was, is := t.room[i], f.roomAt(s, v, r, asked)
		if was == is {
			continue
		}
		grown = grown || is > was
		d := int64(is - was)
		t.room[i] = is
		t.racks[f.rackOf[i]] += d
		t.zones[f.zoneOf[i]] += d
		t.total += d
		t.hosts.touch(i)
		if t.holders != nil {
			t.holders.touch(i)
		}
	}
	t.hosts.tidy(t.room)
	if t.holders != nil {
		t.holders.tidy(t.room)
	}
	if grown {
		f.clock++
		t.grown = f.clock
	}
}

// countRooms sets the room of every node.
func (f *Fleet) countRooms(rooms []int32, s *shape, v View) {
	sieve, asked := f.sieve(s), newAcquaintance(f, s)
	for i := range rooms {
		if sieve == nil || sieve.admits[i>>6]&(1<<(i&63)) != 0 {
			rooms[i] = f.roomAt(s, v, f.order[i], asked)
		}
	}
}

// roomAt is the room of a node, filters aside.
func (f *Fleet) roomAt(s *shape, v View, r Ref, asked *acquaintance) int32 {
	p := f.pages[r>>6]
	if v != Ever && p.closed[r&63] != 0 {
		return 0
	}
	if v != Present {
		return s.room(f.capacity[r][:f.dims])
	}
	if asked != nil && p.tenants.head[r&63] >= 0 && asked.meets(p, r) {
		return 0
	}
	i := int(r&63) * f.dims
	return s.room(p.free[i : i+f.dims])
}

// acquaintance is which other shapes one has been found to clash with, or not.
type acquaintance struct {
	f       *Fleet
	s       *shape
	verdict []int8 // by ShapeID: 0 for not asked yet, 1 for no, 2 for yes
}

// newAcquaintance knows nobody; nil if the shape clashes with none.
func newAcquaintance(f *Fleet, s *shape) *acquaintance {
	if len(s.ports) == 0 && len(s.apart) == 0 && (len(s.tags) == 0 || !f.particular) {
		return nil
	}
	return &acquaintance{f: f, s: s}
}

// meets reports whether ranks on node r of a page keep those of the shape away.
func (a *acquaintance) meets(p *page, r Ref) bool {
	if a.verdict == nil {
		a.verdict = make([]int8, len(a.f.shapes))
	}
	for i := p.tenants.head[r&63]; i >= 0; i = p.tenants.arena[i].next {
		id := p.tenants.arena[i].shape
		if a.verdict[id] == 0 {
			a.verdict[id] = 1 + int8(bit(a.s.clash(a.f.shapes[id])))
		}
		if a.verdict[id] == 2 {
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
