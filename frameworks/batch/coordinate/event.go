package coordinate

import (
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/batch/task"
)

// Event is what happens to a machine: one of the types below.
type Event interface{ event() }

// Begin is the first event of a generation.
type Begin struct{}

// GangUp says that a gang's executors run. Resumed: they may hold work of an
// earlier generation, but for those in Lost.
type GangUp struct {
	Gang    string
	Nodes   []core.NodeID // by rank
	Resumed bool
	Lost    []int
}

// FromRank is a worker's message.
type FromRank struct {
	Gang string
	Rank int
	Up   task.Up
}

// RankLost says that an executor is gone and fenced.
type RankLost struct {
	Gang   string
	Rank   int
	Reason string
}

// RankReplaced says that a new, empty executor took a lost rank's place.
type RankReplaced struct {
	Gang string
	Rank int
}

// Saved says that the last Save is durable.
type Saved struct{}

// Written is the end of a Write.
type Written struct{ Err error }

// GiveWay says that a gang's place is wanted, and how long it has left.
type GiveWay struct {
	Gang   string
	Left   time.Duration
	Reason string
	Final  bool // it does not come up again: the element's walltime is over
}

// Stay takes GiveWay back.
type Stay struct{ Gang string }

// Refused says that elements of an array, or the job's gang, will not come up.
type Refused struct {
	Elements []core.ArrayRange
	Err      *core.Error
}

// CancelAsked says that the job is to end.
type CancelAsked struct{ Reason string }

func (Begin) event()        {}
func (GangUp) event()       {}
func (FromRank) event()     {}
func (RankLost) event()     {}
func (RankReplaced) event() {}
func (Saved) event()        {}
func (Written) event()      {}
func (GiveWay) event()      {}
func (Stay) event()         {}
func (Refused) event()      {}
func (CancelAsked) event()  {}

// Effect is what a machine wants done: one of the types below, in order.
type Effect interface{ effect() }

// Send sends a message to a rank's worker.
type Send struct {
	Gang string
	Rank int
	Down task.Down
}

// Write copies streams of a task from the store into files; Written answers.
type Write struct {
	Gang    string
	Index   string // of the element; "" without an array
	Rank    int
	Node    core.NodeID
	Try     int
	Streams []string
}

// Save makes the tally durable; Saved answers.
type Save struct{ Tally Tally }

// Release lets a gang's place go, and asks for the gang again.
type Release struct{ Gang string }

// EndGang ends a gang whose work is done.
type EndGang struct {
	Gang string
	OK   bool
}

// Note is a line for the user about something out of the ordinary.
type Note struct{ Text string }

// End is the last effect. Err is an *core.Error, or nil if all went well.
type End struct{ Err error }

func (Send) effect()    {}
func (Write) effect()   {}
func (Save) effect()    {}
func (Release) effect() {}
func (EndGang) effect() {}
func (Note) effect()    {}
func (End) effect()     {}
