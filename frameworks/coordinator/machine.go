package coordinator

import (
	"context"

	"github.com/capstan-run/capstan/core"
)

// Machine decides for one generation of an attempt. It reads no clock, starts no
// goroutine and does no I/O: the same events give the same effects.
type Machine[E, F any] interface {
	// Step takes an event at now, in milliseconds since Run began, and answers with
	// what to do, in order. The answer may be used until the next step.
	Step(now int64, e E) []F
	// Progress is a snapshot for the user.
	Progress() core.Progress
}

// Config is a coordinator: its machine and how its effects are carried out. All
// functions but Open are called by Run's goroutine.
type Config[E, F any] struct {
	// Open makes the machine: of what was saved, or of what it finds in the input.
	// It runs on the lane, and whoever needs a gang asks for it first, so that
	// executors start meanwhile.
	Open func(ctx context.Context) (Machine[E, F], error)
	// Begin is the machine's first event.
	Begin E
	// Tick lets time pass, four times a second; nil: the machine knows no time.
	Tick E
	// Hear makes the machine's event of the host's. ok is false for what the
	// machine need not know. It is called while the machine is opened, too.
	Hear func(l *Loop[E, F], e core.Event) (event E, ok bool)
	// Do carries out an effect. An error ends the attempt with it.
	Do func(ctx context.Context, l *Loop[E, F], f F) error
}
