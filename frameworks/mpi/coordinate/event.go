package coordinate

import (
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/mpi/task"
)

// Event is what happens to a machine: one of the types below.
type Event interface{ event() }

// Begin is the first event of a generation.
type Begin struct{}

// GangUp says that a gang's executors run. Resumed: they may hold ranks of an
// earlier generation, but for those in Lost.
type GangUp struct {
	Gang    string
	Nodes   []core.NodeID // by executor
	Resumed bool
	Lost    []int
}

// FromExecutor is a worker's message.
type FromExecutor struct {
	Gang     string
	Executor int
	Up       task.Up
}

// ExecutorLost says that an executor is gone and fenced.
type ExecutorLost struct {
	Gang     string
	Executor int
	Reason   string
}

// ExecutorReplaced says that a new, empty executor took a lost one's place.
type ExecutorReplaced struct {
	Gang     string
	Executor int
}

// GiveWay says that a gang's place is wanted, and how long it has left.
type GiveWay struct {
	Gang   string
	Left   time.Duration
	Reason string
}

// Stay takes GiveWay back.
type Stay struct{ Gang string }

// Refused says that a gang will not come up.
type Refused struct {
	Gang string
	Err  *core.Error
}

// CancelAsked says that the job is to end.
type CancelAsked struct{ Reason string }

// Saved says that the last Save is durable.
type Saved struct{}

func (Begin) event()            {}
func (GangUp) event()           {}
func (FromExecutor) event()     {}
func (ExecutorLost) event()     {}
func (ExecutorReplaced) event() {}
func (GiveWay) event()          {}
func (Stay) event()             {}
func (Refused) event()          {}
func (CancelAsked) event()      {}
func (Saved) event()            {}

// Effect is what a machine wants done: one of the types below, in order.
type Effect interface{ effect() }

// Send sends a message to an executor's worker.
type Send struct {
	Gang     string
	Executor int
	Down     task.Down
}

// Save makes the state durable; Saved answers.
type Save struct{ State State }

// Want asks for a gang; GangUp or Refused answers.
type Want struct{ Ask core.GangAsk }

// Renew lets a gang's place go, and asks for the gang again.
type Renew struct{ Ask core.GangAsk }

// Release lets a gang go.
type Release struct{ Gang string }

// Note is a line for the user about something out of the ordinary.
type Note struct{ Text string }

// End is the last effect. Err is an *core.Error, or nil if all went well.
type End struct{ Err error }

func (Send) effect()    {}
func (Save) effect()    {}
func (Want) effect()    {}
func (Renew) effect()   {}
func (Release) effect() {}
func (Note) effect()    {}
func (End) effect()     {}
