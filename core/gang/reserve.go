package gang

import (
	"fmt"
	"slices"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/place"
)

// reservation is one in advance: nodes that are kept for its holders.
type reservation struct {
	from, until int64
	names       []core.NodeID
	nodes       []place.Ref // of names, as far as they are known; ascending
}

func (s *Scheduler) reserve(e Reserve) {
	if e.End <= e.Start || e.End <= s.now {
		return
	}
	if s.reserved[e.Name] == nil {
		s.reservations = append(s.reservations, e.Name)
	}
	s.reserved[e.Name] = s.resolved(reservation{from: e.Start, until: e.End, names: slices.Clone(e.Nodes)})
	s.wakes.add(e.Start)
	s.wakes.add(e.End)
	s.moved = true
}

// resolved is v with the nodes that are known by now.
func (s *Scheduler) resolved(v reservation) *reservation {
	v.nodes = nil
	for _, id := range v.names {
		if n, ok := s.fleet.Ref(id); ok {
			v.nodes = append(v.nodes, n)
		}
	}
	v.nodes = distinct(v.nodes)
	return &v
}

func (s *Scheduler) unreserve(name string) {
	if s.reserved[name] == nil {
		return
	}
	delete(s.reserved, name)
	s.reservations = slices.DeleteFunc(s.reservations, func(v string) bool { return v == name })
	s.moved = true
}

// endReservations forgets those whose time is over.
func (s *Scheduler) endReservations() {
	for _, name := range slices.Clone(s.reservations) {
		if s.reserved[name].until <= s.now {
			s.unreserve(name)
		}
	}
}

// reservationPends says why the holder of a reservation cannot use it now; ""
// if it can.
func (s *Scheduler) reservationPends(g *member) string { return s.pendsAt(g, s.now) }

// pendsAt is the same for another time.
func (s *Scheduler) pendsAt(g *member, at int64) string {
	if g.Reservation == "" {
		return ""
	}
	switch v := s.reserved[g.Reservation]; {
	case v == nil:
		return fmt.Sprintf("there is no reservation %s", g.Reservation)
	case v.until <= at:
		return fmt.Sprintf("its reservation %s is over", g.Reservation)
	case v.from > at:
		return fmt.Sprintf("its reservation %s begins in %s", g.Reservation, millis(v.from-s.now))
	}
	return ""
}
