package coordinate

import (
	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/service/wire"
)

// Event is what happened: one of the types below.
type Event interface{ event() }

// Begin comes first.
type Begin struct{}

// Tick lets time pass.
type Tick struct{}

// Up says that a gang's executor runs its worker. Resumed: it did so before
// this coordinator, and Lost: it does no more.
type Up struct {
	Gang          string
	Node          core.NodeID
	Resumed, Lost bool
}

// Lost says that a gang's executor is gone.
type Lost struct{ Gang, Reason string }

// Refused says that a gang will not come up.
type Refused struct{ Gang, Reason string }

// Heard is a worker's status.
type Heard struct {
	Gang   string
	Status wire.Status
}

// Asked is a command.
type Asked struct{ core.Command }

// Yield says that a gang loses its place at Until, in Unix milliseconds.
type Yield struct {
	Gang   string
	Until  int64
	Reason string
}

// End asks the service to end.
type End struct{ Reason string }

func (Begin) event()   {}
func (Tick) event()    {}
func (Up) event()      {}
func (Lost) event()    {}
func (Refused) event() {}
func (Heard) event()   {}
func (Asked) event()   {}
func (Yield) event()   {}
func (End) event()     {}

// Effect is what the loop has to do, in order: one of the types below.
type Effect interface{ effect() }

// Want asks for a gang.
type Want struct{ Ask core.GangAsk }

// Release lets a gang go.
type Release struct{ Gang string }

// Tell sends an order to the worker of a gang.
type Tell struct {
	Gang  string
	Order wire.Order
}

// Reply answers a command. What the command changed is saved before.
type Reply struct{ core.Answer }

// Say is a line for the job's log.
type Say struct{ Text string }

// Done ends the service.
type Done struct{ Err error }

func (Want) effect()    {}
func (Release) effect() {}
func (Tell) effect()    {}
func (Reply) effect()   {}
func (Say) effect()     {}
func (Done) effect()    {}
