// Package task holds what a BSP coordinator and its workers say to each other.
// Messages travel as [Encode]d [Down] and [Up].
//
//	coordinator  ←──────────────────────────────────────────── Query
//	worker       Hello ─────────────────────────────────────────────→
//	coordinator  ←───────────────────────── Begin of an incarnation
//	worker       Steps, Written … ──────────────────────────────────→
//	coordinator  ←───────────────── Committed, Save, Bring, Stop
//	worker       Done or Ended ─────────────────────────────────────→
//
// # Laws
//
//	T1  Every message about a run names its incarnation. One of another
//	    incarnation than the receiver's says nothing.
//	T2  A worker answers each Begin with one Done or one Ended.
package task

import (
	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/dataset/input"
	"github.com/capstan-run/capstan/frameworks/dataset/output"
)

// Down is a coordinator's message to a worker; one field is set.
type Down struct {
	Begin     *Begin
	Stop      *Stop
	Committed *Committed
	Bring     *Bring
	Save      *Save
	Query     *Query
}

// Save asks for a checkpoint at the next barrier, since the gang has to give way.
type Save struct{ Incarnation int }

// Query asks for a Hello. Nobody says it unasked: it might go to a generation of
// the coordinator that is no more.
type Query struct{}

// Begin starts an incarnation of the gang: all ranks run, from the beginning or
// from a checkpoint. What ran before is stopped.
type Begin struct {
	Incarnation int
	Hosts       []string      // by rank: the tokens of their Hellos
	Splits      []input.Split // of this rank
	Vertices    []input.Split // of the graph's list of vertices, all
	Resume      *Checkpoint   // nil: from the beginning
	// Keep are the checkpoints that may be gone on from; others' files can go.
	Keep []Checkpoint
}

// Stop ends the run of an incarnation: another rank is lost. An Ended answers.
type Stop struct{ Incarnation int }

// Checkpoint names one: the state of all ranks after a superstep.
type Checkpoint struct {
	Incarnation int // that wrote it
	Superstep   int64
}

// Committed says that a checkpoint is whole, and which may be gone on from.
type Committed struct{ Keep []Checkpoint }

// Bring asks for the files of a checkpoint to be brought to the store, and the
// rank's series of supersteps, since the gang's folder will go. Of the zero
// checkpoint there is only the series. Brought answers.
type Bring struct{ Checkpoint }

// Up is a worker's message to the coordinator; one field is set.
type Up struct {
	Hello   *Hello
	Steps   *Steps
	Written *Written
	Brought *Brought
	Done    *Done
	Ended   *Ended
}

// Hello says that a worker is there, and what it has been doing.
type Hello struct {
	// Host is the same for all executors that share a folder, and only those.
	Host string
	// Running is the incarnation under way, 0 for none. Written are this rank's
	// checkpoints of it so far, Done its result, if it has one.
	Running int
	Written []Written
	Done    *Done
}

// Superstep is what one superstep cost a rank. Times are nanoseconds.
type Superstep struct {
	Number     int64 // from 1: the first Sync ends superstep 1
	Loading    bool  // the program loaded its input
	Load       int64 // of the times below, those of supersteps that load
	Compute    int64
	Send       int64 // time that the program waited for its messages to leave
	Wait       int64 // at the barrier
	Checkpoint int64 // time that the program was held up for
	Messages   int64
	Bytes      int64
	Active     int64 // vertices; -1 where the program does not say
	Spilled    int64 // bytes
	Edges      int64 // that the program said it has followed
	Following  int64 // time of supersteps in which it followed any
}

// Stage is "load" for a superstep that loads, else "run".
func (s *Superstep) Stage() string {
	if s.Loading {
		return "load"
	}
	return "run"
}

// Add adds what another superstep cost.
func (s *Superstep) Add(o Superstep) {
	s.Load += o.Load
	s.Compute += o.Compute
	s.Send += o.Send
	s.Wait += o.Wait
	s.Checkpoint += o.Checkpoint
	s.Messages += o.Messages
	s.Bytes += o.Bytes
	s.Spilled += o.Spilled
	s.Edges += o.Edges
	s.Following += o.Following
}

// Steps are the supersteps of a rank since its last Steps, at most four times a
// second.
type Steps struct {
	Incarnation int
	// Last are the most recent supersteps, oldest first, at most LastSteps.
	Last []Superstep
	// Total is the sum over all supersteps of this incarnation on this rank, its
	// Number the last one's.
	Total Superstep
}

// LastSteps is how many supersteps one Steps holds at most.
const LastSteps = 32

// Written says that a rank's part of a checkpoint is durable.
type Written struct {
	Checkpoint
	Bytes int64
	Nanos int64 // from the barrier until it was durable
}

// Brought says that a rank's files of a checkpoint lie in the store.
type Brought struct{ Checkpoint }

// Done is what a rank's run of an incarnation came to.
type Done struct {
	Incarnation int
	Superstep   int64
	Total       Superstep
	Parts       []output.Part // the rank's rows
	Side        []output.Part
	Columns     []output.Column
	Counters    map[string]int64
	Preview     []PreviewRow
	CPUNanos    int64
	RecordsIn   int64
}

// Ended is a run that ended without a result.
type Ended struct {
	Incarnation int
	Superstep   int64 // that came to an end last
	Err         core.Error
	// Lost is the rank without which it could not go on, -1 for none.
	Lost int
	// Damaged says that the checkpoint to go on from cannot be read.
	Damaged bool
	// Fatal says that the program failed: another run cannot help.
	Fatal bool
}
