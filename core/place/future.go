package place

import (
	"slices"

	"github.com/capstan-run/capstan/core"
)

// Future is a fleet as it will be once some ranks are gone and others have come,
// seen by claims that watch it (law F5). It holds only what differs from the
// fleet: before a node of that changes, Keep it. Give a Future back with Done.
type Future struct {
	f        *Fleet
	known    bitset  // by Ref: nodes that free holds
	free     []int64 // by Ref, as in a page
	watchers []*Prospect
	used     int // watchers that are in use; the others are spare
}

// Prospect is what a claim finds in a Future.
type Prospect struct {
	u     *Future
	roles []outlook
	gauge gauge
}

// outlook is the room for one role.
type outlook struct {
	shape *shape
	sieve *sieve
	asked *acquaintance
	least int     // ranks that will do
	foes  []int32 // by Ref, of the nodes that are known: ranks that keep the shape away
	tally tally
}

// Future is the fleet as it is, to be changed.
func (f *Fleet) Future() *Future {
	f.settle()
	u := &Future{}
	if n := len(f.futures); n > 0 {
		u, f.futures = f.futures[n-1], f.futures[:n-1]
	}
	u.f, u.used = f, 0
	words := (len(f.nodes) + 63) / 64
	u.known = slices.Grow(u.known[:0], words)[:words]
	clear(u.known)
	n := len(f.nodes) * f.dims
	u.free = slices.Grow(u.free[:0], n)[:n] // known says what of it means something
	return u
}

// Done gives u back; nobody may use it or what watched it any more.
func (u *Future) Done() { u.f.futures = append(u.f.futures, u) }

// Watch lets a claim watch u, of which nothing may have changed yet. Of the
// claim its roles and its policy count.
func (u *Future) Watch(c *Claim) *Prospect {
	if u.used == len(u.watchers) {
		u.watchers = append(u.watchers, &Prospect{})
	}
	p := u.watchers[u.used]
	u.used++
	p.u = u
	for len(p.roles) < len(c.Roles) {
		p.roles = append(p.roles, outlook{})
	}
	p.roles = p.roles[:len(c.Roles)]
	for k := range p.roles {
		o, s := &p.roles[k], u.f.shapes[c.Roles[k].Shape]
		o.shape, o.sieve, o.foes, o.least = s, u.f.sieve(s), o.foes[:0], least(&c.Roles[k])
		o.tally.copy(u.f.tally(s, Present))
		if o.asked = u.f.acquaint(s, o.asked.of(s)); o.asked != nil {
			o.foes = slices.Grow(o.foes, len(u.f.nodes))[:len(u.f.nodes)]
		}
	}
	p.gauge.aim(c)
	p.gauge.fill(u.f.plant, &p.roles[0].tally)
	return p
}

// of is a if it is about s.
func (a *acquaintance) of(s *shape) *acquaintance {
	if a == nil || a.s != s {
		return nil
	}
	return a
}

// Keep keeps nodes as they are in the fleet now.
func (u *Future) Keep(nodes []Ref) {
	for _, r := range nodes {
		if !u.known.has(int(r)) {
			u.know(r)
		}
	}
}

// Free is what will be free on a node.
func (u *Future) Free(r Ref) core.Vector {
	if !u.known.has(int(r)) {
		return u.f.Free(r)
	}
	var v core.Vector
	copy(v[:], u.frees(r))
	return v
}

func (u *Future) frees(r Ref) []int64 {
	i := int(r) * u.f.dims
	return u.free[i : i+u.f.dims]
}

// Give is n ranks of a shape that will be gone from a node, and Take such as
// will have come.
func (u *Future) Give(r Ref, id ShapeID, n int) { u.change(r, u.f.shapes[id], int64(n)) }

// Take is the opposite of Give.
func (u *Future) Take(r Ref, id ShapeID, n int) { u.change(r, u.f.shapes[id], -int64(n)) }

// change counts n ranks of s that leave a node.
func (u *Future) change(r Ref, s *shape, n int64) {
	if !u.known.has(int(r)) {
		u.know(r)
	}
	free := u.frees(r)
	for _, d := range s.needs {
		free[d] += n * s.each[d]
	}
	open := u.f.page(r).shut>>(r&63)&1 == 0
	for _, p := range u.watchers[:u.used] {
		for k := range p.roles {
			o := &p.roles[k]
			if o.asked != nil && s.tenant() && o.asked.hostile(u.f, s.id) {
				o.foes[r] -= int32(n)
			}
			if i := int(u.f.pos[r]); open && (o.sieve == nil || o.sieve.admits.has(i)) {
				p.set(k, i, o.room(r, free))
			}
		}
	}
}

// know starts to follow a node.
func (u *Future) know(r Ref) {
	u.known[r>>6] |= 1 << (r & 63)
	copy(u.frees(r), u.f.frees(r))
	for _, p := range u.watchers[:u.used] {
		for k := range p.roles {
			if o := &p.roles[k]; o.asked != nil {
				o.foes[r] = o.asked.foes(u.f, r)
			}
		}
	}
}

// room is how many ranks a node has room for, filters aside.
func (o *outlook) room(r Ref, free []int64) int32 {
	if o.asked != nil && o.foes[r] > 0 {
		return 0
	}
	return o.shape.room(free)
}

func (p *Prospect) set(k, i int, room int32) {
	t := &p.roles[k].tally
	was := t.room[i]
	if was == room {
		return
	}
	t.set(p.u.f.plant, i, room)
	if k == 0 {
		p.gauge.change(p.u.f.plant, i, was, room)
	}
}

// Room is for how many ranks of the claim's first role there will be room where
// they can be used: of a gang that has to lie in one rack, what a rack holds
// beyond gangs of the minimum does not count.
func (p *Prospect) Room() int64 { return p.gauge.total }

// Roomy is a quick no: if it is false, the claim has no placement.
func (p *Prospect) Roomy() bool {
	if p.gauge.total < int64(p.roles[0].least) {
		return false
	}
	for k := range p.roles {
		if p.roles[k].tally.total < int64(p.roles[k].least) {
			return false
		}
	}
	return true
}

// Choose places the claim that watches, or one that differs in nothing but its
// limits and the nodes to avoid; see Fleet.Choose.
func (p *Prospect) Choose(c *Claim) (Choice, bool) {
	for k := range p.roles {
		p.roles[k].tally.tidy()
	}
	f := p.u.f
	s := f.lookAs(c, nil, p)
	defer f.done(s)
	if !s.choose() {
		return Choice{}, false
	}
	return s.choice(), true
}
