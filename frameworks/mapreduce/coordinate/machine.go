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
	FirstTry int           // number of each task's first try (law M3)
}

// Machine coordinates one attempt. It is not safe for concurrent use.
type Machine struct {
	cfg     Config
	state   State
	ranks   []*rank
	sample  *stage // nil unless Range and not yet sampled
	maps    *stage
	reduces *stage

	now     int64 // milliseconds, from the last event
	version int   // counts accepted map outputs
	// hashes are what reduce tasks must have read (law M5), by partition; nil
	// while a map task is open.
	hashes []uint64
	// held are reduce results that came while a map task was open.
	held []held

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
	m.reduces = newStage(task.Reduce, make([]int64, state.Partitions), cfg.FirstTry)
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
	case Saved:
		m.saving = false
	case Committed:
		m.committed(e.Err)
	case CancelAsked:
		m.cancel(e.Reason)
	case Tick:
		m.expire()
	case Begin:
	}
}

// advance starts whatever can start.
func (m *Machine) advance() {
	switch {
	case m.ended || m.saving || m.committing:
	case m.state.Result != nil:
		m.committing = true
		m.emit(Commit{Parts: m.state.Result.Parts})
	case m.asking():
	case m.sample != nil:
		m.assign(m.sample)
		if m.sample.complete() {
			m.sampled()
		}
	case !m.maps.complete():
		m.assign(m.maps)
	default:
		m.reduce()
	}
}

// reduce runs once every map task is done.
func (m *Machine) reduce() {
	if m.hashes == nil {
		m.mapsDone()
	}
	if m.reduces.complete() {
		m.finish()
		return
	}
	m.assign(m.reduces)
}

// mapsDone looks at what reduce tasks now have to read, and at results that are
// there already.
func (m *Machine) mapsDone() {
	sources := make([]Index, 0, len(m.maps.items))
	for _, i := range m.maps.items {
		sources = append(sources, i.done.Index)
	}
	m.hashes = make([]uint64, len(m.reduces.items))
	for p, i := range m.reduces.items {
		m.hashes[p] = task.RowHash(sources, p)
		i.bytes = partitionBytes(sources, p)
		if i.done != nil && i.done.Read != m.hashes[p] {
			m.note("reduce %d runs again: a map task run again gave other rows", p)
			i.reopen()
		}
	}
	m.reduces.sortQueue()
	late := m.held
	m.held = nil
	for _, h := range late {
		m.done(h.rank, h.done)
	}
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
	names := make([]string, 0, len(m.maps.items))
	for _, i := range m.maps.items {
		if i.done != nil && i.done.Index != nil {
			names = append(names, i.done.Index.Name)
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
