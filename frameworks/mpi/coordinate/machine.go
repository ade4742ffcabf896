package coordinate

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/mpi/spec"
	"github.com/capstan-run/capstan/frameworks/mpi/task"
)

// Config is what a machine decides by.
type Config struct {
	Job      core.JobID
	Epoch    core.Epoch
	Body     *spec.Body
	Gang     core.GangAsk // of the job's own world; Size is set
	FirstRun int          // no run of an earlier generation has this number or a higher one
}

// defaultGrace is core.Gang.Grace's.
const defaultGrace = 30 * time.Second

func (c *Config) grace() time.Duration {
	if g := time.Duration(c.Gang.Grace); g > 0 {
		return g
	}
	return defaultGrace
}

// Machine decides. It belongs to one goroutine.
type Machine struct {
	cfg    Config
	state  State
	worlds map[string]*world
	runs   int
	names  map[string]string // ports that were published
	tries  totals
	note   string
	notes  []string

	ending *core.Error // why the job ends although ranks are left
	first  *failure    // the first rank that failed and let the others go on
	exit   int
	over   bool
	out    []Effect // of the step under way
}

// failure is a rank that ended with another code than 0.
type failure struct {
	err  *core.Error
	code int
}

// New makes a machine that goes on from state: the zero value at first.
func New(cfg Config, state State) *Machine {
	m := &Machine{cfg: cfg, state: state, worlds: map[string]*world{}, runs: cfg.FirstRun, names: map[string]string{}}
	m.worlds[cfg.Gang.Name] = newWorld(m.own(), false)
	for _, w := range state.Worlds {
		m.worlds[w.Ask.Name] = newWorld(w, true)
	}
	return m
}

// own is the job's own world.
func (m *Machine) own() World {
	l, _ := m.cfg.Body.Layout(m.cfg.Gang.Size) // Check has seen to it
	parts := m.cfg.Body.Parts()
	if m.cfg.Body.Foreign() {
		keeper := parts[0] // the environment is the same for all
		keeper.Command = m.cfg.Body.Keeper(l)
		parts = []spec.Program{keeper}
		l = l.Keepers()
	}
	w := World{Ask: m.cfg.Gang, PPN: l.PPN}
	for _, p := range parts {
		n := p.Ranks
		if len(parts) == 1 {
			n = l.Ranks
		}
		env := maps.Clone(m.cfg.Body.Env)
		if env == nil {
			env = map[string]string{}
		}
		maps.Copy(env, p.Env)
		dir := p.Workdir
		if dir == "" {
			dir = m.cfg.Body.Workdir
		}
		w.Programs = append(w.Programs, task.Program{Ranks: n, Command: p.Command, Env: env, Workdir: dir})
	}
	return w
}

// Step takes an event and answers what has to be done about it, in order. After
// End it answers nothing.
func (m *Machine) Step(_ int64, e Event) []Effect {
	if m.over {
		return nil
	}
	m.out = nil
	switch e := e.(type) {
	case Begin:
		for _, w := range m.all() {
			m.do(Want{w.Ask})
		}
	case GangUp:
		m.gangUp(e)
	case FromExecutor:
		if w := m.worlds[e.Gang]; w.has(e.Executor) {
			m.heard(w, e.Executor, &e.Up)
		}
	case ExecutorLost:
		if w := m.worlds[e.Gang]; w.has(e.Executor) {
			m.executorLost(w, e.Executor, e.Reason)
		}
	case ExecutorReplaced:
		if w := m.worlds[e.Gang]; w.has(e.Executor) {
			w.executors[e.Executor] = executor{present: true}
			m.send(w, e.Executor, task.Down{Query: true})
		}
	case GiveWay:
		m.giveWay(e)
	case Stay:
		if w := m.worlds[e.Gang]; w != nil && w.up && w.giving { // its ranks were told to end
			w.giving, w.again = false, true
			m.say("gang %s stays: its ranks start again", e.Gang)
		}
	case Refused:
		m.refused(e)
	case CancelAsked:
		m.end(core.Errorf(core.Cancelled, "%s", e.Reason), 0, m.cfg.grace())
	}
	m.proceed()
	return m.out
}

