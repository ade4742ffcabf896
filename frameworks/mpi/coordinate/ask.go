package coordinate

import (
	"fmt"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/mpi/pmi"
	"github.com/capstan-run/capstan/frameworks/mpi/spec"
	"github.com/capstan-run/capstan/frameworks/mpi/task"
)

// ask takes what a rank wants of the job. It may come twice.
func (m *Machine) ask(w *world, x int, a *task.Ask) {
	if a.Run != w.run {
		return
	}
	who := Asker{w.name(), x, a.Run, a.ID}
	port, has := m.names[a.Name]
	switch a.Verb {
	case task.Publish:
		if has && port != a.Port {
			m.answer(who, task.Answer{Known: true})
			return
		}
		m.names[a.Name] = a.Port
		m.answer(who, task.Answer{})
	case task.Unpublish:
		delete(m.names, a.Name)
		m.answer(who, task.Answer{None: !has})
	case task.Lookup:
		m.answer(who, task.Answer{Port: port, None: !has})
	case task.SpawnVerb:
		m.spawn(w, who, a.Spawn)
	}
}

// answer tells a rank what became of what it asked.
func (m *Machine) answer(who Asker, a task.Answer) {
	w := m.worlds[who.Gang]
	if !w.has(who.Executor) || w.run != who.Run {
		return
	}
	a.Run, a.ID = who.Run, who.Question
	m.send(w, who.Executor, task.Down{Answer: &a})
}

// spawn wants a gang for another world.
func (m *Machine) spawn(by *world, who Asker, s *pmi.Spawn) {
	if s == nil || len(s.Programs) == 0 {
		m.answer(who, task.Answer{Err: core.Errorf(core.Invalid, "nothing is to be spawned")})
		return
	}
	w := m.spawned(by, who, s)
	if known := m.worlds[w.Ask.Name]; known != nil { // asked before
		if known.run > 0 {
			m.answer(who, task.Answer{})
		}
		return
	}
	m.worlds[w.Ask.Name] = newWorld(w, true)
	m.state.Worlds = append(m.state.Worlds, w)
	m.do(Save{m.state.clone()})
	m.do(Want{w.Ask})
}

// spawned is the world that a spawn asks for: as many ranks in an executor as the
// world that spawns has.
func (m *Machine) spawned(by *world, who Asker, s *pmi.Spawn) World {
	w := World{PPN: by.PPN, Put: s.Put, Asker: who, Ask: m.cfg.Gang}
	ranks := 0
	for _, p := range s.Programs {
		env := by.Programs[0].Env
		dir := by.Programs[0].Workdir
		for _, i := range p.Info {
			if i.Key == "wdir" {
				dir = i.Value
			}
		}
		w.Programs = append(w.Programs, task.Program{Ranks: p.Ranks, Command: p.Argv, Env: env, Workdir: dir})
		ranks += p.Ranks
	}
	w.PPN = min(w.PPN, ranks)
	l, _ := spec.Lay(ranks, w.PPN, 0) // ranks and ppn go together
	w.Ask.Name = fmt.Sprintf("spawn-%d-%d-%d", who.Run, who.Executor, who.Question)
	w.Ask.Size, w.Ask.Optional = l.Executors, true
	if by.PPN > w.PPN {
		w.Ask.CPU = m.cfg.Gang.CPU * core.MilliCPU(w.PPN) / core.MilliCPU(by.PPN)
	}
	return w
}
