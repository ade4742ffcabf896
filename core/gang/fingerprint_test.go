package gang

import (
	"encoding/binary"
	"maps"
	"slices"

	"github.com/capstan-run/capstan/core/place"
)

// fingerprint appends the state of a scheduler to b: what String tells and what
// it does not, but not what is only remembered to be quick. Schedulers with the
// same fingerprint decide alike. It costs a fraction of String, so that it can be
// compared after each of millions of steps.
func fingerprint(b []byte, s *Scheduler) []byte {
	k := printer{b}
	k.put(s.now, int64(s.lease), int64(s.number), int64(s.described), s.rest.until, int64(s.tired()), bit(s.moved), bit(s.timed))
	for _, n := range s.fleet.Order() {
		v, free, full := s.nodes[n], s.fleet.Free(n), s.fleet.Capacity(n)
		k.put(int64(n), bit(v.known), bit(v.down), bit(v.draining), v.until, v.quarantine, int64(v.turns))
		k.put(v.strikes...)
		k.put(free[:]...)
		k.put(full[:]...)
	}
	for _, g := range s.ordered() {
		k.gang(g)
	}
	s.tree.Each(s.now, func(id uint64) bool { k.put(int64(id)); return true })
	for _, v := range s.repairs {
		k.put(int64(v.gang.number), int64(v.rank))
	}
	for _, v := range s.dues {
		k.put(v.at, int64(v.gang.number))
	}
	k.put(s.wakes...)
	k.put(s.evictions...)
	for _, kind := range slices.Sorted(maps.Keys(s.setbacks)) {
		v := s.setbacks[kind]
		k.put(int64(kind), v.lost, v.at, v.until)
	}
	for _, v := range s.displacing {
		k.put(int64(v.by.number), v.until)
		k.refs(v.nodes)
	}
	for _, list := range [][]*member{s.granted.list, s.elastic, s.fresh, s.promises.list} {
		for _, g := range list {
			k.put(int64(g.number))
		}
		k.put(int64(len(list)))
	}
	k.put(s.busy[:]...)
	k.put(s.promises.line.sum, s.promises.line.peak, s.promises.line.since)
	for _, name := range s.reservations {
		k.text(name)
		k.put(s.reserved[name].from, s.reserved[name].until)
		k.refs(s.reserved[name].nodes)
	}
	return k.b
}

// printer writes numbers one after the other.
type printer struct{ b []byte }

func (k *printer) put(list ...int64) {
	for _, v := range list {
		k.b = binary.AppendVarint(k.b, v)
	}
}

func (k *printer) refs(list []place.Ref) {
	k.put(int64(len(list)))
	for _, n := range list {
		k.put(int64(n))
	}
}

func (k *printer) flags(list []bool) {
	k.put(int64(len(list)))
	for _, v := range list {
		k.put(bit(v))
	}
}

func (k *printer) spans(list spans) {
	k.put(int64(len(list)))
	for _, v := range list {
		k.put(int64(v.First), int64(v.Last))
	}
}

func (k *printer) text(s string) { k.b = append(append(k.b, s...), 0) }

func (k *printer) gang(g *member) {
	k.text(string(g.Gang))
	k.text(string(g.phase))
	k.text(g.queue)
	k.put(int64(g.number), int64(g.Arrival), int64(g.lease), int64(g.ask.id), int64(g.class), int64(g.count), int64(g.target),
		int64(g.revokes), int64(g.evicted), bit(g.inLine), bit(g.promised), bit(g.stuck), bit(g.aged), bit(g.isCharged), bit(g.When.Hold))
	k.put(g.due, g.since, g.arrived, g.promise, g.latest, g.planned)
	k.put(g.counted[:]...)
	k.put(g.holding[:]...)
	k.refs(g.nodes)
	k.refs(g.avoid)
	k.flags(g.lost)
	k.flags(g.joined)
	for _, role := range g.roles {
		k.put(int64(role))
	}
	if g.shrink != nil {
		k.put(int64(g.shrink.size), g.shrink.until)
	}
	if a := g.array; a != nil {
		k.spans(a.waits)
		k.spans(a.ok)
		k.spans(a.failed)
		k.put(int64(a.granted), bit(a.begun))
	}
}

func bit(v bool) int64 {
	if v {
		return 1
	}
	return 0
}
