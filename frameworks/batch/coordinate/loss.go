package coordinate

import "github.com/capstan-run/capstan/core"

// maxDeaths is how often a rank may lose its executor.
const maxDeaths = 3

// lost takes the loss of an executor, and does what its role's restart policy
// says (law B4).
func (m *Machine) lost(g *gang, r int, reason string) {
	k := &g.ranks[r]
	k.present = false
	if k.busy() {
		k.state = waiting
	}
	if g.failure != nil || g.giving || m.ending != nil || k.state == ended {
		m.proceed(g)
		return
	}
	k.deaths++
	m.tally.Lost++
	restart := g.roles[k.role].restart
	if restart == "none" || k.deaths > maxDeaths {
		m.fail(g, m.died(g, r, reason))
		m.proceed(g)
		return
	}
	scope := g.scopeOf(k)
	m.say("%s lost its executor (%s); %s", m.who(g, r), reason, again[scopeName(scope)])
	if scope != alone {
		m.restart(g, scope)
	}
	m.proceed(g)
}

// restart has all tasks of a scope end and run again together.
func (m *Machine) restart(g *gang, scope int) {
	for r := range g.ranks {
		k := &g.ranks[r]
		if scope != everybody && k.role != scope {
			continue
		}
		k.scope = scope
		m.stop(g, r, 0)
		if k.state == ended {
			k.state = waiting
		}
	}
}

func scopeName(scope int) string {
	switch scope {
	case everybody:
		return "gang"
	case alone:
		return "member"
	}
	return "role"
}

// again is what a loss brings about, in words.
var again = map[string]string{
	"gang": "all tasks of the gang run again", "role": "all tasks of its role run again", "member": "its task runs again",
}

func (m *Machine) died(g *gang, r int, reason string) *core.Error {
	e := core.Errorf(core.Failed, "%s lost its executor: %s", m.who(g, r), reason)
	if n := g.ranks[r].deaths; n > 1 {
		e = core.Errorf(core.Failed, "%s lost its executor %d times, last: %s", m.who(g, r), n, reason)
	}
	return e.At(m.place(g, r)).Do("if memory ran out raise gang.memory; gang.restart says what the loss of an executor brings about")
}