func (m *Machine) do(e Effect) { m.out = append(m.out, e) }

func (m *Machine) say(format string, args ...any) {
	m.note = fmt.Sprintf(format, args...)
	m.do(Note{m.note})
}

func (m *Machine) send(w *world, x int, d task.Down) {
	if w.executors[x].present {
		m.do(Send{w.name(), x, d})
	}
}

// all are the worlds, in the order of their names: the job's own is the first.
func (m *Machine) all() []*world {
	var list []*world
	for _, name := range slices.Sorted(maps.Keys(m.worlds)) {
		list = append(list, m.worlds[name])
	}
	return list
}

// gangUp takes a gang whose executors run: a new one, one of an earlier
// generation, or one that gave way and has a place again.
func (m *Machine) gangUp(e GangUp) {
	w := m.worlds[e.Gang]
	if w == nil {
		m.do(Release{e.Gang}) // of a world that is forgotten
		return
	}
	w.up, w.giving, w.nodes = true, false, e.Nodes
	w.executors = make([]executor, w.Ask.Size)
	for x := range w.executors {
		w.executors[x].present = !slices.Contains(e.Lost, x)
		m.send(w, x, task.Down{Query: true})
	}
	for _, x := range e.Lost {
		m.executorLost(w, x, "it was gone when the coordinator came back")
	}
}

func (m *Machine) heard(w *world, x int, up *task.Up) {
	k := &w.executors[x]
	if !k.present {
		return
	}
	if k.holds != nil { // what it said it holds waits for what others say
		amend(k.holds, up)
	}
	switch {
	case up.Holds != nil && k.holds != nil && up.Holds.Run <= k.holds.Run: // said again, and older
	case up.Holds != nil:
		k.holds, k.known, k.node, k.run = up.Holds, true, up.Holds.Node, max(k.run, up.Holds.Run)
	case up.Fence != nil:
		m.fence(w, x, up.Fence)
	case up.Ask != nil:
		m.ask(w, x, up.Ask)
	case up.Ended != nil:
		m.ended(w, up.Ended)
	case up.State != nil && up.State.Run == w.run:
		for _, l := range up.State.Ranks {
			w.look(l)
		}
	}
}

// amend brings what an executor holds up to date.
func amend(h *task.Holds, up *task.Up) {
	switch {
	case up.Ended != nil && up.Ended.Run == h.Run:
		h.Ended = append(h.Ended, *up.Ended)
	case up.Fence != nil && up.Fence.Run == h.Run:
		h.Fence = up.Fence
	case up.Ask != nil && up.Ask.Run == h.Run:
		h.Asks = append(h.Asks, *up.Ask)
	}
}

// proceed does what worlds allow: begins what is complete, ends what is over.
func (m *Machine) proceed() {
	for _, w := range m.all() {
		if m.worlds[w.name()] == w {
			m.proceedWith(w)
		}
	}
	m.finish()
}

func (m *Machine) proceedWith(w *world) {
	switch {
	case w.complete() && slices.ContainsFunc(w.executors, func(x executor) bool { return x.holds != nil }):
		m.settle(w)
	}
	switch {
	case m.ending != nil:
	case w.giving && w.up && w.quiet():
		m.leave(w)
	case w.giving:
	case w.complete() && (w.run == 0 || w.again) && w.quiet():
		m.begin(w)
	case w.spawned && w.over() && !w.stopping:
		m.forget(w)
	}
}

