package coordinate

import (
	"github.com/capstan-run/capstan/frameworks/bsp/task"
	"github.com/capstan-run/capstan/frameworks/dataset/output"
)

// Event is what happens to a machine: one of the types below.
type Event interface{ event() }

// Begin is the first event.
type Begin struct{}

// GangUp says that the executors run. Resumed: they may be in an incarnation
// of an earlier generation, but for those in Lost.
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

// Stay takes GiveWay back.
type Stay struct{}

// GiveWay says that the gang's place is wanted at Until, in the machine's time.
type GiveWay struct {
	Until  int64
	Reason string
}

// Saved says that the oldest Save effect without an answer is durable.
type Saved struct{}

// Committed is the end of the commit: nil if the result is visible.
type Committed struct{ Err error }

// CancelAsked says that a user wants the job to end.
type CancelAsked struct{ Reason string }

// Tick lets time pass.
type Tick struct{}

func (Begin) event()        {}
func (GangUp) event()       {}
func (FromRank) event()     {}
func (RankLost) event()     {}
func (RankReplaced) event() {}
func (GiveWay) event()      {}
func (Stay) event()         {}
func (Saved) event()        {}
func (Committed) event()    {}
func (CancelAsked) event()  {}
func (Tick) event()         {}

// Effect is what a machine wants done: one of the types below, in order.
type Effect interface{ effect() }

// Send sends a message to a rank's worker.
type Send struct {
	Rank int
	Down task.Down
}

// Save makes the state durable; Saved answers. The state is to be encoded before
// the machine's next step.
type Save struct{ State State }

// Renew releases the gang and asks for it again.
type Renew struct{}

// Commit makes the parts visible; Committed answers. It may be asked for again
// by a later generation with the same parts.
type Commit struct{ Parts []output.Part }

// StopCommit asks a commit under way to end; Committed still answers.
type StopCommit struct{}

// Note is a line for the user about something out of the ordinary.
type Note struct{ Text string }

// End is the last effect. Err is an *core.Error, or nil if the result is
// committed.
type End struct{ Err error }

func (Send) effect()       {}
func (Save) effect()       {}
func (Renew) effect()      {}
func (Commit) effect()     {}
func (StopCommit) effect() {}
func (Note) effect()       {}
func (End) effect()        {}
