// Package wire is what a service's coordinator and the workers of its copies
// say to each other.
//
// # Laws
//
//	W1  Both sides say what is so or should be, never what changed: a message
//	    may be lost or come twice, and the next one makes it good.
//	W2  The coordinator numbers the runs of a copy's command. A worker never
//	    goes back to a lower number, so that an old order starts nothing.
package wire

import (
	"encoding/json"

	"github.com/capstan-run/capstan/frameworks/service/spec"
)

// Order is what the coordinator wants. Every order is answered with a Status.
type Order struct {
	Run  *Run  `json:"run,omitempty"`
	Halt *Halt `json:"halt,omitempty"`
	// Names are the copies that are ready, when they have changed.
	Names []Name `json:"names,omitempty"`
	Known bool   `json:"known,omitempty"` // Names is set
}

// Run asks for a run of the command. One with a lower number is stopped first.
type Run struct {
	Number  int        `json:"number"`
	Service string     `json:"service"` // "web"
	Copy    string     `json:"copy"`    // "web-0"
	Ordinal int        `json:"ordinal"`
	Version int        `json:"version"`
	Body    *spec.Body `json:"body"`
}

// Halt ends the run of a number: no longer ready, then Drain, the signal,
// Grace, the kill.
type Halt struct {
	Number int  `json:"number"`
	Drain  bool `json:"drain,omitempty"` // wait for the drain time: the copy goes for good
}

// Phase is how far a run is.
type Phase string

const (
	Idle     Phase = ""         // nothing was asked yet
	Running  Phase = "running"  // the command runs
	Stopping Phase = "stopping" // it was told to end
	Ended    Phase = "ended"
)

// Status is what a worker has.
type Status struct {
	Number int    `json:"number"` // of the last run
	Phase  Phase  `json:"phase"`
	Ready  bool   `json:"ready,omitempty"`
	Sick   string `json:"sick,omitempty"` // why health fails
	Why    string `json:"why,omitempty"`  // why it is not ready, or how it ended
	// Address is where others reach this one, "" if nobody does, and Ports are
	// in the order of the spec.
	Address string `json:"address,omitempty"`
	Ports   []int  `json:"ports,omitempty"`
}

// Name is a ready copy.
type Name struct {
	Copy    string         `json:"copy"`
	Address string         `json:"address"`
	Ports   map[string]int `json:"ports,omitempty"`
}

// Encode makes a message of an Order or a Status.
func Encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("wire: does not marshal: " + err.Error())
	}
	return b
}

// Decode reads an Order or a Status.
func Decode(b []byte, v any) error { return json.Unmarshal(b, v) }
