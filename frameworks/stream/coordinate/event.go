package coordinate

import (
	"github.com/capstan-run/capstan/frameworks/stream/snapshot"
	"github.com/capstan-run/capstan/frameworks/stream/wire"
)

// Event is what happens to a machine: one of the types below.
type Event interface{ event() }

// Begin is the first event.
type Begin struct{}

// Tick lets time pass.
type Tick struct{}

// GangUp says that the executors run, but for those in Lost.
type GangUp struct {
	Size int
	Lost []int
}

// FromRank is a worker's message.
type FromRank struct {
	Rank int
	Up   wire.Up
}

// RankLost says that an executor is gone and fenced.
type RankLost struct {
	Rank   int
	Reason string
}

// RankReplaced says that a new, empty executor took a lost rank's place.
type RankReplaced struct{ Rank int }

// GiveWay says that the gang's place is wanted by another.
type GiveWay struct{ Reason string }

// Committed is the end of a Commit.
type Committed struct {
	Manifest *snapshot.Manifest
	Err      error
}

// CancelAsked says that a user wants the topology to end.
type CancelAsked struct{ Reason string }

func (Begin) event()        {}
func (Tick) event()         {}
func (GangUp) event()       {}
func (FromRank) event()     {}
func (RankLost) event()     {}
func (RankReplaced) event() {}
func (GiveWay) event()      {}
func (Committed) event()    {}
func (CancelAsked) event()  {}

// Effect is what a machine wants done: one of the types below, in order.
type Effect interface{ effect() }

// Send sends a message to a rank's worker.
type Send struct {
	Rank int
	Down wire.Down
}

// Commit writes a manifest; Committed answers.
type Commit struct{ Manifest *snapshot.Manifest }

// Renew releases the gang and asks for it again.
type Renew struct{}

// Note is a line for the user about something out of the ordinary.
type Note struct{ Text string }

// End is the last effect. Err is nil if the topology came to its end.
type End struct{ Err error }

func (Send) effect()   {}
func (Commit) effect() {}
func (Renew) effect()  {}
func (Note) effect()   {}
func (End) effect()    {}
