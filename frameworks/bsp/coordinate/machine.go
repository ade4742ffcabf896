package coordinate

import (
	"fmt"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/bsp/spec"
	"github.com/capstan-run/capstan/frameworks/bsp/task"
	"github.com/capstan-run/capstan/frameworks/dataset/input"
)

// Config is how a machine decides.
type Config struct {
	Repairs int           // so many in a row without progress; one more fails the job
	Preview *spec.Preview // nil: none
	// Deal gives each of size ranks its splits. The same splits and size give the
	// same answer.
	Deal func(splits []input.Split, size int) [][]input.Split
}

// Machine coordinates one attempt. It is not safe for concurrent use.
type Machine struct {
	cfg   Config
	state State
	ranks []*rank // of the gang; nil while there is none
	now   int64   // milliseconds, from the last event

	adopting bool   // hellos of a gang that was up are awaited
	running  bool   // state.Incarnation is under way, and whole
	lastLoss string // why the gang was last repaired
	// writing are the parts of checkpoints of the incarnation that are not whole,
	// by superstep, then by rank.
	writing map[int64][]*task.Written
	unsaved int    // checkpoints that count
	keptAt  int64  // when those that count were last saved
	struck  int    // the incarnation whose checkpoint was struck out
	yield   *yield // the gang has to give way

	after      []func() // what follows the saves under way, oldest first
	beginning  bool     // the next incarnation is being saved
	committing bool
	cancelled  *core.Error
	ended      bool
	out        []Effect
	meter      meter
}

// New makes a machine that goes on from state, which is durable already.
func New(cfg Config, state State) *Machine {
	return &Machine{cfg: cfg, state: state, writing: map[int64][]*task.Written{}, keptAt: -saveEvery}
}

// Step takes an event at now, in milliseconds since any fixed moment, and
// answers with what to do, in order. After an End effect it answers nothing.
func (m *Machine) Step(now int64, e Event) []Effect {
	if m.ended {
		return nil
	}
	m.now = max(m.now, now)
	m.take(e)
	m.advance()
	out := m.out
	m.out = nil
	return out
}

func (m *Machine) take(e Event) {
	switch e := e.(type) {
	case GangUp:
		m.gangUp(e)
	case FromRank:
		m.message(e.Rank, e.Up)
	case RankLost:
		m.rankLost(e.Rank, e.Reason)
	case RankReplaced:
		m.rankReplaced(e.Rank)
	case GiveWay:
		m.giveWay(e)
	case Stay:
		m.stay()
	case Saved:
		if len(m.after) > 0 {
			then := m.after[0]
			m.after = m.after[1:]
			then()
		}
	case Committed:
		m.committed(e.Err)
	case CancelAsked:
		m.cancel(e.Reason)
	case Tick:
		if m.unsaved > 0 && m.running && m.now-m.keptAt >= saveEvery {
			m.saveKept()
		}
		m.hurry()
	case Begin:
	}
}

// advance begins what can begin.
func (m *Machine) advance() {
	switch {
	case m.ended || m.committing || m.beginning:
	case m.state.Result != nil:
		if len(m.after) == 0 {
			m.committing = true
			m.emit(Commit{Parts: m.state.Result.Parts})
		}
	case m.adopting:
		m.adopt()
	case !m.running && m.ready():
		m.begin()
	}
}

func (m *Machine) message(r int, up task.Up) {
	k := m.rank(r)
	if k == nil || !k.up || m.state.Result != nil {
		return
	}
	if m.adopting {
		k.catchUp(up)
	}
	switch {
	case up.Hello != nil:
		k.hello = up.Hello
	case up.Steps != nil:
		m.steps(k, up.Steps)
	case up.Written != nil:
		m.written(r, up.Written)
	case up.Brought != nil:
		m.brought(k, up.Brought)
	case up.Done != nil:
		m.done(k, up.Done)
	case up.Ended != nil:
		m.endedRun(r, up.Ended)
	}
}

// save makes the state durable, then does what waits for that.
func (m *Machine) save(then func()) {
	m.after = append(m.after, then)
	m.emit(Save{State: m.state})
}

func (m *Machine) cancel(reason string) {
	what := "cancelled"
	if reason != "" {
		what += ": " + reason
	}
	m.cancelled = core.Errorf(core.Cancelled, "%s", what)
	if m.committing {
		m.emit(StopCommit{})
		return
	}
	m.end(m.cancelled)
}

func (m *Machine) committed(err error) {
	switch {
	case !m.committing:
	case err == nil:
		m.end(nil)
	case m.cancelled != nil:
		m.end(m.cancelled)
	default:
		m.end(core.AsError(err))
	}
}

// end takes an error as an untyped nil or an *core.Error.
func (m *Machine) end(err *core.Error) {
	m.ended = true
	if err == nil {
		m.emit(End{})
		return
	}
	m.emit(End{Err: err})
}

func (m *Machine) emit(e Effect) { m.out = append(m.out, e) }

func (m *Machine) send(rank int, d task.Down) { m.emit(Send{Rank: rank, Down: d}) }

// maxNotes bounds what is kept for the report; a bad day must not fill memory.
const maxNotes = 50

func (m *Machine) note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	m.emit(Note{Text: text})
	if len(m.state.Notes) < maxNotes {
		m.state.Notes = append(m.state.Notes, text)
	}
}
