// Package wire holds what the coordinator of a topology and its workers say to
// each other. Messages travel as JSON.
//
//	coordinator  ←─────────────────────────────────────────── Query
//	worker       Hello ────────────────────────────────────────────→
//	coordinator  ←──────────────────────── Begin of an incarnation
//	worker       Told … ───────────────────────────────────────────→
//	coordinator  ←────────────────────────── Trigger, Publish, Stop
//	worker       Ended ────────────────────────────────────────────→
//
// # Laws
//
//	W1  Every message about a run names its incarnation. One of another
//	    incarnation than the receiver's says nothing.
//	W2  A worker answers each Begin with one Ended, at the latest after a Stop.
package wire

import (
	"encoding/json"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/stream/epoch"
	"github.com/capstan-run/capstan/frameworks/stream/snapshot"
)

// Down is a coordinator's message to a worker; one field is set.
type Down struct {
	Query   *Query   `json:"query,omitempty"`
	Begin   *Begin   `json:"begin,omitempty"`
	Trigger *Trigger `json:"trigger,omitempty"`
	Publish *Publish `json:"publish,omitempty"`
	Passed  *Trigger `json:"passed,omitempty"`
	Stop    *Stop    `json:"stop,omitempty"`
}

// Query asks for a Hello.
type Query struct{}

// Begin has a worker run its tasks, from an epoch or from the beginning.
type Begin struct {
	Incarnation int                `json:"incarnation"`
	Owner       string             `json:"owner"`
	Hosts       []string           `json:"hosts"` // by rank: those of the Hellos
	From        *snapshot.Manifest `json:"from,omitempty"`
}

// Trigger has the sources begin an epoch. As Down.Passed it says that one was
// committed.
type Trigger struct {
	Incarnation int   `json:"incarnation"`
	Epoch       int64 `json:"epoch"`
}

// Publish has a sink's task publish a part.
type Publish struct {
	Incarnation int `json:"incarnation"`
	epoch.Publish
}

// Stop ends an incarnation.
type Stop struct {
	Incarnation int `json:"incarnation"`
}

// Up is a worker's message; one field is set.
type Up struct {
	Hello *Hello `json:"hello,omitempty"`
	Told  *Told  `json:"told,omitempty"`
	Ended *Ended `json:"ended,omitempty"`
}

// Hello says where a worker is and what it runs.
type Hello struct {
	Host    string `json:"host"`    // the same for workers that share memory
	Running int    `json:"running"` // an incarnation; 0: none
}

// Told is what a task said; one field beside Incarnation is set.
type Told struct {
	Incarnation int              `json:"incarnation"`
	Handed      *epoch.Handed    `json:"handed,omitempty"`
	Exhausted   *epoch.Exhausted `json:"exhausted,omitempty"`
	Published   *epoch.Published `json:"published,omitempty"`
	Urged       *epoch.Urged     `json:"urged,omitempty"`
}

// Event is what the task said, for the machine of epochs; nil for nothing.
func (t *Told) Event() epoch.Event {
	switch {
	case t.Handed != nil:
		return *t.Handed
	case t.Exhausted != nil:
		return *t.Exhausted
	case t.Published != nil:
		return *t.Published
	case t.Urged != nil:
		return *t.Urged
	}
	return nil
}

// TellOf is e as a message.
func TellOf(incarnation int, e epoch.Event) *Told {
	t := &Told{Incarnation: incarnation}
	switch e := e.(type) {
	case epoch.Handed:
		t.Handed = &e
	case epoch.Exhausted:
		t.Exhausted = &e
	case epoch.Published:
		t.Published = &e
	case epoch.Urged:
		t.Urged = &e
	}
	return t
}

// Ended is why a worker runs an incarnation no more.
type Ended struct {
	Incarnation int        `json:"incarnation"`
	Err         core.Error `json:"err"`
	// Lost is the rank that could not be reached; -1: another reason.
	Lost int `json:"lost"`
}

// Encode writes a message.
func Encode(message any) ([]byte, error) { return json.Marshal(message) }

// Decode reads one.
func Decode(b []byte, message any) error { return json.Unmarshal(b, message) }
