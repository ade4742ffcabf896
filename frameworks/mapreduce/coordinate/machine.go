package coordinate

import (
	"fmt"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/mapreduce/spec"
	"github.com/capstan-run/capstan/frameworks/mapreduce/task"
)

// Config is how a machine decides. Every field must be set but those with a
// default.
type Config struct {
	Slots       int           // tries an executor runs at once
	Attempts    int           // failures of one task that fail the job
	Timeout     time.Duration // a try without progress for so long has failed
	Speculation bool
	Range       bool // sample keys before the first map task
	// Orders are the orders that keys may have, the likeliest first; default
	// bytes.Compare. Of a program's keys only its workers know the order: sampled
	// keys come sorted, and the first order that all samples agree with counts.
	Orders   []func(a, b []byte) int
	Preview  *spec.Preview // nil: none
	Coalesce int64         // the most bytes of partitions that one reduce task takes together; default 16 MiB
	FirstTry int           // number of each task's first try (law M3)
	// Grace is how long before a gang has to be gone it is handed no more tasks.
	Grace time.Duration
	// Outlives says that map output is in the store, too: it is there when the
	// gang is not.
	Outlives bool
}

// Machine coordinates one attempt. It is not safe for concurrent use.
type Machine struct {
	cfg     Config
	state   State
	ranks   []*rank
	sample  *stage // nil unless Range and not yet sampled
	maps    *stage
	merges  *stage // nil until the reads are planned
	reduces *stage // nil until the reads are planned

	now     int64 // milliseconds, from the last event
	version int   // counts accepted exchange files
	// settled says that every map task is done, and that what the tasks after them
	// have to read is known (law M5).
	settled bool
	// held are results of tasks that read exchange files which came while one of
	// these was to be made again.
	held []held

	leave      *leave
	away       bool  // the gang was let go and is not up again
	askedUntil int64 // inventories are waited for until then
	saving     bool
	committing bool
	cancelled  *core.Error
	ended      bool
	out        []Effect
}

type held struct {
	rank int
	done *task.Done
}

// inventoryWait bounds how long a new generation waits for executors to say
// what they hold. Later answers still count.
const inventoryWait = 10 * 1000 // milliseconds

// New makes a machine that goes on from state, which is durable already.
func New(cfg Config, state State) *Machine {
	m := &Machine{cfg: cfg, state: state}
	if state.Result != nil {
		return m
	}
	sizes := make([]int64, len(state.Splits))
	for i, s := range state.Splits {
		sizes[i] = s.Bytes
	}
	m.maps = newStage(task.Map, sizes, cfg.FirstTry)
	if state.Planned {
		m.layOut()
	}
	if cfg.Range && !state.Sampled && state.Partitions > 1 {
		m.sample = newSample(sizes, cfg.FirstTry)
	}
	return m
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
	case Shrink:
		m.shrink(e)
	case Saved:
		m.saving = false
	case Committed:
		m.committed(e.Err)
	case CancelAsked:
		m.cancel(e.Reason)
	case Tick:
		m.expire()
	case Begin:
		m.takeSaved()
	}
}

// advance starts whatever can start.
func (m *Machine) advance() {
	switch {
	case m.ended || m.saving || m.committing:
	case m.state.Result != nil:
		m.committing = true
		m.emit(Commit{Parts: m.state.Result.Parts})
	case m.leaving():
		m.goAway()
	case m.asking():
	case m.sample != nil:
		m.assign(m.sample)
		if m.sample.complete() {
			m.sampled()
		}
	case !m.maps.complete():
		m.assign(m.maps)
	case m.state.Partitions == 0:
		m.finish()
	case !m.state.Planned:
		m.planReads()
	default:
		m.reduce()
	}
}

// reduce runs once every map task is done and the reads are planned.
func (m *Machine) reduce() {
	if !m.settled {
		m.mapsDone()
	}
	m.takeHeld()
	if m.merges.complete() && m.reduces.complete() {
		m.finish()
		return
	}
	m.assign(m.merges)
	m.assign(m.reduces)
}

func (m *Machine) finish() {
	m.state.Result = m.result()
	m.save()
}

func (m *Machine) save() {
	m.saving = true
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
	case err == nil:
		m.forget()
		m.end(nil)
	case m.cancelled != nil:
		m.end(m.cancelled)
	default:
		m.end(core.AsError(err))
	}
}

// forget frees the exchange files of a job that is over.
func (m *Machine) forget() {
	if m.maps == nil {
		return
	}
	var names []string
	for _, s := range m.stages() {
		for _, i := range s.items {
			if i.done != nil && i.done.Index != nil {
				names = append(names, i.done.Index.Name)
			}
		}
	}
	if len(names) == 0 {
		return
	}
	// Every host of the gang has its own shared folder; a name that is not
	// there is no error.
	for r, k := range m.ranks {
		if k.up {
			m.send(r, task.Down{Forget: names})
		}
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
