package operator

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/stream/snapshot"
	"github.com/capstan-run/capstan/frameworks/stream/state"
	"github.com/capstan-run/capstan/frameworks/stream/topology"
)

// Emitter takes what an instance emits.
type Emitter interface {
	// Emit sends tuples on the output with that index. rec becomes the emitter's.
	Emit(out int, rec arrow.Record) error
	// Pin is Emit of tuples whose task was told before: where a grouping leaves a
	// choice of n tasks, it falls on the one at pin modulo n.
	Pin(out, pin int, rec arrow.Record) error
}

// Source brings tuples in.
type Source interface {
	// Next emits some tuples. more is false once there will never be any.
	Next(ctx context.Context, out Emitter) (more bool, err error)
	// Position is where the next Next begins.
	Position() json.RawMessage
	// Seek goes to where the tasks of an earlier run were, before the first Next.
	Seek(positions []json.RawMessage) error
}

// Operator works on tuples.
type Operator interface {
	// Process takes tuples of the input with that index. rec is the caller's.
	Process(ctx context.Context, in int, rec arrow.Record, out Emitter) error
}

// Keyed is an operator that remembers.
type Keyed interface {
	Operator
	Snapshot() []byte
	// Restore takes, of a snapshot of any task of the component, what is this
	// task's to remember. It is called for each before the first Process.
	Restore(b []byte) error
}

// Lagging is an operator that answers later: it takes tuples while others are
// under way. Make.Wake is called when there is something to collect.
type Lagging interface {
	Operator
	// Collect emits what is ready.
	Collect(ctx context.Context, out Emitter) (did bool, err error)
	// Room reports that it takes more; Idle that nothing is under way.
	Room() bool
	Idle() bool
}

// Told is a source that is told what was committed of what it emitted.
type Told interface {
	Source
	// Handed says that what was emitted until now belongs to an epoch.
	Handed(epoch int64)
	Committed(ctx context.Context, epoch int64) error
}

// Sink is where tuples end.
type Sink interface {
	Write(ctx context.Context, in int, rec arrow.Record) error
	// Seal ends the part of an epoch; nil if nothing was written (law O3).
	Seal(ctx context.Context, epoch int64) (json.RawMessage, error)
	Publish(ctx context.Context, part json.RawMessage) error
}

// Make is what an instance is made of.
type Make struct {
	Task   topology.Task
	Groups int
	In     []topology.Input // in the order of the component's edges
	// Store keeps parts that are staged; Results is the S3 store that s3:// URLs
	// are in, nil where there is none.
	Store   snapshot.Store
	Results Bucket
	// Owner names this try at running the topology, in names of staged things.
	Owner string
	// Topology is the whole, Dir and Env are where processes run.
	Topology *topology.Topology
	Dir      string
	Scratch  string // a folder for the processes' pids; default the system's
	Env      []string
	// Wake has the task stepped soon. It may be called from any goroutine.
	Wake func()
	// Urge asks for an epoch at once.
	Urge func()
	// Logger is told what processes say of themselves.
	Logger *slog.Logger
	// Batch is about how many tuples a source emits at once; default 1024.
	Batch int
	// Log takes what sink "log" writes.
	Log io.Writer
}

// New makes a task's instance: a Source, an Operator or a Sink. Who is made may
// be an io.Closer.
func New(m Make) (any, error) {
	if m.Batch == 0 {
		m.Batch = 1024
	}
	c := m.Task.Component
	switch c.Use {
	case "lines":
		return newLines(m)
	case "words":
		return newWords(m)
	case "split":
		return newSplit(m)
	case "count":
		return newCount(m)
	case "files":
		return newFiles(m)
	case "log":
		return &logSink{w: m.Log, lines: newJSONLines(m.In)}, nil
	}
	return nil, core.Errorf(core.Invalid, "component %q is no built-in that can be made", c.ID)
}

func decode[T any](m Make) (T, error) {
	with, faults := told[T](m.Task.Component)
	if len(faults) > 0 {
		return with, core.Errorf(core.Invalid, "component %q: %s", m.Task.Component.ID, faults[0].Message)
	}
	return with, nil
}

// keyRange is the groups whose keys a task of a component gets that reads in.
func (m Make) keyRange(in topology.Input) state.Range {
	first, end := m.Task.Range(m.Groups)
	if in.Grouping.Kind == topology.Global {
		if first, end = 0, m.Groups; m.Task.Index > 0 {
			end = 0
		}
	}
	return state.Range{First: first, End: end, Groups: m.Groups}
}

// splits are the positions of a source: how far each of its splits was read.
type splits map[string]int64

func (s splits) position() json.RawMessage {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // plain numbers
	}
	return b
}

// seek takes those positions of all tasks that are of this one's splits.
func (s splits) seek(positions []json.RawMessage) error {
	for _, p := range positions {
		var all splits
		if err := json.Unmarshal(p, &all); err != nil {
			return fmt.Errorf("read a source's position: %w", err)
		}
		for name, at := range all {
			if _, mine := s[name]; mine {
				s[name] = at
			}
		}
	}
	return nil
}
