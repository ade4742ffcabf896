package coordinate

import (
	"fmt"
	"syscall"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/mpi/spec"
	"github.com/capstan-run/capstan/frameworks/mpi/task"
)

// ended takes the end of a rank.
func (m *Machine) ended(w *world, e *task.Ended) {
	if e.Run != w.run || e.Rank < 0 || e.Rank >= w.layout.Ranks || w.ended[e.Rank] != nil {
		return
	}
	w.ended[e.Rank] = e
	m.tries.add(e)
	delete(w.looks, e.Rank)
	switch {
	case m.ending != nil || w.stopping:
	case e.Stopped: // an earlier generation had the run end
		w.again = true
		m.stop(w, 0)
	case e.Lost():
		m.lost(w, e, m.fault(w, e))
	case e.Code != 0 && m.first == nil: // law C5
		m.first = &failure{m.fault(w, e), e.Code}
	}
	m.meet(w)
}

// executorLost takes the end of an executor.
func (m *Machine) executorLost(w *world, x int, reason string) {
	w.executors[x] = executor{}
	m.ranksLost(w, x, reason)
}

// ranksLost takes the ranks that an executor had.
func (m *Machine) ranksLost(w *world, x int, reason string) {
	first, n := w.layout.Of(x)
	e := &task.Ended{Run: w.run, Rank: first, Code: 1, Fault: core.Errorf(core.Failed, "%s", reason)}
	err := core.Errorf(core.Failed, "%s lost their executor %d: %s", ranks(first, n), x, reason).
		Do("if memory ran out raise gang.memory; spec.failure says what a lost rank brings about")
	if n == 1 {
		err.What = fmt.Sprintf("rank %d lost its executor: %s", first, reason)
	}
	if n := w.node(x); n != "" {
		err = err.At("node " + n)
	}
	left := w.left(x)
	for r := first; r < first+n && w.run > 0; r++ {
		if w.ended[r] == nil {
			o := *e
			o.Rank = r
			w.ended[r] = &o
			delete(w.looks, r)
		}
	}
	if m.ending == nil && !w.stopping && (left > 0 || w.run == 0) {
		m.lost(w, e, err)
	}
	m.meet(w)
}

func ranks(first, n int) string {
	if n == 1 {
		return fmt.Sprintf("rank %d", first)
	}
	return fmt.Sprintf("ranks %d to %d", first, first+n-1)
}

// lost does what the job's policy says (law C4).
func (m *Machine) lost(w *world, e *task.Ended, why *core.Error) {
	m.state.Lost++
	b := m.cfg.Body
	code := e.Code
	if e.Fault != nil {
		code = 0 // it is not the program's
	}
	fatal := e.Aborted || e.Fault != nil && e.Fault.Kind == core.Invalid
	switch {
	case b.Failure == spec.Continue && !fatal:
		m.notes = append(m.notes, why.What)
		m.say("%s; the others go on", why.What)
		m.tellDead(w)
	case b.Failure == spec.Restart && !fatal && m.state.Restarts < b.Restarts:
		m.state.Restarts++
		m.say("%s; all ranks start again (%d of %d)", why.What, m.state.Restarts, b.Restarts)
		m.restart()
	case b.Failure == spec.Restart && !fatal:
		why.What = fmt.Sprintf("%s, after %d restarts", why.What, m.state.Restarts)
		m.end(why, code, 0)
	default:
		m.end(why, code, 0)
	}
}

// restart has all ranks of the job's own world end and begin again.
func (m *Machine) restart() {
	m.orphan()
	m.do(Save{m.state.clone()})
	w := m.worlds[m.cfg.Gang.Name]
	w.again = true
	m.stop(w, 0)
}

// tellDead tells the ranks of a world which of them are lost.
func (m *Machine) tellDead(w *world) {
	dead := &task.Dead{Run: w.run}
	for r := range w.layout.Ranks {
		if e := w.ended[r]; e != nil && e.Lost() {
			dead.Ranks = append(dead.Ranks, r)
		}
	}
	for x := range w.executors {
		if w.left(x) > 0 {
			m.send(w, x, task.Down{Dead: dead})
		}
	}
}

// end ends all ranks, and then the job.
func (m *Machine) end(why *core.Error, code int, grace time.Duration) {
	if m.ending != nil {
		return
	}
	m.ending, m.exit = why, code
	for _, w := range m.all() {
		m.stop(w, grace)
	}
}

// fault says how a rank ended, with its last lines.
func (m *Machine) fault(w *world, e *task.Ended) *core.Error {
	what := fmt.Sprintf("rank %d %s", e.Rank, how(e))
	if w.spawned {
		what = fmt.Sprintf("rank %d of what was spawned (%s) %s", e.Rank, w.program(e.Rank), how(e))
	}
	err := &core.Error{Kind: core.Failed, What: what, Detail: e.Tail}
	if e.Fault != nil {
		err.Kind, err.Remedy = e.Fault.Kind, e.Fault.Remedy
	}
	if n := w.node(w.layout.Executor(e.Rank)); n != "" {
		err = err.At("node " + n)
	}
	if err.Remedy == "" {
		err.Remedy = fmt.Sprintf("see what it printed: `capstan logs %s`", m.cfg.Job)
	}
	return err
}

func (w *world) program(rank int) string {
	for _, p := range w.Programs {
		if rank -= p.Ranks; rank < 0 {
			return p.Command[0]
		}
	}
	return "?"
}

// how a rank ended, in words.
func how(e *task.Ended) string {
	switch {
	case e.Fault != nil:
		return "did not run: " + e.Fault.What
	case e.Aborted:
		return fmt.Sprintf("called MPI_Abort with code %d", e.Code)
	case e.Signal != 0:
		return fmt.Sprintf("was killed by signal %d (%s)", e.Signal, syscall.Signal(e.Signal))
	case e.Started && !e.Finalized:
		return fmt.Sprintf("ended with exit status %d before MPI_Finalize", e.Code)
	}
	return fmt.Sprintf("ended with exit status %d", e.Code)
}
