package coordinate

import (
	"time"

	"github.com/capstan-run/capstan/frameworks/spark/task"
)

// Event is what happens to a machine: one of the types below.
type Event interface{ event() }

// Begin is the first event of a generation.
type Begin struct{}

// GangUp says that the gang's executors run. Resumed: they may hold work of an
// earlier generation, but for those in Lost.
type GangUp struct {
	Size    int
	Resumed bool
	Lost    []int
}

// FromRank is a worker's message.
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

// GiveWay says that the gang's place is wanted, and how long it has left.
type GiveWay struct {
	Left   time.Duration
	Reason string
}

// CancelAsked says that the job is to end.
type CancelAsked struct{ Reason string }

func (Begin) event()        {}
func (GangUp) event()       {}
func (FromRank) event()     {}
func (RankLost) event()     {}
func (RankReplaced) event() {}
func (GiveWay) event()      {}
func (CancelAsked) event()  {}

// Effect is what a machine wants done: one of the types below, in order.
type Effect interface{ effect() }

// Send sends a message to a rank's worker.
type Send struct {
	Rank int
	Down task.Down
}

// Renew lets the gang's place go, and asks for the gang again.
type Renew struct{}

// Note is a line for the user about something out of the ordinary.
type Note struct{ Text string }

// End is the last effect. Err is an *core.Error, or nil if all went well.
type End struct{ Err error }

func (Send) effect()  {}
func (Renew) effect() {}
func (Note) effect()  {}
func (End) effect()   {}
