package gang

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/capstan-run/capstan/core"
)

// Generic resources have few names in a cluster, and a name stays. So a name is
// given when a node, a queue or a gang that is accepted speaks of it, and to ask
// for what nobody has gives none.

// generic is what each rank of a role needs of generic resources. None of
// something is no name for it.
func (q *Request) generic(role core.Role) map[string]int64 {
	out := q.Generic
	if role.Generic != nil {
		out = role.Generic
	}
	none := func(_ string, n int64) bool { return n == 0 }
	for name, n := range out {
		if none(name, n) {
			out = maps.Clone(out)
			maps.DeleteFunc(out, none)
			return out
		}
	}
	return out
}

// unnamed is the generic resources that q needs and that have no name.
func (s *Scheduler) unnamed(q *Request) []string {
	if len(q.Generic) == 0 && len(q.Roles) == 0 {
		return nil
	}
	var out []string
	for _, role := range q.roles() {
		out = append(out, s.fleet.Kinds().Unknown(q.generic(role))...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// nameable reports whether what q needs can have names.
func (s *Scheduler) nameable(q *Request) error { return s.fleet.Kinds().Check(s.unnamed(q)) }

// unoffered refuses q if it needs what nobody has spoken of. Before there is a
// node it may: the nodes that come may have it.
func (s *Scheduler) unoffered(q *Request) (Refuse, bool) {
	fresh := s.unnamed(q)
	switch {
	case len(fresh) == 0:
		return Refuse{}, false
	case s.described == 0:
		err := s.nameable(q)
		if err == nil {
			return Refuse{}, false
		}
		return Refuse{Gang: q.Gang, Kind: core.Invalid, Why: err.Error(), Remedy: "see gang.generic"}, true
	}
	return Refuse{Gang: q.Gang, Kind: core.Unplaceable,
		Why:    fmt.Sprintf("%s does not fit the cluster (%s on %s): no node has %s", q.String(), s.total.Resources(), s.nodeCount(), strings.Join(fresh, ", ")),
		Remedy: "ask for a generic resource that some node has, or name it at the node that has it"}, true
}
