package place

import (
	"math/bits"
	"slices"
)

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
	hosts   index
	holders index // of the nodes that hold the shape's image
	images  bool  // some do
}

// slot is a place for a tally, when it was last asked for, and whom its shape
// has met.
type slot struct {
	tally *tally
	used  uint64
	asked *acquaintance
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
	if t := at.tally; t == nil || t.version != f.version || t.read != log.next() {
		f.refresh(at, s, v)
		log.read = log.next()
		at.tally.read = log.next()
	}
	if s.image != "" {
		f.fetch(at, s)
	}
	return at.tally
}

// refresh brings the rooms at a slot up to date: one by one, or by counting
// anew if that is cheaper.
func (f *Fleet) refresh(at *slot, s *shape, v View) {
	at.asked = f.acquaint(s, at.asked)
	if t := at.tally; t != nil && t.version >= f.base {
		changed, ok := f.logs[v].since(t.read)
		if ok && len(changed) <= f.reach() {
			at.own()
			at.tally.grow(f.plant)
			f.follow(at, s, v, changed)
			return
		}
	}
	if at.tally == nil {
		f.evict()
	}
	at.tally = f.count(s, v, at.asked)
}

// own makes the tally at a slot one that may be written.
func (at *slot) own() {
	if at.tally.shared {
		at.tally = at.tally.clone()
	}
}

// fetch brings the index of who holds the shape's image up to date.
func (f *Fleet) fetch(at *slot, s *shape) {
	only := f.holders(s.image)
	if same(only, at.tally.holders.only) {
		return
	}
	at.own()
	t := at.tally
	t.images = only != nil
	t.holders = index{}
	if t.images {
		t.holders = newIndex(t.room, only)
	}
}

// same reports whether a and b are one set, not only equal ones.
func same(a, b bitset) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
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
		oldest.tally, oldest.asked = nil, nil
		f.kept--
	}
}

func (t *tally) clone() *tally {
	c := new(tally)
	c.copy(t)
	return c
}

// copy makes t what u is, in t's own memory.
func (t *tally) copy(u *tally) {
	t.shared, t.version, t.read, t.grown, t.total = false, u.version, u.read, u.grown, u.total
	t.room = append(t.room[:0], u.room...)
	t.racks, t.zones = append(t.racks[:0], u.racks...), append(t.zones[:0], u.zones...)
	t.hosts.copy(&u.hosts)
	t.holders.copy(&u.holders)
	t.images = u.images
}

// grow makes room for nodes that came, in which nothing is counted yet.
func (t *tally) grow(p *plant) {
	for _, e := range p.grew[t.version-p.base:] {
		t.room = slices.Insert(t.room, int(e.pos), 0)
		if e.newRack {
			t.racks = slices.Insert(t.racks, int(e.rack), 0)
		}
		if e.newZone {
			t.zones = slices.Insert(t.zones, int(e.zone), 0)
		}
		t.hosts.shift(int(e.pos), len(t.room))
		t.holders, t.images = index{}, false // their positions are others
	}
	t.version = p.version
}

// set gives the node at position i another room; tidy has to follow.
func (t *tally) set(p *plant, i int, n int32) {
	d := int64(n - t.room[i])
	t.room[i] = n
	t.racks[p.rackOf[i]] += d
	t.zones[p.zoneOf[i]] += d
	t.total += d
	t.hosts.touch(i)
	if t.images {
		t.holders.touch(i)
	}
}

func (t *tally) tidy() {
	t.hosts.tidy(t.room)
	if t.images {
		t.holders.tidy(t.room)
	}
}

// count makes a tally from nothing.
func (f *Fleet) count(s *shape, v View, asked *acquaintance) *tally {
	f.clock++
	t := &tally{
		version: f.version,
		grown:   f.clock,
		room:    make([]int32, len(f.order)),
		racks:   make([]int64, len(f.racks)-1),
		zones:   make([]int64, len(f.zones)-1),
	}
	f.countRooms(t.room, s, v, asked)
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
	return t
}

// follow counts the changed nodes again.
func (f *Fleet) follow(at *slot, s *shape, v View, changed []Ref) {
	t, sieve := at.tally, f.sieve(s)
	grown := false
	for _, r := range changed {
		i := int(f.pos[r])
		if sieve != nil && !sieve.admits.has(i) {
			continue
		}
		was, is := t.room[i], f.roomAt(s, v, r, at.asked)
		if was == is {
			continue
		}
		grown = grown || is > was
		t.set(f.plant, i, is)
	}
	t.tidy()
	if grown {
		f.clock++
		t.grown = f.clock
	}
}

// countRooms sets the room of every node.
func (f *Fleet) countRooms(rooms []int32, s *shape, v View, asked *acquaintance) {
	sieve := f.sieve(s)
	for from := 0; from < len(rooms); from += 64 {
		admits := ^uint64(0)
		if sieve != nil {
			admits = sieve.admits[from>>6]
		}
		if left := len(rooms) - from; left < 64 {
			admits &= 1<<left - 1
		}
		for ; admits != 0; admits &= admits - 1 {
			i := from + bits.TrailingZeros64(admits)
			rooms[i] = f.roomAt(s, v, f.order[i], asked)
		}
	}
}

// roomAt is the room of a node, filters aside.
func (f *Fleet) roomAt(s *shape, v View, r Ref, asked *acquaintance) int32 {
	p := f.pages[r>>6]
	if v != Ever && p.shut>>(r&63)&1 != 0 {
		return 0
	}
	if v != Present {
		return s.fits(f.capacity[r][:f.dims])
	}
	if p.over>>(r&63)&1 != 0 {
		return 0
	}
	if asked != nil && p.tenants.head[r&63] >= 0 && asked.meets(f, p, r) {
		return 0
	}
	i := int(r&63) * f.dims
	return s.fits(p.free[i : i+f.dims])
}

// Room is the sum over all nodes of the ranks of a shape that fit: no claim
// places more. It costs nothing when nothing changed since it was last asked.
func (f *Fleet) Room(id ShapeID, v View) int64 { return f.tally(f.shapes[id], v).total }

// Grown is a number that changes whenever the room for a shape may have grown
// on some node since it was last asked. While it does not change, a claim of
// one role of that shape that had no place has none. For claims of several
// roles, or whose limits or ranks in place change, see Freed.
func (f *Fleet) Grown(id ShapeID) uint64 { return f.tally(f.shapes[id], Present).grown }
