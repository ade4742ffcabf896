package coordinate

import (
	"slices"

	"github.com/capstan-run/capstan/core"
)

// gang is one gang that is up.
type gang struct {
	name  string
	index int64 // of its element; 0 without an array
	place int64 // of the index in the array
	array bool
	nodes []core.NodeID
	ranks []rank
	roles []role

	giving  bool        // it was told to give way
	failure *core.Error // why it will end
}

// rank is an executor of a gang and its task.
type rank struct {
	present  bool
	state    state
	later    bool // it is to end, but may work on for a while
	role     int
	try      int
	failures int
	deaths   int
	streams  []string // of the last try that has ended
	scope    int      // it starts only together with the others of it (law B4)
}

// role is a part of a gang.
type role struct{ restart string }

// state is where a rank's task is.
type state int

const (
	idle     state = iota // it has no task
	waiting               // for its executor, or for others to start with
	asked                 // a new coordinator waits for its answer
	running               //
	stopping              // it was told to end
	ended                 // well
	failed
)

func newGang(cfg *Config, e GangUp, index, place int64) *gang {
	g := &gang{name: e.Gang, index: index, place: place, array: cfg.Array != nil, nodes: e.Nodes, ranks: make([]rank, len(e.Nodes)), roles: rolesOf(&cfg.Gang)}
	part, left := 0, 0
	if len(cfg.Gang.Roles) > 0 {
		left = cfg.Gang.Roles[0].Size
	}
	for r := range g.ranks {
		for left == 0 && part < len(cfg.Gang.Roles)-1 {
			part++
			left = cfg.Gang.Roles[part].Size
		}
		left--
		g.ranks[r] = rank{present: !slices.Contains(e.Lost, r), role: part, state: waiting, scope: alone}
		if cfg.Body.ByGang() && r > 0 {
			g.ranks[r].state = idle
		}
	}
	return g
}

func rolesOf(ask *core.GangAsk) []role {
	if len(ask.Roles) == 0 {
		return []role{{ask.Restart}}
	}
	var list []role
	for _, r := range ask.Roles {
		restart := r.Restart
		if restart == "" {
			restart = ask.Restart
		}
		list = append(list, role{restart})
	}
	return list
}

// has reports whether g is there and has rank r.
func (g *gang) has(r int) bool { return g != nil && r >= 0 && r < len(g.ranks) }

func (k *rank) busy() bool { return k.state == asked || k.state == running || k.state == stopping }

// running reports whether a task has not ended.
func (g *gang) running() bool {
	return slices.ContainsFunc(g.ranks, func(k rank) bool { return k.busy() })
}

// present reports whether any of g's executors is there.
func (g *gang) present() bool {
	return slices.ContainsFunc(g.ranks, func(k rank) bool { return k.present })
}

// complete reports whether all tasks have ended well.
func (g *gang) complete() bool {
	return !slices.ContainsFunc(g.ranks, func(k rank) bool { return k.state != idle && k.state != ended })
}

// startable lists the ranks whose tasks can start: those that wait, are there,
// and wait for nobody else of their scope.
func (g *gang) startable() []int {
	var list []int
	for r := range g.ranks {
		k := &g.ranks[r]
		if k.state == waiting && k.present && !g.held(k.scope) {
			list = append(list, r)
		}
	}
	return list
}

// held reports whether a rank of a scope is not ready to start with the others.
func (g *gang) held(scope int) bool {
	return scope != alone && slices.ContainsFunc(g.ranks, func(k rank) bool {
		return k.scope == scope && (!k.present || k.busy())
	})
}

// started ends the scopes that are not held any more.
func (g *gang) started() {
	for r := range g.ranks {
		if k := &g.ranks[r]; k.present && (k.state == running || k.state == idle) {
			k.scope = alone
		}
	}
}

// scopeOf is who restarts with a rank.
func (g *gang) scopeOf(k *rank) int {
	switch {
	case g.roles[k.role].restart == "gang" || k.scope == everybody:
		return everybody
	case g.roles[k.role].restart == "role":
		return k.role
	}
	return alone
}

// Scopes other than the number of a role.
const (
	everybody = -1
	alone     = -2
)
