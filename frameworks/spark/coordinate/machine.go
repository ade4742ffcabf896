package coordinate

import (
	"fmt"
	"slices"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/spark/task"
)

// Config is what a machine decides by.
type Config struct {
	App      string        // as the user calls it
	FirstRun int           // no run of an earlier generation has this number or a higher one
	Grace    time.Duration // between the signal to end and the kill
}

// phase is where a run is.
type phase int

const (
	waiting phase = iota // for the gang
	asking               // a new coordinator waits for what the ranks hold
	master               // Spark's master starts
	workers              // they register
	driving              // the application runs
	ending               // everything is told to stop
	over
)

// rank is an executor of the gang.
type rank struct {
	present bool
	asked   bool // its answer is awaited
	serves  bool // its Spark worker has registered
	told    bool // to stop
	stopped bool // it runs nothing any more
}

// Machine decides. It belongs to one goroutine.
type Machine struct {
	cfg    Config
	phase  phase
	run    int
	ranks  []rank
	ready  *task.Ready
	seen   *task.Seen
	done   *task.Done
	drives bool // the application ran when a new coordinator came
	losses int  // of workers' executors
	giving bool
	err    *core.Error // why it is ending; nil: well, or to give way
	note   string

	out []Effect // of the step under way
}

// New makes a machine.
func New(cfg Config) *Machine { return &Machine{cfg: cfg, run: cfg.FirstRun} }

// Step takes an event and answers what has to be done about it, in order. After
// End it answers nothing.
func (m *Machine) Step(e Event) []Effect {
	m.out = nil
	if m.phase == over {
		return nil
	}
	switch e := e.(type) {
	case GangUp:
		m.up(e)
	case FromRank:
		if m.has(e.Rank) {
			m.heard(e.Rank, &e.Up)
		}
	case RankLost:
		if m.has(e.Rank) {
			m.lost(e.Rank, e.Reason)
		}
	case RankReplaced:
		m.replaced(e.Rank)
	case GiveWay:
		m.giveWay(e)
	case CancelAsked:
		m.stop(core.Errorf(core.Cancelled, "cancelled: %s", e.Reason), m.cfg.Grace)
	}
	m.finish()
	return m.out
}

func (m *Machine) do(e Effect) { m.out = append(m.out, e) }

func (m *Machine) send(r int, d task.Down) { m.do(Send{r, d}) }

func (m *Machine) say(format string, args ...any) {
	m.note = fmt.Sprintf(format, args...)
	m.do(Note{m.note})
}

func (m *Machine) has(r int) bool { return r >= 0 && r < len(m.ranks) }

// serving are the ranks that run a Spark worker: all but the driver's, unless it
// is alone.
func (m *Machine) serving() []int {
	if len(m.ranks) == 1 {
		return []int{0}
	}
	list := make([]int, 0, len(m.ranks)-1)
	for r := 1; r < len(m.ranks); r++ {
		list = append(list, r)
	}
	return list
}

// up takes a gang whose executors run.
func (m *Machine) up(e GangUp) {
	if m.phase != waiting {
		return
	}
	m.ranks = make([]rank, e.Size)
	for r := range m.ranks {
		m.ranks[r].present = !slices.Contains(e.Lost, r)
	}
	m.note, m.giving = "", false
	if !e.Resumed {
		m.begin()
		return
	}
	if !m.ranks[0].present {
		m.driverLost("it was lost while the coordinator was away")
		return
	}
	m.phase = asking
	for r := range m.ranks {
		if m.ranks[r].present {
			m.ranks[r].asked = true
			m.send(r, task.Down{Ask: true})
		}
	}
}

// begin begins the next run.
func (m *Machine) begin() {
	m.run++
	m.phase, m.ready, m.seen, m.done = master, nil, nil, nil
	for r := range m.ranks {
		m.ranks[r] = rank{present: m.ranks[r].present}
	}
	m.send(0, task.Down{Begin: &task.Begin{Run: m.run}})
}

// serve has a rank run a Spark worker.
func (m *Machine) serve(r int) {
	if m.ranks[r].present && !m.ranks[r].serves {
		m.send(r, task.Down{Serve: &task.Serve{Run: m.run, Master: m.ready.Master, Web: m.ready.Web, Secret: m.ready.Secret}})
	}
}

func (m *Machine) heard(r int, up *task.Up) {
	k := &m.ranks[r]
	switch {
	case up.Holds != nil && k.asked:
		k.asked = false
		m.holds(r, up.Holds)
	case up.Ready != nil && up.Ready.Run == m.run && r == 0 && m.phase == master:
		m.ready, m.phase = up.Ready, workers
		for _, r := range m.serving() {
			m.serve(r)
		}
	case up.Serving != nil && up.Serving.Run == m.run:
		k.serves = true
		m.drive()
	case up.Seen != nil && up.Seen.Run == m.run && r == 0:
		m.seen = up.Seen
	case up.Done != nil && up.Done.Run == m.run && r == 0 && m.phase == driving:
		m.ended(up.Done)
	case up.Fell != nil && up.Fell.Run == m.run && m.phase != ending:
		m.fell(r, up.Fell)
	case up.Stopped:
		k.stopped = true
	}
}

