package gang

import (
	"fmt"
	"maps"
	"slices"
)

// licence is something the cluster has so many of, whatever the node.
type licence struct {
	total, used int64
	kept        int64 // for gangs that wait for more than there is, until the next pass
}

func (s *Scheduler) supply(e Supply) {
	for name, l := range s.licences {
		l.total = e.Licences[name]
	}
	for name, n := range e.Licences {
		s.licence(name).total = n
	}
	s.moved = true
}

func (s *Scheduler) licence(name string) *licence {
	l := s.licences[name]
	if l == nil {
		l = &licence{}
		s.licences[name] = l
	}
	return l
}

func (s *Scheduler) takeLicences(g *member) {
	for name, n := range g.Licences {
		s.licence(name).used += n
	}
}

func (s *Scheduler) returnLicences(g *member) {
	for name, n := range g.Licences {
		s.licence(name).used -= n
		s.moved = true
	}
}

// licensed reports whether the licences g needs are there.
func (s *Scheduler) licensed(g *member) bool {
	for name, n := range g.Licences {
		if l := s.licence(name); n > l.total-l.used-l.kept {
			return false
		}
	}
	return true
}

// keepLicences keeps what is free of the licences that g waits for from those
// behind it, who could otherwise take them one by one for ever. What there will
// never be enough of is not kept.
func (s *Scheduler) keepLicences(g *member) {
	for name, n := range g.Licences {
		if n > s.licence(name).total {
			return
		}
	}
	for name, n := range g.Licences {
		s.licence(name).kept += n
	}
}

// keepNoLicences begins a pass.
func (s *Scheduler) keepNoLicences() {
	for _, l := range s.licences {
		l.kept = 0
	}
}

// unlicensed lists the licences g lacks.
func (s *Scheduler) unlicensed(g *member) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(g.Licences)) {
		if l, n := s.licence(name), g.Licences[name]; n > l.total-l.used {
			out = append(out, fmt.Sprintf("it needs %d of licence %s, and %d of %d are free", n, name, l.total-l.used, l.total))
		}
	}
	return out
}
