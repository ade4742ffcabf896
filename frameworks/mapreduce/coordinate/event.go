package coordinate

import (
	"github.com/capstan-run/capstan/frameworks/dataset/output"
	"github.com/capstan-run/capstan/frameworks/mapreduce/task"
)

// Event is what happens to a machine: one of the types below.
type Event interface{ event() }

// Begin is the first event.
type Begin struct{}

// GangUp says that the executors run. Resumed: they may hold work of an
// earlier generation, but for those in Lost.
type GangUp struct {
	Size    int
	Resumed bool
	Lost    []int
}

// FromRank is a worker's message. The machine keeps what Up points to.
type FromRank struct {
	Rank int
	Up   task.Up
}

// RankLost says that an executor is gone and fenced.
type RankLost struct {
	Rank   int
	Reason string
}

// RankReplaced says that a new, empty executor took a lost rank's place.
type RankReplaced struct{ Rank int }

// Saved says that the last Save effect is durable.
type Saved struct{}

// Committed is the end of the commit: nil if the result is visible.
type Committed struct{ Err error }

// CancelAsked says that a user wants the job to end.
type CancelAsked struct{ Reason string }

// Stay takes GiveWay back.
type Stay struct{}

// GiveWay says that the gang's place is wanted at By, which is a time as Step's.
type GiveWay struct {
	By     int64
	Reason string
}

// Shrink says that ranks will be lost, and the gang goes on without them.
type Shrink struct {
	Ranks  []int
	Reason string
}

// Tick lets time pass: timeouts and speculation are looked at.
type Tick struct{}

func (Begin) event()        {}
func (GangUp) event()       {}
func (FromRank) event()     {}
func (RankLost) event()     {}
func (RankReplaced) event() {}
func (Saved) event()        {}
func (Committed) event()    {}
func (CancelAsked) event()  {}
func (GiveWay) event()      {}
func (Stay) event()         {}
func (Shrink) event()       {}
func (Tick) event()         {}

// Effect is what a machine wants done: one of the types below, in order.
type Effect interface{ effect() }

// Send sends a message to a rank's worker.
type Send struct {
	Rank int
	Down task.Down
}

// Save makes the state durable; Saved answers.
type Save struct{ State State }

// Commit makes the parts visible; Committed answers. It may be asked for again
// by a later generation with the same parts.
type Commit struct{ Parts []output.Part }

// StopCommit asks a commit under way to end; Committed still answers.
type StopCommit struct{}

// Release lets the gang's place go, and asks for the gang again.
type Release struct{}

// Note is a line for the user about something out of the ordinary.
type Note struct{ Text string }

// End is the last effect. Err is an *core.Error, or nil if the result is
// committed.
type End struct{ Err error }

func (Send) effect()       {}
func (Save) effect()       {}
func (Commit) effect()     {}
func (StopCommit) effect() {}
func (Release) effect()    {}
func (Note) effect()       {}
func (End) effect()        {}