// drive runs the application when all workers are there (law K1).
func (m *Machine) drive() {
	idle := func(r int) bool { return !m.ranks[r].serves }
	if m.phase == workers && !slices.ContainsFunc(m.serving(), idle) {
		m.phase = driving
		m.send(0, task.Down{Drive: &task.Drive{Run: m.run, Master: m.ready.Master, Secret: m.ready.Secret}})
	}
}

// holds takes a rank's answer to a new coordinator.
func (m *Machine) holds(r int, h *task.Holds) {
	m.run = max(m.run, h.Run)
	m.ranks[r].serves = h.Serving
	if r == 0 {
		m.ready, m.done, m.drives = h.Master, h.Done, h.Driving
	}
	m.resume()
}

// resume goes on from what the ranks hold, once all have said so (law K4).
func (m *Machine) resume() {
	if m.phase != asking || slices.ContainsFunc(m.ranks, func(k rank) bool { return k.asked }) {
		return
	}
	switch {
	case m.done != nil && m.done.Run == m.run:
		m.ended(m.done)
		return
	case m.ready == nil:
		m.begin()
		return
	case m.drives:
		m.phase = driving
	default:
		m.phase = workers
	}
	for _, r := range m.serving() {
		m.serve(r)
	}
	m.drive()
}

// fell takes the end of a process of Spark's that should run.
func (m *Machine) fell(r int, f *task.Fell) {
	if f.Part == "worker" && !f.Final {
		m.ranks[r].serves = false
		m.say("Spark's worker on rank %d ended and is started again: %s", r, f.Why.What)
		return
	}
	why := f.Why
	m.stop(&why, 0)
}

// ended takes the end of the application.
func (m *Machine) ended(d *task.Done) {
	m.done = d
	if m.giving && d.Code != 0 {
		m.stop(nil, 0)
		return
	}
	m.giving = false
	m.stop(m.outcome(d), 0)
}

// outcome is the error that the end of an application comes to.
func (m *Machine) outcome(d *task.Done) *core.Error {
	how := fmt.Sprintf("ended with exit status %d", d.Code)
	if d.Signal != 0 {
		how = fmt.Sprintf("was killed by signal %d", d.Signal)
	}
	switch {
	case d.Fault != nil:
		return d.Fault
	case d.Code == 0:
		return nil
	}
	return &core.Error{Kind: core.Failed, What: m.cfg.App + " " + how, Detail: d.Tail,
		Remedy: "the lines above are the last it wrote; all of them: `capstan logs JOB`"}
}

// lost takes the loss of an executor (law K2).
func (m *Machine) lost(r int, reason string) {
	k := &m.ranks[r]
	*k = rank{}
	if r == 0 {
		m.driverLost(reason)
		return
	}
	if m.phase != ending {
		m.losses++
		m.say("rank %d was lost: %s; Spark goes on without it until it is replaced", r, reason)
	}
	m.resume()
}

func (m *Machine) driverLost(reason string) {
	if m.phase == ending {
		return
	}
	m.stop(core.Errorf(core.Failed, "the driver's executor was lost: %s", reason).
		Do("set metadata.retries to have the application run again"), 0)
}

func (m *Machine) replaced(r int) {
	if !m.has(r) || m.phase == ending {
		return
	}
	m.ranks[r] = rank{present: true}
	if m.phase == workers || m.phase == driving {
		m.serve(r)
	}
}

// giveWay has the application end, so that it runs again where the gang goes.
func (m *Machine) giveWay(e GiveWay) {
	if m.giving || m.phase == ending {
		return
	}
	m.giving = true
	m.say("the gang gives way: %s; the application begins again", e.Reason)
	m.stop(nil, min(e.Left, m.cfg.Grace))
}

// stop has everything end, with err.
func (m *Machine) stop(err *core.Error, grace time.Duration) {
	if m.phase == ending {
		if m.giving && err != nil {
			m.giving, m.err = false, err
		}
		return
	}
	m.phase, m.err = ending, err
	if m.has(0) {
		m.tellToStop(0, grace)
	}
}

func (m *Machine) tellToStop(r int, grace time.Duration) {
	if k := &m.ranks[r]; k.present && !k.told {
		k.told = true
		m.send(r, task.Down{Stop: &task.Stop{Grace: grace}})
	}
}

// finish ends the job, or lets the place go, when nothing runs any more. The
// workers serve until the application has ended.
func (m *Machine) finish() {
	if m.phase != ending {
		return
	}
	if m.has(0) && (m.ranks[0].stopped || !m.ranks[0].present) {
		for r := range m.ranks {
			m.tellToStop(r, 0)
		}
	}
	if slices.ContainsFunc(m.ranks, func(k rank) bool { return k.present && !k.stopped }) {
		return
	}
	if m.giving {
		m.phase, m.ranks = waiting, nil
		m.do(Renew{})
		return
	}
	m.phase = over
	if m.err == nil {
		m.do(End{})
		return
	}
	m.do(End{m.err})
}