// settle takes what all executors of a world hold (law C3).
func (m *Machine) settle(w *world) {
	holds, again := make([]*task.Holds, len(w.executors)), w.again
	for x := range w.executors {
		holds[x], w.executors[x].holds = w.executors[x].holds, nil
		if holds[x] == nil {
			holds[x] = new(task.Holds)
		}
		if run := holds[x].Run; run > w.run {
			w.reset(run)
		}
	}
	if w.run == 0 {
		return
	}
	w.again = again
	w.recall(holds)
	for x, h := range holds {
		for i := range h.Ended {
			m.ended(w, &h.Ended[i])
		}
		for _, p := range h.Published {
			m.names[p.Key] = p.Value
		}
		m.catchUp(w, x)
	}
	m.regain(w, holds)
	for x, h := range holds {
		for i := range h.Asks {
			m.ask(w, x, &h.Asks[i])
		}
	}
	if m.ending != nil || w.stopping || w.again {
		m.stop(w, 0)
	}
}

// catchUp has an executor begin the run that others are in. If those went through
// a barrier it had begun, too: it is another one in its place.
func (m *Machine) catchUp(w *world, x int) {
	k := &w.executors[x]
	switch {
	case k.run == w.run || w.again || w.stopping || m.ending != nil:
	case w.passed.N > 0:
		m.ranksLost(w, x, "another took its place while no coordinator was there")
	default:
		k.run = w.run
		m.send(w, x, task.Down{Begin: w.begin(&m.cfg)})
	}
}

// begin starts the ranks of a world (law C1).
func (m *Machine) begin(w *world) {
	m.runs++
	w.reset(m.runs)
	b := w.begin(&m.cfg)
	for x := range w.executors {
		w.executors[x].run = w.run
		m.send(w, x, task.Down{Begin: b})
	}
	if w.spawned {
		m.answer(w.Asker, task.Answer{})
	}
}

// stop ends the ranks of a world.
func (m *Machine) stop(w *world, grace time.Duration) {
	w.stopping = true
	for x := range w.executors {
		if k := &w.executors[x]; k.present && k.run > 0 && w.left(x) > 0 {
			m.send(w, x, task.Down{Stop: &task.Stop{Run: k.run, Grace: grace}})
		}
	}
}

// giveWay has a world leave its place; what it spawned goes with it.
func (m *Machine) giveWay(e GiveWay) {
	w := m.worlds[e.Gang]
	if w == nil || !w.up || w.giving || m.ending != nil {
		return
	}
	if w.spawned { // its ranks are part of the job's world
		w = m.worlds[m.cfg.Gang.Name]
	}
	m.say("gang %s gives way: %s", e.Gang, e.Reason)
	w.giving = true
	m.stop(w, e.Left*3/4) // the rest is for what has to be kept
	m.orphan()
}

// leave lets a world's place go.
func (m *Machine) leave(w *world) {
	w.up, w.run, w.executors = false, 0, nil
	w.stopping = false
	m.do(Renew{w.Ask})
}

// forget ends a world that was spawned.
func (m *Machine) forget(w *world) {
	delete(m.worlds, w.name())
	m.state.Worlds = slices.DeleteFunc(slices.Clone(m.state.Worlds), func(o World) bool { return o.Ask.Name == w.name() })
	m.do(Save{m.state.clone()})
	m.do(Release{w.name()})
}

// orphan ends all worlds that were spawned (law C6).
func (m *Machine) orphan() {
	for _, w := range m.all() {
		if w.spawned {
			m.forget(w)
		}
	}
}

// refused takes a gang that will not come up.
func (m *Machine) refused(e Refused) {
	w := m.worlds[e.Gang]
	if w == nil || !w.spawned {
		m.end(e.Err, 0, 0)
		return
	}
	m.answer(w.Asker, task.Answer{Err: e.Err})
	m.forget(w)
}

// finish ends the job when nothing is left to do.
func (m *Machine) finish() {
	if m.over {
		return
	}
	var left, busy bool
	for _, w := range m.all() {
		left = left || !w.over() || w.again || w.giving
		busy = busy || !w.quiet()
	}
	switch {
	case m.ending != nil && !busy:
		m.over = true
		m.do(End{m.ending})
	case m.ending == nil && !left:
		m.over = true
		if m.first != nil {
			m.exit = m.first.code
			m.do(End{m.first.err})
			return
		}
		m.do(End{})
	}
}
